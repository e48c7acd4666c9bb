import BPF
import CShim
import Glibc
import JIT
import Testing
import Verifier

@testable import OpsCore

/// Calls helpers as compiled code does.
private struct Caller {
    let instance: Instance

    init(
        _ maps: [MapDescription] = [], contents: [Int: [UInt8]] = [:], arena: Arena? = nil,
        fuel: UInt64 = 1 << 23
    )
        throws
    {
        var configuration = Instance.Configuration()
        configuration.fuelPerCall = fuel
        configuration.cpus = 2
        instance = try Instance(maps: maps, contents: contents, arena: arena, configuration: configuration)
    }

    var block: UnsafeMutablePointer<ops_block> { instance.block }

    func handle(_ map: Int) -> UInt64 {
        UnsafeRawPointer(block).load(fromByteOffset: instance.layout.slots[map].handleOffset, as: UInt64.self)
    }
    /// Address in the first value of an array.
    func data(_ map: Int, _ offset: Int = 0) -> UInt64 {
        UInt64(UInt(bitPattern: block)) + UInt64((instance.layout.slots[map].dataOffset ?? 0) + offset)
    }
    func call(
        _ id: Int32, _ r1: UInt64 = 0, _ r2: UInt64 = 0, _ r3: UInt64 = 0, _ r4: UInt64 = 0, _ r5: UInt64 = 0
    )
        -> UInt64
    {
        ops_call_helper(UInt64(HelperTable.base[id]?.address ?? 0), r1, r2, r3, r4, r5, block)
    }
    func kfunc(_ name: String, _ r1: UInt64 = 0, _ r2: UInt64 = 0, _ r3: UInt64 = 0) -> UInt64 {
        ops_call_helper(UInt64(HelperTable.base.kfunc(named: name)?.address ?? 0), r1, r2, r3, 0, 0, block)
    }
}

/// A global data map that holds `bytes`, for arguments that helpers read.
private func text(_ string: String, room: Int = 256) -> (MapDescription, [UInt8]) {
    (TestMap.array(".rodata", valueSize: room, maxEntries: 1), Array(string.utf8))
}

@Suite("Helpers") struct HelperTests {
    static let efault = HelperAnswer.error(EFAULT)
    static let einval = HelperAnswer.error(EINVAL)

    @Test("clocks, CPU and randomness come from the block")
    func clocks() throws {
        let caller = try Caller()
        caller.block.pointee.ktime_ns = 5
        caller.block.pointee.ktime_coarse_ns = 4
        caller.block.pointee.jiffies64 = 3
        caller.block.pointee.cpu = 1
        #expect(caller.call(5) == 5 && caller.call(125) == 5 && caller.call(160) == 4)
        #expect(caller.call(118) == 3 && caller.call(8) == 1)
        let draws = (0..<4).map { _ in caller.call(7) }
        #expect(draws.allSatisfy { $0 <= 0xffff_ffff })
        var state: UInt64 = 1
        #expect(draws == (0..<4).map { _ in SplitMix64.next(&state) >> 32 })
    }

    @Test("map helpers answer with addresses and negative errnos")
    func maps() throws {
        var readOnly = TestMap.hash("ro", keySize: 8)
        readOnly.isReadOnly = true
        let caller = try Caller([
            TestMap.hash(keySize: 8, maxEntries: 1), TestMap.array(), readOnly, TestMap.percpu(),
        ])
        let key = caller.data(1), value = caller.data(1, 8), hash = caller.handle(0)
        #expect(caller.call(1, hash, key) == 0)
        #expect(caller.call(2, hash, key, value, 2) == HelperAnswer.error(ENOENT))
        #expect(caller.call(2, hash, key, value, 0) == 0)
        #expect(caller.call(2, hash, key, value, 1) == HelperAnswer.error(EEXIST))
        #expect(caller.call(2, hash, key, value, 4) == Self.einval)
        #expect(caller.call(1, hash, key) != 0)
        #expect(caller.call(3, hash, key) == 0)
        #expect(caller.call(3, hash, key) == HelperAnswer.error(ENOENT))
        #expect(caller.call(2, caller.handle(2), key, value, 0) == HelperAnswer.error(EACCES))
        #expect(caller.call(3, caller.handle(2), key) == HelperAnswer.error(EACCES))
        #expect(caller.call(1, 0, key) == 0 && caller.call(1, hash, 0) == 0)
        #expect(caller.call(2, hash, 0, value) == Self.einval && caller.call(3, 0, key) == Self.einval)

        let zero = caller.data(1)
        let first = caller.call(195, caller.handle(3), zero, 0)
        let second = caller.call(195, caller.handle(3), zero, 1)
        #expect(first != 0 && second != 0 && first != second)
        #expect(caller.call(195, caller.handle(3), zero, 2) == 0)
        caller.block.pointee.cpu = 1
        #expect(caller.call(1, caller.handle(3), zero) == second)
        caller.block.pointee.cpu = 77
        #expect(caller.call(1, caller.handle(3), zero) == first, "a CPU that the world does not have")
    }

    @Test("for_each and loop call their callback until it stops or fuel is out")
    func loops() throws {
        let caller = try Caller([TestMap.array(maxEntries: 5), TestMap.storage()])
        let context = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        defer { context.deallocate() }
        // Adds the key to the context; stops at key 3.
        let perElement = ops_helper_address { _, key, _, context, _, _ in
            guard let key = UnsafeRawPointer(bitPattern: UInt(key)),
                let sum = UnsafeMutablePointer<UInt64>(bitPattern: UInt(context))
            else { return 1 }
            sum.pointee += UInt64(key.load(as: UInt32.self))
            return key.load(as: UInt32.self) == 3 ? 1 : 0
        }
        context.pointee = 0
        let address = UInt64(UInt(bitPattern: context))
        #expect(caller.call(164, caller.handle(0), perElement, address) == 4)
        #expect(context.pointee == 6)
        #expect(caller.call(164, caller.handle(0), perElement, address, 1) == Self.einval)
        #expect(caller.call(164, caller.handle(1), perElement, address) == Self.einval)
        caller.block.pointee.fuel = 2
        #expect(caller.call(164, caller.handle(0), perElement, address) == 2)
        #expect(caller.block.pointee.fuel == 0)

        let perTurn = ops_helper_address { turn, _, _, _, _, _ in turn == 9 ? 1 : 0 }
        caller.block.pointee.fuel = 100
        #expect(caller.call(181, 5, perTurn) == 5)
        #expect(caller.call(181, 50, perTurn) == 10)
        #expect(caller.block.pointee.fuel == 85)
        #expect(caller.call(181, (8 << 20) + 1, perTurn) == HelperAnswer.error(E2BIG))
        #expect(caller.call(181, 1, perTurn, 0, 1) == Self.einval)
    }

    @Test("the number iterator refuses bad ranges and ends when fuel is out")
    func iterator() throws {
        let caller = try Caller([TestMap.array()])
        let iterator = caller.data(0)
        func next() -> Int32? {
            let address = caller.kfunc("bpf_iter_num_next", iterator)
            return UnsafeRawPointer(bitPattern: UInt(address))?.load(as: Int32.self)
        }
        let minusTwo = UInt64(bitPattern: -2)
        #expect(caller.kfunc("bpf_iter_num_new", iterator, minusTwo, 1) == 0)
        #expect(next() == -2 && next() == -1 && next() == 0 && next() == nil && next() == nil)
        #expect(caller.kfunc("bpf_iter_num_new", iterator, 2, 1) == Self.einval)
        #expect(next() == nil)
        #expect(caller.kfunc("bpf_iter_num_new", iterator, 0, (8 << 20) + 1) == HelperAnswer.error(E2BIG))
        #expect(caller.kfunc("bpf_iter_num_new", iterator, 1 << 31, 0x7fff_ffff) == HelperAnswer.error(E2BIG))
        #expect(caller.kfunc("bpf_iter_num_new", iterator, 1 << 31, (1 << 31) + 1) == 0)
        #expect(next() == Int32.min && next() == nil)
        _ = caller.kfunc("bpf_iter_num_new", iterator, 0, 10)
        caller.block.pointee.fuel = 1
        #expect(next() == 0 && next() == nil)
    }

    @Test("probe_read_kernel reads the world and nothing else of the process")
    func probeRead() throws {
        let arena = try Arena(byteCount: 1 << 16)
        let object = try arena.allocate(try arena.makePool("object", byteCount: 16))
        object.storeBytes(of: 0x0807_0605_0403_0201, as: UInt64.self)
        let caller = try Caller([TestMap.array(), TestMap.hash()], arena: arena)
        let target = caller.data(0), source = UInt64(UInt(bitPattern: object))
        func read() -> UInt64 { UnsafeRawPointer(bitPattern: UInt(target))?.load(as: UInt64.self) ?? 0 }
        #expect(caller.call(113, target, 8, source) == 0 && read() == 0x0807_0605_0403_0201)
        for bad in [
            0, 1, UInt64.max, UInt64(UInt(bitPattern: caller.block)), UInt64(arena.base) + (1 << 16) - 4,
        ] {
            _ = caller.call(113, target, 8, source)
            #expect(caller.call(113, target, 8, bad) == Self.efault, "0x\(String(bad, radix: 16))")
            #expect(read() == 0)
        }
        #expect(caller.call(113, target, 8, caller.data(0, 8)) == 0, "its own data")
        #expect(caller.call(113, target, 0, 1) == 0)
    }

    @Test("strings are read up to their NUL, in the program's own memory")
    func strings() throws {
        let (map, bytes) = text("cubic\0cubit\0")
        let caller = try Caller([map, TestMap.array(valueSize: 16)], contents: [0: bytes])
        #expect(caller.call(182, caller.data(0), 6, caller.data(0, 6)) == UInt64.max)
        #expect(caller.call(182, caller.data(0, 6), 6, caller.data(0)) == 1)
        #expect(caller.call(182, caller.data(0), 4, caller.data(0, 6)) == 0)
        #expect(caller.call(182, caller.data(0), 200, caller.data(0)) == 0)
        #expect(caller.call(115, caller.data(1), 16, caller.data(0)) == 6)
        #expect(caller.call(115, caller.data(1), 3, caller.data(0)) == 3)
        #expect(caller.call(115, caller.data(1), 3, 12345) == Self.efault)
    }

    @Test("trace_printk writes lines with the world's time, and drops the oldest")
    func trace() throws {
        let (map, bytes) = text("cwnd %u of %s\n\0%d\0reno\0")
        let caller = try Caller([map], contents: [0: bytes])
        caller.block.pointee.ktime_ns = 99
        #expect(caller.call(6, caller.data(0), 15, 10, caller.data(0, 18)) == 16)
        #expect(
            caller.instance.trace.snapshot == [
                TraceRing.Line(ktimeNanoseconds: 99, cpu: 0, text: "cwnd 10 of reno")
            ])
        #expect(caller.call(6, caller.data(0), 14) == Self.einval, "no NUL at the end")
        #expect(caller.call(6, caller.data(0), 0) == Self.einval)
        #expect(caller.call(6, caller.data(0), 1 << 20) == Self.einval)
        for number in UInt64(0)..<2000 { _ = caller.call(6, caller.data(0, 15), 3, number) }
        #expect(caller.instance.trace.count == 1024)
        #expect(caller.instance.trace.dropped == 2001 - 1024)
        #expect(caller.instance.trace.snapshot.last?.text == "1999")
        #expect(caller.instance.trace.snapshot.first?.text == "976")
        #expect(caller.instance.trace.takeAll().count == 1024 && caller.instance.trace.count == 0)
    }

    @Test("snprintf and trace_vprintk take their arguments from an array")
    func vectors() throws {
        let (map, bytes) = text("%d-%d\0")
        let caller = try Caller(
            [map, TestMap.array(valueSize: 64)], contents: [0: bytes, 1: [7, 0, 0, 0, 0, 0, 0, 0, 8]])
        let arguments = caller.data(1), target = caller.data(1, 32)
        func result() -> [UInt8] {
            (0..<5).map {
                UnsafeRawPointer(bitPattern: UInt(target))?.load(fromByteOffset: $0, as: UInt8.self) ?? 0
            }
        }
        #expect(caller.call(165, target, 32, caller.data(0), arguments, 16) == 4)
        #expect(result() == Array("7-8\0\0".utf8))
        #expect(caller.call(165, target, 3, caller.data(0), arguments, 16) == 4, "the length it would have")
        #expect(result() == Array("7-\0\0\0".utf8))
        #expect(caller.call(165, 0, 0, caller.data(0), arguments, 16) == 4)
        #expect(caller.call(165, target, 32, caller.data(0), arguments, 15) == Self.einval)
        #expect(caller.call(165, target, 32, caller.data(0), arguments, 104) == Self.einval)
        #expect(
            caller.call(165, target, 32, caller.data(0), arguments, 8) == Self.einval, "one argument short")
        #expect(caller.call(165, target, 32, 4711, arguments, 16) == Self.einval)
        #expect(caller.call(177, caller.data(0), 6, arguments, 16) == 3)
        #expect(caller.instance.trace.snapshot.map(\.text) == ["7-8"])
    }

    @Test("a subsystem's helpers and kfuncs are added to a copy of the table")
    func registration() throws {
        var table = HelperTable.base
        table.register(116, "tcp_send_ack") { tp, rcvNxt, _, _, _, block in
            guard let block, let instance = Instance.of(block) else { return HelperAnswer.error(EINVAL) }
            return instance.effects.append(Effect(kind: 1, object: UInt(tp), a: rcvNxt))
                ? 0 : HelperAnswer.error(EBUSY)
        }
        table.registerKfunc("tcp_slow_start") { _, acked, _, _, _, _ in acked }
        #expect(HelperTable.base[116] == nil && table[116]?.name == "tcp_send_ack")
        #expect(table.kfunc(named: "tcp_slow_start") != nil)
        #expect(table.addresses[116] == table[116]?.address)
        let caller = try Caller()
        let address = UInt64(try #require(table[116]).address)
        for _ in 0..<EffectQueue.countMax {
            #expect(ops_call_helper(address, 64, 7, 0, 0, 0, caller.block) == 0)
        }
        #expect(ops_call_helper(address, 64, 7, 0, 0, 0, caller.block) == HelperAnswer.error(EBUSY))
        let effects = caller.instance.effects.takeAll()
        #expect(effects.count == EffectQueue.countMax && effects[0] == Effect(kind: 1, object: 64, a: 7))
        #expect(caller.instance.effects.isEmpty)
    }

    @Test("run_repeated keeps the first result and runs n times")
    func repeated() {
        var counter: UInt64 = 10
        let entry: @convention(c) (UInt64, UInt64) -> UInt64 = { address, step in
            guard let counter = UnsafeMutablePointer<UInt64>(bitPattern: UInt(address)) else { return 0 }
            counter.pointee += step
            return counter.pointee
        }
        var first: UInt64 = 0
        var time: UInt64 = 0
        withUnsafeMutablePointer(to: &counter) { counter in
            let address = UInt64(UInt(bitPattern: counter))
            let last = ops_run_repeated(
                unsafeBitCast(entry, to: UnsafeRawPointer.self), address, 2, 5, &first, &time)
            #expect(last == 20 && first == 12)
            #expect(ops_run_repeated(nil, 0, 0, 0, &first, &time) == 0 && first == 0)
        }
    }
}
