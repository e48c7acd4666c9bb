import Glibc

/// A hash table of fixed-size cells at fixed addresses: what hash maps and socket storage are made of.
///
/// ```
/// region ─▶ ┌──────────────┐
///           │ Header       │ counts and list heads
///           ├──────────────┤ 64
///           │ buckets      │ UInt32: first cell of the chain + 1, 0 for none; a power of two of them
///           ├──────────────┤
///           │ bitmap       │ one bit per cell: it is live
///           ├──────────────┤
///           │ recency      │ `RecencyList`, in tables that evict
///           ├──────────────┤
///           │ cell 0, 1, … │ 8-byte head {next, hash}, key padded to 8, value padded to 8
///           └──────────────┘
/// ```
/// A cell is *free* (never used, or on the free list), *live* (in a chain) or *deferred*: deleted or replaced, its
/// bytes untouched until `quiesce`, since a running program may hold its address. There are more cells than elements
/// allowed; should an op defer more than that, the cell deferred longest is reused at once, which is what the kernel
/// does with every preallocated element.
///
/// Walks go by cell number: order of insertion, as long as nothing is deleted. No order depends on the hash.
///
/// A table that *evicts* is never full: the element used longest ago makes room, exactly, by `RecencyList`.
///
/// Invariant: every list link is 0 or a cell number + 1 that is at most `cellCount`; only this type writes them, and
/// programs can reach none of them, only values. If broken: writes outside the region.
@safe struct CellTable: ~Copyable {
    private struct Header {
        var live: UInt32 = 0
        /// Cells ever used: those from here on are free without being on a list.
        var highWater: UInt32 = 0
        /// Heads and tail are cell number + 1; 0 is none.
        var freeHead: UInt32 = 0
        var deferredHead: UInt32 = 0
        var deferredTail: UInt32 = 0
    }
    private struct CellHead {
        /// In the chain of its bucket, on the free list or on the deferred list.
        var next: UInt32 = 0
        var hash: UInt32 = 0
    }

    private let region: MappedRegion
    private let header: UnsafeMutablePointer<Header>
    private let buckets: UnsafeMutablePointer<UInt32>
    private let bitmap: UnsafeMutablePointer<UInt64>
    private let cells: UnsafeMutableRawPointer
    private let bucketMask: UInt32
    let cellStride: Int
    let keySize: Int
    private let valueOffset: Int
    private let valueSize: Int
    private let seed: UInt64
    /// Most live elements.
    let capacity: Int
    private let cellCount: Int
    /// The instance's count of deferred cells, `ops_block.deferred`.
    private let deferredCounter: UnsafeMutablePointer<UInt64>
    /// Told the value of an element that is about to be deleted, replaced or evicted.
    private let onUnlink: ((UnsafeMutableRawPointer) -> Void)?
    /// nil: a full table refuses new keys.
    private let recency: RecencyList?

    /// - Parameters:
    ///   - keySize, valueSize: see `CellTableShape`.
    ///   - evicts: whether a new key in a full table takes the place of the one used longest ago.
    ///   - deferredCounter: outlives the table.
    ///   - limit: bytes that the table may take.
    /// - Throws: ENOMEM.
    @unsafe init(
        name: String, keySize: Int, valueSize: Int, capacity: Int, evicts: Bool = false, limit: Int,
        seed: UInt64, deferredCounter: UnsafeMutablePointer<UInt64>,
        onUnlink: ((UnsafeMutableRawPointer) -> Void)? = nil
    ) throws(OpsError) {
        guard
            let shape = CellTableShape(
                keySize: keySize, valueSize: valueSize, capacity: capacity, evicts: evicts),
            shape.byteCount <= limit
        else {
            throw OpsError(
                "memory", errno: ENOMEM, "map '\(name)': needs more than \(limit) bytes",
                at: OpsError.Location(map: name),
                reason: "max_entries \(capacity), key \(keySize), value \(valueSize)")
        }
        region = try MappedRegion(byteCount: shape.byteCount, purpose: "map '\(name)'")
        // SAFETY: the shape's parts lie one after the other inside byteCount; zeroed memory is a valid empty table.
        unsafe header = region.base.bindMemory(to: Header.self, capacity: 1)
        unsafe header.initialize(to: Header())
        let bucketBase = unsafe region.base + CellTableShape.headerByteCount
        unsafe buckets = bucketBase.bindMemory(to: UInt32.self, capacity: shape.bucketCount)
        let bitmapBase = unsafe region.base + shape.bitmapOffset
        unsafe bitmap = bitmapBase.bindMemory(to: UInt64.self, capacity: (shape.cellCount + 63) / 64)
        unsafe cells = region.base + shape.cellsOffset
        recency =
            evicts
            ? unsafe RecencyList(memory: region.base + shape.recencyOffset, cellCount: shape.cellCount) : nil
        bucketMask = UInt32(truncatingIfNeeded: shape.bucketCount - 1)
        cellStride = shape.cellStride
        valueOffset = shape.valueOffset
        cellCount = shape.cellCount
        self.keySize = keySize
        self.valueSize = valueSize
        self.capacity = capacity
        self.seed = seed
        unsafe self.deferredCounter = deferredCounter
        unsafe self.onUnlink = unsafe onUnlink
    }

    var byteCount: Int { region.byteCount }
    var count: Int { unsafe Int(header.pointee.live) }
    /// Bytes of cells that have ever been used.
    var usedByteCount: Int { unsafe Int(header.pointee.highWater) * cellStride }

    // MARK: Cells

    /// SAFETY of all below: `cell` is below `cellCount`, as every number in a list or below `highWater` is.
    @unsafe private func head(_ cell: UInt32) -> UnsafeMutablePointer<CellHead> {
        unsafe (cells + Int(cell) * cellStride).assumingMemoryBound(to: CellHead.self)
    }
    @unsafe func key(_ cell: UInt32) -> UnsafeMutableRawPointer {
        unsafe cells + (Int(cell) * cellStride + CellTableShape.cellHeadByteCount)
    }
    @unsafe private func value(_ cell: UInt32) -> UnsafeMutableRawPointer {
        unsafe cells + (Int(cell) * cellStride + valueOffset)
    }

    /// Multiply and fold, eight bytes at a time. Not for secrets: seeded only so that no order can be relied upon.
    @unsafe private func hash(_ key: UnsafeRawPointer) -> UInt32 {
        let multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
        var hash = seed ^ UInt64(keySize)
        var at = 0
        // SAFETY: `key` is good for keySize bytes; both loops stay below that.
        while at + 8 <= keySize {
            hash = unsafe (hash ^ key.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* multiplier
            hash ^= hash >> 32
            at += 8
        }
        if at < keySize {
            var tail: UInt64 = 0
            while at < keySize {
                let byte = unsafe key.loadUnaligned(fromByteOffset: at, as: UInt8.self)
                tail = tail << 8 | UInt64(byte)
                at += 1
            }
            hash = (hash ^ tail) &* multiplier
            hash ^= hash >> 32
        }
        hash = hash &* multiplier
        return UInt32(truncatingIfNeeded: hash >> 32)
    }

    @unsafe private func isKey(_ cell: UInt32, equalTo key: UnsafeRawPointer) -> Bool {
        // SAFETY: both are good for keySize bytes.
        switch keySize {
        case 4:
            unsafe self.key(cell).loadUnaligned(as: UInt32.self) == key.loadUnaligned(as: UInt32.self)
        case 8:
            unsafe self.key(cell).loadUnaligned(as: UInt64.self) == key.loadUnaligned(as: UInt64.self)
        default: unsafe memcmp(self.key(cell), key, keySize) == 0
        }
    }

    @unsafe private func find(_ key: UnsafeRawPointer, hash: UInt32) -> UInt32? {
        // SAFETY: bucket index below the bucket count; links as in the invariant.
        var link = unsafe buckets[Int(hash & bucketMask)]
        while link != 0 {
            let cell = link - 1
            let head = unsafe head(cell)
            if unsafe head.pointee.hash == hash && isKey(cell, equalTo: key) { return cell }
            link = unsafe head.pointee.next
        }
        return nil
    }

    // MARK: Elements

    /// The address of the value; nil: not there.
    ///
    /// - Parameter isUse: makes it the element used last, which only matters to tables that evict.
    @unsafe func lookup(_ key: UnsafeRawPointer, isUse: Bool = true) -> UnsafeMutableRawPointer? {
        guard let cell = unsafe find(key, hash: hash(key)) else { return nil }
        if isUse { recency?.use(cell) }
        return unsafe value(cell)
    }

    /// The element that an update writes: a new one of zeros, put in place of the one there, if any; with
    /// `UpdateFlag.lock`, or where values are updated `inPlace`, the one there itself.
    ///
    /// - Returns: its value's address and 0; or nil and EEXIST, ENOENT by the flags, E2BIG for a full table.
    @unsafe func place(
        _ key: UnsafeRawPointer, flags: UInt64 = UpdateFlag.any, inPlace: Bool = false
    ) -> (value: UnsafeMutableRawPointer?, errno: CInt) {
        let hash = unsafe hash(key)
        let old = unsafe find(key, hash: hash)
        if let old {
            if flags & UpdateFlag.noExist != 0 { return (nil, EEXIST) }
            if inPlace || flags & UpdateFlag.lock != 0 {
                recency?.use(old)
                return unsafe (value(old), 0)
            }
        } else if flags & UpdateFlag.exist != 0 {
            return (nil, ENOENT)
        } else if count >= capacity {
            guard let oldest = recency?.oldest else { return (nil, E2BIG) }
            unsafe unlink(oldest)
        }
        guard let cell = unsafe takeCell() else { return (nil, E2BIG) }
        // SAFETY: a cell taken is in no list; key and value have their sizes. `key` may lie in an old cell of this
        // table, and in this very one if an op deferred more cells than there are to spare: memmove.
        unsafe self.key(cell).copyMemory(from: key, byteCount: keySize)
        unsafe value(cell).initializeMemory(as: UInt8.self, repeating: 0, count: valueSize)
        if let old { unsafe unlink(old) }
        let bucket = Int(hash & bucketMask)
        unsafe head(cell).pointee = CellHead(next: buckets[bucket], hash: hash)
        unsafe buckets[bucket] = cell + 1
        unsafe bitmap[Int(cell / 64)] |= 1 << UInt64(cell % 64)
        unsafe header.pointee.live += 1
        recency?.add(cell)
        return unsafe (value(cell), 0)
    }

    /// - Returns: whether it was there.
    @unsafe func remove(_ key: UnsafeRawPointer) -> Bool {
        guard let cell = unsafe find(key, hash: hash(key)) else { return false }
        unsafe unlink(cell)
        return true
    }

    /// Takes a live cell out of its chain and defers it.
    @unsafe private func unlink(_ cell: UInt32) {
        if let onUnlink = unsafe onUnlink { unsafe onUnlink(value(cell)) }
        let bucket = unsafe Int(head(cell).pointee.hash & bucketMask)
        let next = unsafe head(cell).pointee.next
        var link = unsafe buckets[bucket]
        if link == cell + 1 {
            unsafe buckets[bucket] = next
        } else {
            while link != 0 {
                let before = unsafe head(link - 1)
                link = unsafe before.pointee.next
                if link == cell + 1 { unsafe before.pointee.next = next }
            }
        }
        unsafe header.pointee.live -= 1
        recency?.remove(cell)
        unsafe bitmap[Int(cell / 64)] &= ~(1 << UInt64(cell % 64))
        unsafe head(cell).pointee.next = 0
        let tail = unsafe header.pointee.deferredTail
        if tail == 0 {
            unsafe header.pointee.deferredHead = cell + 1
        } else {
            unsafe head(tail - 1).pointee.next = cell + 1
        }
        unsafe header.pointee.deferredTail = cell + 1
        unsafe deferredCounter.pointee &+= 1
    }

    @unsafe private func takeCell() -> UInt32? {
        let free = unsafe header.pointee.freeHead
        if free != 0 {
            unsafe header.pointee.freeHead = head(free - 1).pointee.next
            return free - 1
        }
        let fresh = unsafe header.pointee.highWater
        if Int(fresh) < cellCount {
            unsafe header.pointee.highWater = fresh + 1
            return fresh
        }
        return unsafe takeDeferred()
    }

    @unsafe private func takeDeferred() -> UInt32? {
        let oldest = unsafe header.pointee.deferredHead
        guard oldest != 0 else { return nil }
        let next = unsafe head(oldest - 1).pointee.next
        unsafe header.pointee.deferredHead = next
        if next == 0 { unsafe header.pointee.deferredTail = 0 }
        unsafe deferredCounter.pointee &-= 1
        return oldest - 1
    }

    /// Frees what is deferred: no program runs, so nobody holds an address.
    func quiesce() {
        // SAFETY: links as in the invariant.
        while let cell = unsafe takeDeferred() {
            unsafe head(cell).pointee.next = header.pointee.freeHead
            unsafe header.pointee.freeHead = cell + 1
        }
    }

    /// Bytes of key and value from `address` on; 0 in a cell's head and outside of the cells in use.
    func readableByteCount(from address: UInt) -> Int {
        let offset = unsafe address &- UInt(bitPattern: cells)
        guard offset < UInt(usedByteCount) else { return 0 }
        let inCell = Int(offset) % cellStride
        return inCell < CellTableShape.cellHeadByteCount ? 0 : cellStride - inCell
    }

    // MARK: Walking

    /// The live cell whose value starts at `address`.
    func liveCell(ofValueAt address: UInt) -> UInt32? {
        let offset = unsafe address &- UInt(bitPattern: cells)
        guard offset < UInt(usedByteCount), Int(offset) % cellStride == valueOffset else { return nil }
        let cell = UInt32(Int(offset) / cellStride)
        // SAFETY: cell < highWater, so its word is in the bitmap.
        return unsafe bitmap[Int(cell / 64)] >> UInt64(cell % 64) & 1 == 1 ? cell : nil
    }

    /// Number of the cell behind `key`.
    @unsafe func cell(of key: UnsafeRawPointer) -> UInt32? { unsafe find(key, hash: hash(key)) }

    /// One past the last cell that may be live.
    var endCell: UInt32 { unsafe header.pointee.highWater }

    /// The first live cell from `start` on and before `end`, with the addresses of its key and value.
    @unsafe func liveCell(
        from start: UInt32, before end: UInt32
    ) -> (number: UInt32, key: UnsafeRawPointer, value: UnsafeMutableRawPointer)? {
        var cell = start
        let end = min(end, endCell)
        while cell < end {
            // SAFETY: cell < highWater, so its word is in the bitmap.
            let rest = unsafe bitmap[Int(cell / 64)] >> UInt64(cell % 64)
            if rest != 0 {
                cell += UInt32(rest.trailingZeroBitCount)
                return unsafe cell < end ? (cell, UnsafeRawPointer(key(cell)), value(cell)) : nil
            }
            cell = (cell | 63) + 1
        }
        return nil
    }
}
