import BPF
import CShim
import Glibc
import Testing
import Verifier

@testable import OpsCore

@Suite("Queues and stacks") struct QueueStackTests {
    private func map(_ type: MapType, max: Int = 3) throws -> Instance {
        try Instance(maps: [
            MapDescription(name: "q", type: type, keySize: 0, valueSize: 8, maxEntries: max)
        ])
    }

    @Test(
        "random pushes, pops and peeks agree with an array", arguments: [MapType.queue, .stack],
        [UInt64(1), 2])
    func model(type: MapType, seed: UInt64) throws {
        let instance = try map(type, max: 7)
        let map = instance.maps[0]
        let handle = UInt64(UInt(bitPattern: Unmanaged.passUnretained(map).toOpaque()))
        let value = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        defer { value.deallocate() }
        func call(_ helper: Int32, _ flags: UInt64 = 0) throws -> Int64 {
            let address = UInt64(try #require(HelperTable.base[helper]).address)
            let target = UInt64(UInt(bitPattern: value))
            return Int64(bitPattern: ops_call_helper(address, handle, target, flags, 0, 0, instance.block))
        }
        var model: [UInt64] = []
        var random = seed
        for _ in 0..<3000 {
            let draw = SplitMix64.next(&random)
            let next = type == .stack ? model.last : model.first
            switch draw % 6 {
            case 0...2:
                let flags = [0, 0, 2, 1, 3, 4][Int(draw >> 32) % 6] as UInt64
                value.pointee = draw
                let expected =
                    flags != 0 && flags != 2 ? EINVAL : model.count == 7 && flags == 0 ? E2BIG : 0
                #expect(try call(87, flags) == -Int64(expected))
                guard expected == 0 else { continue }
                if model.count == 7 { model.removeFirst() }
                model.append(draw)
            case 3:
                value.pointee = 99
                #expect(try call(89) == (next == nil ? -Int64(ENOENT) : 0))
                #expect(value.pointee == next ?? 0)
            default:
                #expect(try call(88) == (next == nil ? -Int64(ENOENT) : 0))
                #expect(value.pointee == next ?? 0)
                if type == .stack { _ = model.popLast() } else if !model.isEmpty { model.removeFirst() }
            }
            #expect(map.count == model.count)
            let listed = try map.elements().map { $0.value.number(at: 0, byteCount: 8) }
            #expect(listed == (type == .stack ? model.reversed() : model))
        }
    }

    @Test("other maps cannot be pushed to, and queues have no elements with keys")
    func wrongMaps() throws {
        let instance = try Instance(maps: [
            TestMap.hash(), MapDescription(name: "q", type: .queue, keySize: 0, valueSize: 8, maxEntries: 1),
        ])
        var bytes: UInt64 = 0
        withUnsafeMutableBytes(of: &bytes) { bytes in
            #expect(instance.maps[0].push(bytes.baseAddress!, flags: 0) == EINVAL)
            #expect(instance.maps[0].pop(into: bytes.baseAddress!, removes: true) == EINVAL)
            #expect(instance.maps[1].lookupElement(bytes.baseAddress!, cpu: 0) == nil)
            #expect(instance.maps[1].deleteElement(bytes.baseAddress!) == EINVAL)
            #expect(instance.maps[1].forEachElement(cpu: 0) { _, _ in true } == nil)
        }
        #expect(errno { () throws(OpsError) in _ = try instance.maps[1].nextKey(after: nil) } == EINVAL)
    }
}
