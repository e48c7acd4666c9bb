/// Where compiled code finds an object's maps, relative to the instance block.
///
/// ```
/// block ─▶ ┌──────────────────────────────┐ 0
///          │ struct ops_block (CShim.h)   │
///          ├──────────────────────────────┤ MemoryLayout<ops_block>.size
///          │ handle of map 0, 1, 2 … (8 B)│ handleOffset
///          ├──────────────────────────────┤
///          │ bases of per-CPU arrays (8 B)│ percpuBaseOffset
///          ├──────────────────────────────┤
///          │ inline data: globals, arrays │ dataOffset, 16-byte aligned
///          └──────────────────────────────┘ byteCount
/// ```
/// The same layout, and so the same code, serves every instance of an object.
package struct InstanceLayout: Equatable, Sendable {
    package struct MapSlot: Equatable, Sendable {
        /// Offset of the 8-byte handle that helpers take for this map.
        package var handleOffset: Int
        /// Offset of the first value of a map whose data lies in the block (arrays, global data); nil otherwise.
        package var dataOffset: Int?
        /// Offset of 8 bytes, the address of CPU 0's first value, of a per-CPU array; nil: it is none. Those of CPU n lie
        /// n × maxEntries × elementStride behind.
        package var percpuBaseOffset: Int?
        /// Bytes from one array element to the next.
        package var elementStride: Int
        package var maxEntries: Int

        package init(
            handleOffset: Int, dataOffset: Int?, percpuBaseOffset: Int? = nil, elementStride: Int,
            maxEntries: Int
        ) {
            self.handleOffset = handleOffset
            self.dataOffset = dataOffset
            self.percpuBaseOffset = percpuBaseOffset
            self.elementStride = elementStride
            self.maxEntries = maxEntries
        }
    }
    /// By the object's map index. (A program's own map table may be a subset: see `CompileRequest.maps`.)
    package var slots: [MapSlot]
    package var byteCount: Int

    package init(slots: [MapSlot], byteCount: Int) {
        self.slots = slots
        self.byteCount = byteCount
    }
}
