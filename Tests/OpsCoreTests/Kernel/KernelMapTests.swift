import BPF
import Glibc
import Testing
import Verifier

@testable import OpsCore

/// The same map here and in the running kernel: the same answers to the same questions.
@Suite("Maps against the kernel", .enabled(if: KernelMap.isAllowed, "bpf(2) is not permitted"))
struct KernelMapTests {
    static let types: [MapType] = [
        .hash, .percpuHash, .lruHash, .lruPercpuHash, .array, .percpuArray, .queue, .stack, .ringbuf,
    ]

    static func map(
        _ type: MapType, key: Int = 4, value: Int = 8, max: Int = 4, flags: UInt32 = 0
    ) -> MapDescription {
        let isKeyless = type == .queue || type == .stack || type == .ringbuf
        return MapDescription(
            name: "m", type: type, keySize: isKeyless ? 0 : key, valueSize: type == .ringbuf ? 0 : value,
            maxEntries: type == .ringbuf ? max * 1024 : max, flags: flags)
    }

    private func instance(_ description: MapDescription) throws -> Instance {
        var configuration = Instance.Configuration()
        configuration.cpus = KernelMap.cpus
        return try Instance(maps: [description], configuration: configuration)
    }

    @Test("creation answers the same errno", arguments: types)
    func creation(type: MapType) throws {
        let plain = Self.map(type)
        var samples: [MapDescription] = []
        for bit in 0..<13 where bit != 2 { samples.append(Self.map(type, flags: 1 << UInt32(bit))) }
        for flags in [0x18, 0x180, 0x3, 0x43] as [UInt32] { samples.append(Self.map(type, flags: flags)) }
        for key in [0, 1, 4, 8, 513] {
            var sample = plain
            sample.keySize = key
            samples.append(sample)
        }
        for value in [0, 1, 9, 32768, 32769, 32776] { samples.append(Self.map(type, value: value, max: 1)) }
        for max in [0, 5, 6, 8] { samples.append(Self.map(type, max: max)) }
        samples.append(Self.map(type, key: 1 << 21, value: 1 << 21, max: 1))
        if type != .array, type != .percpuArray { samples.append(Self.map(type, value: 4 << 20, max: 1)) }
        for sample in samples {
            let kernel = errno { () throws(OpsError) in _ = try KernelMap(sample) }
            let ours = errno { () throws(OpsError) in try sample.checkCreation(cpus: KernelMap.cpus) }
            #expect(
                ours == kernel,
                "key \(sample.keySize), value \(sample.valueSize), max \(sample.maxEntries), flags \(sample.flags)"
            )
        }
    }

    @Test("a sequence of operations answers the same values and errnos", arguments: types, 1...3)
    func operations(type: MapType, seed: Int) throws {
        let description = Self.map(type, value: 12)
        let kernel = try KernelMap(description)
        let instance = try instance(description)
        let ours = instance.maps[0]
        var random = UInt64(seed)
        // An LRU map of the kernel evicts before it is full, so it is never filled here.
        let isLRU = type == .lruHash || type == .lruPercpuHash
        let keyCount: UInt64 = isLRU ? 1 : 6

        for step in 0..<400 {
            let draw = SplitMix64.next(&random)
            let key = description.keySize == 0 ? [] : HashMapTests.bytes(draw % keyCount, 4)
            let value = (0..<ours.syscallValueSize).map { position -> UInt8 in
                // Padding is not compared: it is zero on both sides.
                let isPercpu = ours.syscallValueSize > description.valueSize
                return isPercpu && position % 16 >= 12
                    ? 0 : UInt8(truncatingIfNeeded: draw >> 8) &+ UInt8(position % 12)
            }
            func compare(_ a: (any RuntimeMapLike) throws(OpsError) -> [UInt8], _ what: String) {
                let (left, right) = (answer(ours, a), answer(kernel, a))
                #expect(left == right, "step \(step): \(what) \(key)")
            }
            switch (draw >> 40) % 8 {
            case 0...3:
                let flags = [0, 0, 0, 1, 2, 3, 4, 8][Int(draw >> 60) % 8] as UInt64
                compare(
                    { map throws(OpsError) in
                        try map.update(key, value, flags: flags); return []
                    }, "update \(flags)")
            case 4:
                compare(
                    { map throws(OpsError) in
                        try map.delete(key); return []
                    }, "delete")
            case 5: compare({ map throws(OpsError) in try map.lookupAndDelete(key) }, "lookup and delete")
            case 6: compare({ map throws(OpsError) in try map.lookup(key) }, "lookup")
            default: instance.quiesce()
            }
        }
    }

    private func answer(
        _ map: any RuntimeMapLike, _ ask: (any RuntimeMapLike) throws(OpsError) -> [UInt8]
    ) -> Result<[UInt8], Errno> {
        do throws(OpsError) { return .success(try ask(map)) } catch {
            return .failure(Errno(code: error.errno))
        }
    }

    private struct Errno: Error, Equatable { var code: CInt }
}

/// What both kinds of maps can do.
protocol RuntimeMapLike {
    func lookup(_ key: [UInt8]) throws(OpsError) -> [UInt8]
    func lookupAndDelete(_ key: [UInt8]) throws(OpsError) -> [UInt8]
    func update(_ key: [UInt8], _ value: [UInt8], flags: UInt64) throws(OpsError)
    func delete(_ key: [UInt8]) throws(OpsError)
}
extension KernelMap: RuntimeMapLike {}
extension RuntimeMap: RuntimeMapLike {
    func lookup(_ key: [UInt8]) throws(OpsError) -> [UInt8] { try lookup(key, flags: 0) }
}
