/// A queue of trivial values in pages of the world's pool, addressed by numbers that only grow (and may wrap).
///
/// Empty at a page's border it holds no page, else those that `head ..< tail` lies in: an element never moves.
///
/// Invariant: `T` is trivial (no references) and fits a page; `head ..< tail` (wrapping) are initialised; the owner calls
/// `free`. It is plain pointers and numbers, so copies share the memory: keep exactly one.
struct Ring<T> {
    private let pool: PagePool.Handle
    /// Addresses of pages, by the low bits of a page's number.
    private var pages: UnsafeMutablePointer<UnsafeMutablePointer<T>>?
    private var pageMask: UInt32 = 0
    /// Number of the oldest element.
    private(set) var head: UInt32 = 0
    /// Number that the next element will get.
    private(set) var tail: UInt32 = 0

    init(_ pool: PagePool.Handle) { self.pool = pool }

    /// Gives back the directory; the pages go with the pool.
    func free() { pages?.deallocate() }

    /// Elements per page are `1 << shift`.
    @inline(__always) private static var shift: UInt32 {
        UInt32(truncatingIfNeeded: (PagePool.pageBytes / MemoryLayout<T>.stride).bitWidth - 1)
            &- UInt32(truncatingIfNeeded: (PagePool.pageBytes / MemoryLayout<T>.stride).leadingZeroBitCount)
    }
    @inline(__always) private static var mask: UInt32 { (1 &<< shift) &- 1 }

    @inline(__always) var count: Int { Int(tail &- head) }
    @inline(__always) var isEmpty: Bool { head == tail }
    @inline(__always) func contains(_ number: UInt32) -> Bool { number &- head < tail &- head }

    /// Address of an element; `number` must be in the ring. Valid until the element is removed.
    @inline(__always) func at(_ number: UInt32) -> UnsafeMutablePointer<T> {
        assert(contains(number))
        // SAFETY: an element in the ring lies in a page of the directory.
        let page = pages.unsafelyUnwrapped[Int((number &>> Self.shift) & pageMask)]
        return page + Int(number & Self.mask)
    }

    @inline(__always) mutating func append(_ value: T) {
        if tail & Self.mask == 0 { addPage() }
        // SAFETY: the page of `tail` was added with its first element.
        let page = pages.unsafelyUnwrapped[Int((tail &>> Self.shift) & pageMask)]
        page[Int(tail & Self.mask)] = value
        tail &+= 1
    }

    @inline(__always) mutating func removeFirst() {
        assert(!isEmpty)
        head &+= 1
        if head & Self.mask == 0 { givePage(of: head &- 1) }
    }

    /// Numbers go on at a page's border, so that no page is held.
    mutating func removeAll() {
        while !isEmpty { removeFirst() }
        guard head & Self.mask != 0 else { return }
        givePage(of: head)
        head = (head | Self.mask) &+ 1
        tail = head
    }

    @inline(__always) private func givePage(of number: UInt32) {
        let page = pages.unsafelyUnwrapped[Int((number &>> Self.shift) & pageMask)]
        pool.pointee.give(UnsafeMutableRawPointer(page))
    }

    /// A page for `tail`, which is the first number in it.
    @inline(never) private mutating func addPage() {
        let used = ((tail &>> Self.shift) &- (head &>> Self.shift)) & (.max &>> Self.shift)
        if pages == nil || used > pageMask { growDirectory(used: used) }
        let page = pool.pointee.take().bindMemory(to: T.self, capacity: Int(Self.mask) + 1)
        pages.unsafelyUnwrapped[Int((tail &>> Self.shift) & pageMask)] = page
    }

    private mutating func growDirectory(used: UInt32) {
        let size = pages == nil ? 4 : (pageMask &+ 1) << 1
        let bigger = UnsafeMutablePointer<UnsafeMutablePointer<T>>.allocate(capacity: Int(size))
        if let pages {
            let first = head &>> Self.shift
            for index in 0..<used {
                let number = first &+ index
                bigger[Int(number & (size &- 1))] = pages[Int(number & pageMask)]
            }
            pages.deallocate()
        }
        pages = bigger
        pageMask = size &- 1
    }
}
