import BPF
import CShim
import Glibc
import JIT
import Testing
import Verifier

@testable import OpsCore

@Suite("Instance") struct InstanceTests {
    @Test("the block carries fuel, seed, arena and a way back to the instance")
    func blockIsFilled() throws {
        let arena = try Arena(byteCount: 1 << 20)
        var configuration = Instance.Configuration()
        configuration.seed = 7
        configuration.fuelPerCall = 99
        let instance = try Instance(maps: [], arena: arena, configuration: configuration)
        #expect(instance.block.pointee.fuel == 99)
        #expect(instance.block.pointee.fuel_per_call == 99)
        #expect(instance.block.pointee.prandom_state == 7)
        #expect(instance.block.pointee.arena_base == UInt64(arena.base))
        #expect(instance.block.pointee.arena_size == UInt64(arena.byteCount))
        #expect(Instance.of(instance.block) === instance)
    }

    @Test("arrays and global data lie in the block, in slots of the object's map order")
    func layoutIsInline() throws {
        let maps = [
            TestMap.array(valueSize: 12, maxEntries: 3), TestMap.hash(),
            TestMap.array(valueSize: 1, maxEntries: 1),
        ]
        let layout = try InstanceLayout.make(for: maps)
        let head = MemoryLayout<ops_block>.size
        #expect(layout.slots.map(\.handleOffset) == [head, head + 8, head + 16])
        #expect(layout.slots[0].elementStride == 16)
        #expect(layout.slots[0].dataOffset?.isMultiple(of: 16) == true)
        #expect(layout.slots[1].dataOffset == nil)
        let second = try #require(layout.slots[2].dataOffset)
        #expect(second >= (layout.slots[0].dataOffset ?? 0) + 48)
        #expect(layout.byteCount >= second + 8)
    }
}
