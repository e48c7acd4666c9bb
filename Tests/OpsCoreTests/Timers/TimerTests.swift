import BPF
import CShim
import Glibc
import Testing
import Verifier

@testable import OpsCore

/// A callback that adds one to the value's data.
private let counting = ops_helper_address { _, _, value, _, _, _ in
    guard let value = UnsafeMutablePointer<UInt64>(bitPattern: UInt(value)) else { return 0 }
    value.pointee += 1
    return 0
}

@Suite("Timers") struct TimerTests {
    /// An instance with a hash, an LRU hash and an array whose values hold a timer at offset 8; helpers are called as
    /// compiled code does.
    struct Fixture {
        let instance: Instance
        let clock = TestClock()

        init(
            maxEntries: Int = 8, hasClock: Bool = true,
            change: (inout Instance.Configuration) -> Void = { _ in }
        )
            throws
        {
            var builder = BTFBuilder()
            let u64 = builder.add(.int(BTFInt(name: "u64", byteCount: 8, bitCount: 64)))
            let timer = builder.add(
                .composite(
                    BTFComposite(
                        name: "bpf_timer", isUnion: false, byteCount: 16,
                        members: [
                            BTFMember(name: "a", type: u64, bitOffset: 0),
                            BTFMember(name: "b", type: u64, bitOffset: 64),
                        ])))
            let value = builder.add(
                .composite(
                    BTFComposite(
                        name: "value", isUnion: false, byteCount: 24,
                        members: [
                            BTFMember(name: "data", type: u64, bitOffset: 0),
                            BTFMember(name: "timer", type: timer, bitOffset: 64),
                        ])))
            var configuration = Instance.Configuration()
            change(&configuration)
            let maps = [MapType.hash, .lruHash, .array].map { type in
                MapDescription(
                    name: type.name, type: type, keySize: 4, valueSize: 24, maxEntries: maxEntries,
                    valueType: value)
            }
            instance = try Instance(maps: maps, btf: try builder.build(), configuration: configuration)
            if hasClock { instance.timerHost = clock }
            instance.block.pointee.ktime_ns = 1_000_000
        }

        /// The value of a key, made if it is not there.
        func value(_ map: Int, _ key: UInt32) throws -> UnsafeMutableRawPointer {
            let bytes = ArrayKey.bytes(key)
            if map != 2, (try? instance.maps[map].lookup(bytes)) == nil {
                try instance.maps[map].update(bytes, [UInt8](repeating: 0, count: 24))
            }
            return try #require(
                bytes.withUnsafeBytes {
                    $0.baseAddress.flatMap { instance.maps[map].lookupElement($0, cpu: 0) }
                })
        }

        func call(_ helper: Int32, _ value: UnsafeMutableRawPointer, _ r2: UInt64 = 0, _ r3: UInt64 = 0)
            -> Int64
        {
            let field = UInt64(UInt(bitPattern: value + 8))
            let address = UInt64(HelperTable.base[helper]?.address ?? 0)
            return Int64(bitPattern: ops_call_helper(address, field, r2, r3, 0, 0, instance.block))
        }
        func initialise(_ map: Int, _ value: UnsafeMutableRawPointer, clock: UInt64 = 1) -> Int64 {
            call(
                169, value, UInt64(UInt(bitPattern: Unmanaged.passUnretained(instance.maps[map]).toOpaque())),
                clock)
        }
        /// Initialised, with `counting` as its callback, and started.
        func arm(_ map: Int, _ key: UInt32, after nanoseconds: UInt64) throws {
            let value = try value(map, key)
            #expect(initialise(map, value) == 0)
            #expect(call(170, value, counting) == 0)
            #expect(call(171, value, nanoseconds) == 0)
        }
        func count(_ map: Int, _ key: UInt32) throws -> UInt64 { try value(map, key).load(as: UInt64.self) }
        func advance(to ktime: UInt64) {
            instance.block.pointee.ktime_ns = ktime
            instance.fireTimers()
        }
    }

    @Test("each step answers the kernel's errno")
    func errnos() throws {
        let fixture = try Fixture()
        let value = try fixture.value(0, 1)
        #expect(fixture.call(170, value, counting) == -Int64(EINVAL), "not initialised")
        #expect(fixture.call(171, value, 1) == -Int64(EINVAL))
        #expect(fixture.call(172, value) == -Int64(EINVAL))
        for clock in [2, 3, 4, 5, 6, 8, 16, UInt64.max] {
            #expect(fixture.initialise(0, value, clock: clock) == -Int64(EINVAL))
        }
        #expect(fixture.initialise(0, value) == 0)
        #expect(fixture.initialise(0, value) == -Int64(EBUSY))
        #expect(fixture.call(171, value, 1) == -Int64(EINVAL), "no callback")
        #expect(fixture.call(172, value) == 0)
        #expect(fixture.call(170, value, counting) == 0)
        #expect(fixture.call(171, value, 1, 4) == -Int64(EINVAL), "unknown flag")
        #expect(fixture.call(171, value, 50) == 0)
        #expect(fixture.call(172, value) == 1)
        #expect(fixture.call(172, value) == 0)
        fixture.advance(to: 2_000_000)
        #expect(try fixture.count(0, 1) == 0)
    }

    @Test("without a host nothing can be started")
    func noHost() throws {
        let fixture = try Fixture(hasClock: false)
        let value = try fixture.value(2, 1)
        #expect(fixture.initialise(2, value) == 0 && fixture.call(170, value, counting) == 0)
        #expect(fixture.call(171, value, 5) == -Int64(EOPNOTSUPP))
        #expect(fixture.instance.firstTimer == nil)
    }

    @Test("the host hears of a deadline that is earlier than those before")
    func alarms() throws {
        let fixture = try Fixture()
        try fixture.arm(0, 1, after: 9000)
        try fixture.arm(0, 2, after: 12000)
        try fixture.arm(2, 3, after: 5000)
        try fixture.arm(2, 2, after: 0)
        #expect(fixture.clock.alarms == [1_009_000, 1_005_000, 1_001_000], "never sooner than a microsecond")
        let value = try fixture.value(0, 1)
        #expect(fixture.call(171, value, 1_000_500, 1) == 0, "absolute, and in the past but for a moment")
        #expect(fixture.call(171, value, .max, 0) == 0)
        #expect(fixture.call(171, value, .max, 1) == 0)
        fixture.advance(to: 1_001_000)
        #expect(fixture.instance.firstTimer == 1_005_000)
        fixture.advance(to: 1_012_000)
        #expect(fixture.instance.firstTimer == UInt64(Int64.max))
    }

    @Test("an element that goes takes its timer along", arguments: [0, 1])
    func deletion(map: Int) throws {
        let fixture = try Fixture(maxEntries: 3)
        for key in UInt32(0)..<3 { try fixture.arm(map, key, after: 1000) }
        let deleted = try fixture.value(map, 0)
        try fixture.instance.maps[map].delete(ArrayKey.bytes(0))
        #expect(fixture.instance.timers.count == 2)
        #expect(fixture.call(171, deleted, 1) == -Int64(EINVAL))
        #expect(fixture.initialise(map, deleted) == -Int64(EPERM), "a deleted element gets no timer")
        try fixture.instance.maps[map].update(ArrayKey.bytes(1), [UInt8](repeating: 0, count: 24))
        #expect(fixture.instance.timers.count == 1, "replaced")
        if map == 1 {
            _ = try fixture.value(map, 7)
            _ = try fixture.value(map, 8)
            #expect(fixture.instance.timers.count == 0, "evicted")
        }
        fixture.advance(to: 5_000_000)
        fixture.instance.quiesce()
        let fired = try fixture.instance.maps[map].elements().map { $0.value.number(at: 0, byteCount: 8) }
        #expect(fired.reduce(0, +) == (map == 0 ? 1 : 0))
    }

    @Test("an update of an array's element ends its timer; others go on")
    func arrayUpdate() throws {
        let fixture = try Fixture()
        try fixture.arm(2, 0, after: 1000)
        try fixture.arm(2, 1, after: 1000)
        try fixture.instance.maps[2].update(ArrayKey.bytes(0), [UInt8](repeating: 9, count: 24))
        fixture.advance(to: 5_000_000)
        #expect(try fixture.count(2, 0) == 0x0909_0909_0909_0909)
        #expect(try fixture.count(2, 1) == 1)
        #expect(fixture.initialise(2, try fixture.value(2, 0)) == 0, "it can be initialised again")
        #expect(try fixture.instance.maps[2].lookup(ArrayKey.bytes(0)).suffix(16).allSatisfy { $0 == 0 })
    }

    @Test(
        "timers fire by deadline, then in the order of their starts; random use agrees with a list",
        arguments: [UInt64(1), 2])
    func order(seed: UInt64) throws {
        let fixture = try Fixture(maxEntries: 16)
        for key in UInt32(0)..<16 {
            let value = try fixture.value(2, key)
            #expect(fixture.initialise(2, value) == 0 && fixture.call(170, value, counting) == 0)
        }
        var model: [(deadline: UInt64, sequence: Int, key: UInt32)] = []
        var expected: [UInt32] = []
        var fired: [UInt32] = []
        var random = seed
        for sequence in 0..<20_000 {
            let draw = SplitMix64.next(&random)
            let key = UInt32(draw % 16)
            let now = fixture.instance.block.pointee.ktime_ns
            switch (draw >> 8) % 8 {
            case 0...4:
                let delay = 1000 + (draw >> 20) % 6 * 1000
                #expect(fixture.call(171, try fixture.value(2, key), delay) == 0)
                model.removeAll { $0.key == key }
                model.append((now + delay, sequence, key))
            case 5:
                let wasArmed = model.contains { $0.key == key }
                #expect(fixture.call(172, try fixture.value(2, key)) == (wasArmed ? 1 : 0))
                model.removeAll { $0.key == key }
            default:
                let later = now + (draw >> 20) % 3000
                fixture.instance.block.pointee.ktime_ns = later
                fixture.instance.fireTimers { _, arguments in
                    fired.append(UnsafeRawPointer(bitPattern: arguments.key)!.load(as: UInt32.self))
                }
                let due = model.filter { $0.deadline <= later }
                expected += due.sorted { ($0.deadline, $0.sequence) < ($1.deadline, $1.sequence) }.map(\.key)
                model.removeAll { $0.deadline <= later }
                #expect(fixture.instance.firstTimer == model.map(\.deadline).min())
            }
        }
        #expect(fired == expected && fired.count > 1000)
    }

    @Test("a callback may start, cancel and delete; its own cancel would wait for itself")
    func callbacks() throws {
        let fixture = try Fixture()
        try fixture.arm(0, 1, after: 1000)
        try fixture.arm(0, 2, after: 1000)
        let own = try fixture.value(0, 1), other = try fixture.value(0, 2)
        var seen: [Int64] = []
        fixture.instance.block.pointee.ktime_ns = 1_001_000
        fixture.instance.fireTimers { _, _ in
            seen = [
                fixture.call(172, own), fixture.call(172, other), fixture.call(171, own, 0),
                fixture.call(172, own),
            ]
        }
        #expect(seen == [-Int64(EDEADLK), 1, 0, -Int64(EDEADLK)])
        #expect(fixture.instance.firstTimer == 1_002_000, "started again for later")
        fixture.instance.block.pointee.ktime_ns = 1_002_000
        fixture.instance.fireTimers { _, _ in try? fixture.instance.maps[0].delete(ArrayKey.bytes(1)) }
        #expect(fixture.instance.timers.count == 1 && fixture.instance.firstTimer == nil)
    }

    @Test("timers are charged")
    func creation() throws {
        let fixture = try Fixture(maxEntries: 1000)
        let charge = fixture.instance.memoryCharge
        #expect(charge > 3 * 1000 * TimerTable.byteCountEach)
        #expect(
            errno { () throws(OpsError) in
                do { _ = try Fixture(maxEntries: 1000) { $0.memoryLimitBytes = 300_000 } } catch let error
                    as OpsError
                {
                    throw error
                } catch {}
            } == ENOMEM)
        let special = fixture.instance.maps[0].special
        #expect(special.timerOffset == 8 && special.ranges == [8..<24])
    }
}
