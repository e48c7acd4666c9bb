/// Memory of a world's queues: pages of one size, taken and given back as packets come and go.
///
/// Queues of many flows are long at different times, so that they share what one would hold ready for each alone.
///
/// Invariant: a page belongs to one queue or to the free list; all memory goes at once, with `free`, when no queue is used
/// any more.
struct PagePool {
    static let pageBytes = 128
    /// Enough that the system gives it by itself, and takes it back by itself.
    private static let slabBytes = 1 << 18

    /// The first free page; each holds the address of the next one.
    private var firstFree: UnsafeMutableRawPointer?
    /// What of the newest slab has never been used.
    private var fresh: UnsafeMutableRawPointer?
    private var freshBytes = 0
    private var slabs: [UnsafeMutableRawPointer] = []

    typealias Handle = UnsafeMutablePointer<PagePool>

    @inline(__always) mutating func take() -> UnsafeMutableRawPointer {
        guard let page = firstFree else { return takeFresh() }
        firstFree = page.load(as: UnsafeMutableRawPointer?.self)
        return page
    }

    @inline(__always) mutating func give(_ page: UnsafeMutableRawPointer) {
        page.storeBytes(of: firstFree, as: UnsafeMutableRawPointer?.self)
        firstFree = page
    }

    @inline(never) private mutating func takeFresh() -> UnsafeMutableRawPointer {
        if freshBytes < Self.pageBytes {
            let slab = UnsafeMutableRawPointer.allocate(byteCount: Self.slabBytes, alignment: Self.pageBytes)
            slabs.append(slab)
            fresh = slab
            freshBytes = Self.slabBytes
        }
        // SAFETY: a slab was allocated above, or the last one has room.
        let page = fresh.unsafelyUnwrapped
        fresh = page + Self.pageBytes
        freshBytes -= Self.pageBytes
        return page
    }

    mutating func free() {
        for slab in slabs { slab.deallocate() }
        self = PagePool()
    }
}
