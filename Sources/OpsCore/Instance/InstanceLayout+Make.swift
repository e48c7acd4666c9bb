import BPF
import CShim
import Glibc
package import JIT
package import Verifier

extension InstanceLayout {
    /// Most bytes of one instance block; compiled code reaches its data by 32-bit displacements.
    package static let byteCountMax = 1 << 30

    /// Bytes of the fixed head of a block.
    static var headByteCount: Int { unsafe MemoryLayout<ops_block>.size }

    /// Places an object's maps. Arrays and global data lie in the block; the others are reached through handles.
    ///
    /// - Parameter cpus: CPUs of the world, 1 or more. A layout does not depend on it, since per-CPU data lies outside
    ///   the block; what map creation answers does.
    /// - Throws: what map creation in the kernel answers for a bad description (`MapDescription.checkCreation`);
    ///   ENOMEM if the arrays do not fit in `byteCountMax` together.
    package static func make(
        for maps: [MapDescription], cpus: Int = 1
    ) throws(OpsError) -> InstanceLayout {
        var end = headByteCount
        let handles = end
        guard maps.count <= byteCountMax / 16 - end else { throw tooLarge(name: "\(maps.count) maps") }
        end += 8 * maps.count
        var percpuBases = end
        end += 8 * maps.count(where: { $0.type == .percpuArray })

        var slots: [MapSlot] = []
        slots.reserveCapacity(maps.count)
        for (index, map) in maps.enumerated() {
            try map.checkCreation(cpus: cpus)
            var slot = MapSlot(
                handleOffset: handles + 8 * index, dataOffset: nil, elementStride: 0,
                maxEntries: map.maxEntries)
            if map.isInline {
                slot.elementStride = map.valueStride
                slot.dataOffset = aligned(end, to: 16)
                end = try endOfData(of: map, from: aligned(end, to: 16))
            }
            if map.type == .percpuArray {
                slot.elementStride = map.valueStride
                slot.percpuBaseOffset = percpuBases
                percpuBases += 8
            }
            slots.append(slot)
        }
        return InstanceLayout(slots: slots, byteCount: aligned(end, to: 16))
    }

    private static func endOfData(of map: MapDescription, from start: Int) throws(OpsError) -> Int {
        let (data, overflow) = map.valueStride.multipliedReportingOverflow(by: map.maxEntries)
        guard !overflow, data <= byteCountMax - start - 16 else { throw tooLarge(name: map.name) }
        return start + data
    }

    private static func tooLarge(name: String) -> OpsError {
        OpsError(
            "memory", errno: ENOMEM, "map '\(name)': too large for an instance block",
            at: OpsError.Location(map: name),
            reason: "arrays and global data of one object share \(byteCountMax) bytes")
    }

    /// Rounds up; callers have bounded `value` by `byteCountMax`.
    private static func aligned(_ value: Int, to alignment: Int) -> Int {
        (value + alignment - 1) / alignment * alignment
    }
}

extension MapDescription {
    /// Whether its values lie in the instance block, where compiled code finds them without a call.
    package var isInline: Bool { type == .array }

    /// Bytes from one value to the next. Kernel: `round_up(value_size, 8)`. Only after `checkCreation`.
    package var valueStride: Int { (valueSize + 7) & ~7 }
}
