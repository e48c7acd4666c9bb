import BPF
import CShim
import Glibc
import Testing
import Verifier

@testable import OpsCore

@Suite("Hash map") struct HashMapTests {
    static func bytes(_ value: UInt64, _ count: Int = 8) -> [UInt8] {
        (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) : UInt8($0) }
    }

    @Test(
        "random operations agree with a dictionary",
        arguments: [(1, 1, 40), (4, 8, 16), (7, 13, 64), (8, 8, 300), (16, 3, 5), (33, 64, 100)],
        [UInt64(1), 2])
    func model(shape: (key: Int, value: Int, max: Int), seed: UInt64) throws {
        let description = TestMap.hash(keySize: shape.key, valueSize: shape.value, maxEntries: shape.max)
        var configuration = Instance.Configuration()
        configuration.seed = seed
        let instance = try Instance(maps: [description], configuration: configuration)
        let map = instance.maps[0]
        var model: [[UInt8]: [UInt8]] = [:]
        var random = seed

        for step in 0..<4000 {
            let draw = SplitMix64.next(&random)
            let key = Self.bytes(draw % UInt64(shape.max * 2), shape.key)
            let value = Self.bytes(draw >> 8, shape.value)
            switch (draw >> 40) % 8 {
            case 0...3:
                let flags = [UpdateFlag.any, UpdateFlag.any, UpdateFlag.noExist, UpdateFlag.exist][
                    Int(draw >> 60) % 4]
                let expected: CInt =
                    if model[key] != nil, flags == UpdateFlag.noExist {
                        EEXIST
                    } else if model[key] == nil, flags == UpdateFlag.exist {
                        ENOENT
                    } else if model[key] == nil, model.count == shape.max { E2BIG } else { 0 }
                #expect(errno { () throws(OpsError) in try map.update(key, value, flags: flags) } == expected)
                if expected == 0 { model[key] = value }
            case 4...5:
                #expect(
                    errno { () throws(OpsError) in try map.delete(key) } == (model[key] == nil ? ENOENT : 0))
                model[key] = nil
            case 6:
                #expect((try? map.lookup(key)) == model[key])
            default:
                instance.quiesce()
                #expect(instance.block.pointee.deferred == 0)
            }
            #expect(map.count == model.count)
            if step % 500 == 0 {
                let all = try map.elements()
                #expect(Dictionary(all.map { ($0.key, $0.value) }) { a, _ in a } == model)
                #expect(all.count == model.count)
            }
        }
    }

    @Test("a value keeps its address and bytes after its delete, until quiescence")
    func deletedValue() throws {
        let instance = try Instance(maps: [TestMap.hash(maxEntries: 2)])
        let map = instance.maps[0]
        let key = Self.bytes(1, 4)
        try map.update(key, Self.bytes(77))
        let value = try #require(key.withUnsafeBytes { map.lookupElement($0.baseAddress!, cpu: 0) })
        try map.delete(key)
        #expect(instance.block.pointee.deferred == 1)
        try map.update(Self.bytes(2, 4), Self.bytes(5))
        try map.update(Self.bytes(3, 4), Self.bytes(6))
        #expect(value.load(as: UInt64.self) == 77)
        instance.quiesce()
        try map.delete(Self.bytes(3, 4))
        instance.quiesce()
        try map.update(key, Self.bytes(88))
        #expect(instance.block.pointee.deferred == 0)
    }

    @Test("an update makes a new element and leaves the old one to its holder")
    func replacedValue() throws {
        let instance = try Instance(maps: [TestMap.hash(maxEntries: 1)])
        let map = instance.maps[0]
        let key = Self.bytes(1, 4)
        try map.update(key, Self.bytes(1))
        let value = try #require(key.withUnsafeBytes { map.lookupElement($0.baseAddress!, cpu: 0) })
        try map.update(key, Self.bytes(2))
        #expect(value.load(as: UInt64.self) == 1)
        #expect(try map.lookup(key) == Self.bytes(2))
        #expect(errno { () throws(OpsError) in try map.update(Self.bytes(2, 4), Self.bytes(2)) } == E2BIG)
    }

    @Test("one op may delete and insert far more than the map holds")
    func churn() throws {
        let instance = try Instance(maps: [TestMap.hash(maxEntries: 3)])
        let map = instance.maps[0]
        for round in UInt64(0)..<5000 {
            if round >= 3 { try map.delete(Self.bytes(round - 3, 4)) }
            try map.update(Self.bytes(round, 4), Self.bytes(round))
        }
        #expect(map.count == 3)
        #expect(try map.lookup(Self.bytes(4999, 4)) == Self.bytes(4999))
        instance.quiesce()
        #expect(instance.block.pointee.deferred == 0)
    }

    @Test("keys are walked in the order of insertion, and an unknown key starts afresh")
    func order() throws {
        let map = try Instance(maps: [TestMap.hash()]).maps[0]
        for key in [9, 2, 7] as [UInt64] { try map.update(Self.bytes(key, 4), Self.bytes(key)) }
        #expect(try map.elements().map(\.key) == [Self.bytes(9, 4), Self.bytes(2, 4), Self.bytes(7, 4)])
        #expect(try map.nextKey(after: Self.bytes(9, 4)) == Self.bytes(2, 4))
        #expect(try map.nextKey(after: Self.bytes(1, 4)) == Self.bytes(9, 4))
        #expect(errno { () throws(OpsError) in _ = try map.nextKey(after: Self.bytes(7, 4)) } == ENOENT)
    }

    @Test("a program may update a key from a value of the same map, and from a cell that is reused")
    func aliasing() throws {
        let instance = try Instance(maps: [TestMap.hash(keySize: 8, valueSize: 8, maxEntries: 1)])
        let map = instance.maps[0]
        try map.update(Self.bytes(5), Self.bytes(5))
        for _ in 0..<40 {
            let key = Self.bytes(5)
            let value = try #require(key.withUnsafeBytes { map.lookupElement($0.baseAddress!, cpu: 0) })
            #expect(map.updateElement(value, value: value, flags: 0, cpu: 0) == 0)
        }
        #expect(try map.elements().map(\.value) == [Self.bytes(5)])
    }
}

/// The errno that `body` throws; 0: none.
func errno(_ body: () throws(OpsError) -> Void) -> CInt {
    do {
        try body()
        return 0
    } catch {
        return error.errno
    }
}
