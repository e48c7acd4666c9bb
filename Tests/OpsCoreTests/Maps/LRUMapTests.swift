import BPF
import CShim
import Glibc
import Testing
import Verifier

@testable import OpsCore

@Suite("LRU and per-CPU hash maps") struct LRUMapTests {
    static func key(_ number: UInt64) -> [UInt8] { HashMapTests.bytes(number, 4) }

    private func map(_ type: MapType, max: Int, cpus: Int = 1) throws -> (Instance, RuntimeMap) {
        var configuration = Instance.Configuration()
        configuration.cpus = cpus
        let description = MapDescription(
            name: "lru", type: type, keySize: 4, valueSize: 8, maxEntries: max)
        let instance = try Instance(maps: [description], configuration: configuration)
        return (instance, instance.maps[0])
    }

    private func use(_ map: RuntimeMap, _ number: UInt64) -> UnsafeMutableRawPointer? {
        Self.key(number).withUnsafeBytes { $0.baseAddress.flatMap { map.lookupElement($0, cpu: 0) } }
    }

    @Test("exactly the element used longest ago makes room", arguments: [MapType.lruHash, .lruPercpuHash])
    func order(type: MapType) throws {
        let (_, map) = try map(type, max: 3)
        func present() throws -> [UInt64] {
            try map.elements().map { $0.key.number(at: 0, byteCount: 4) }.sorted()
        }
        for number in [1, 2, 3] as [UInt64] { try map.update(Self.key(number), HashMapTests.bytes(number)) }
        _ = use(map, 1)
        _ = try map.lookup(Self.key(2))  // user space only looks: no use
        try map.update(Self.key(4), HashMapTests.bytes(4))
        #expect(try present() == [1, 3, 4])
        try map.update(Self.key(3), HashMapTests.bytes(9), flags: UpdateFlag.exist)
        try map.update(Self.key(5), HashMapTests.bytes(5))
        #expect(try present() == [3, 4, 5])
        #expect(
            errno { () throws(OpsError) in try map.update(Self.key(3), HashMapTests.bytes(0), flags: 1) }
                == EEXIST)
        #expect(
            errno { () throws(OpsError) in try map.update(Self.key(7), HashMapTests.bytes(0), flags: 2) }
                == ENOENT)
        #expect(try present() == [3, 4, 5], "a refused update evicts nothing")
        try map.delete(Self.key(4))
        try map.update(Self.key(6), HashMapTests.bytes(6))
        #expect(try present() == [3, 5, 6])
        #expect(map.count == 3)
    }

    @Test("random use agrees with a list", arguments: [UInt64(1), 2, 3])
    func model(seed: UInt64) throws {
        let (instance, map) = try map(.lruHash, max: 20)
        var model: [UInt64] = []  // used longest ago first
        var random = seed
        for _ in 0..<5000 {
            let draw = SplitMix64.next(&random)
            let number = draw % 40
            switch (draw >> 32) % 8 {
            case 0...2:
                #expect((use(map, number) != nil) == model.contains(number))
                guard model.contains(number) else { continue }
                model.removeAll { $0 == number }
                model.append(number)
            case 3...5:
                try map.update(Self.key(number), HashMapTests.bytes(draw))
                if !model.contains(number), model.count == 20 { model.removeFirst() }
                model.removeAll { $0 == number }
                model.append(number)
            case 6:
                #expect(
                    errno { () throws(OpsError) in try map.delete(Self.key(number)) }
                        == (model.contains(number) ? 0 : ENOENT))
                model.removeAll { $0 == number }
            default: instance.quiesce()
            }
        }
        #expect(try map.elements().map { $0.key.number(at: 0, byteCount: 4) }.sorted() == model.sorted())
        #expect(model.count > 10)
    }

    @Test("an evicted value keeps its bytes until quiescence")
    func evictedValue() throws {
        let (instance, map) = try map(.lruHash, max: 1)
        try map.update(Self.key(1), HashMapTests.bytes(77))
        let value = try #require(use(map, 1))
        for number in UInt64(2)..<10 { try map.update(Self.key(number), HashMapTests.bytes(number)) }
        #expect(value.load(as: UInt64.self) == 77)
        #expect(instance.block.pointee.deferred == 8)
        instance.quiesce()
        #expect(instance.block.pointee.deferred == 0)
    }

    @Test("a CPU sees its own value; a new element is zero on the others")
    func percpu() throws {
        let (_, map) = try map(.percpuHash, max: 2, cpus: 3)
        let key = Self.key(9), value = HashMapTests.bytes(5)
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                #expect(map.updateElement(key.baseAddress!, value: value.baseAddress!, flags: 0, cpu: 1) == 0)
                let mine = map.lookupElement(key.baseAddress!, cpu: 1)
                #expect(map.lookupElement(key.baseAddress!, cpu: 2) == mine.map { $0 + 8 })
                #expect(map.updateElement(key.baseAddress!, value: value.baseAddress!, flags: 0, cpu: 2) == 0)
                #expect(map.lookupElement(key.baseAddress!, cpu: 1) == mine, "updated in place")
                #expect(
                    map.updateElement(key.baseAddress!, value: value.baseAddress!, flags: 4, cpu: 2) == EINVAL
                )
                #expect(map.lookupElement(key.baseAddress!, cpu: 77) == mine.map { $0 - 8 }, "no such CPU")
            }
        }
        #expect(try map.lookup(key) == HashMapTests.bytes(0) + value + value)
        try map.update(key, [UInt8](repeating: 3, count: 24))
        #expect(try map.elements().map(\.value) == [[UInt8](repeating: 3, count: 24)])
    }

    @Test("a table that takes more than the instance may have is refused")
    func memory() throws {
        var configuration = Instance.Configuration()
        configuration.cpus = 64
        configuration.memoryLimitBytes = 1 << 20
        for type in [MapType.lruPercpuHash, .percpuHash, .queue] {
            let description = MapDescription(
                name: "big", type: type, keySize: type == .queue ? 0 : 4, valueSize: 4096, maxEntries: 300)
            #expect(
                errno { () throws(OpsError) in
                    _ = try Instance(maps: [description], configuration: configuration)
                }
                    == ENOMEM)
        }
    }
}
