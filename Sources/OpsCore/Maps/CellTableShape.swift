/// Sizes and offsets of a `CellTable`'s parts.
struct CellTableShape {
    static let headerByteCount = 64
    static let cellHeadByteCount = 8
    /// Most bytes of a key.
    static let keySizeMax = 4 << 20
    /// Most bytes of a value: 32 KiB on each of 4096 CPUs.
    static let valueSizeMax = 128 << 20

    let cellCount: Int
    let bucketCount: Int
    let valueOffset: Int
    let cellStride: Int
    let bitmapOffset: Int
    let recencyOffset: Int
    let cellsOffset: Int
    let byteCount: Int

    /// nil for sizes that no map has.
    init?(keySize: Int, valueSize: Int, capacity: Int, evicts: Bool) {
        guard
            (1...Self.keySizeMax).contains(keySize), (1...Self.valueSizeMax).contains(valueSize),
            capacity > 0, capacity < 1 << 31
        else { return nil }
        valueOffset = Self.cellHeadByteCount + (keySize + 7) & ~7
        cellStride = valueOffset + (valueSize + 7) & ~7
        // Room for one op to delete or replace without reuse: generous for small maps, little for large ones.
        cellCount = capacity + min(max(capacity / 4, 16), 1024)
        var buckets = 8
        while buckets < capacity, buckets < 1 << 24 { buckets *= 2 }
        bucketCount = buckets
        bitmapOffset = Self.headerByteCount + 4 * buckets
        recencyOffset = bitmapOffset + 8 * ((cellCount + 63) / 64)
        cellsOffset = recencyOffset + (evicts ? RecencyList.byteCount(cellCount: cellCount) : 0)
        byteCount = cellsOffset + cellStride * cellCount  // below 2^28 * 2^32
    }
}
