/// Sizes and offsets of a `CellTable`'s parts.
struct CellTableShape {
    static let headerByteCount = 64
    static let cellHeadByteCount = 8
    /// Most bytes of a key, and of a value.
    static let sizeMax = 4 << 20

    let cellCount: Int
    let bucketCount: Int
    let valueOffset: Int
    let cellStride: Int
    let bitmapOffset: Int
    let cellsOffset: Int
    let byteCount: Int

    /// nil for sizes that no map has.
    init?(keySize: Int, valueSize: Int, capacity: Int) {
        guard
            (1...Self.sizeMax).contains(keySize), (1...Self.sizeMax).contains(valueSize),
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
        cellsOffset = bitmapOffset + 8 * ((cellCount + 63) / 64)
        byteCount = cellsOffset + cellStride * cellCount  // below 2^24 * 2^32
    }
}
