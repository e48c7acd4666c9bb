/// A queue of trivial values in one buffer, addressed by numbers that only grow (and may wrap).
///
/// The buffer grows by half, so that thousands of flows take little more than they use.
///
/// Invariant: `T` is trivial (no references); `head ..< tail` (wrapping) are initialised, `head` at `offset`, which is less
/// than `capacity`; the owner calls `free`. It is a plain pointer and numbers, so copies share the buffer: keep exactly one.
struct Ring<T> {
    private var base: UnsafeMutablePointer<T>
    private var capacity: UInt32
    private var offset: UInt32 = 0
    /// Number of the oldest element.
    private(set) var head: UInt32 = 0
    /// Number that the next element will get.
    private(set) var tail: UInt32 = 0

    /// - Parameter capacity: at least 1.
    init(capacity: Int) {
        base = .allocate(capacity: capacity)
        self.capacity = UInt32(capacity)
    }

    func free() { base.deallocate() }

    @inline(__always) var count: Int { Int(tail &- head) }
    @inline(__always) var isEmpty: Bool { head == tail }
    @inline(__always) func contains(_ number: UInt32) -> Bool { number &- head < tail &- head }

    @inline(__always) private func place(_ number: UInt32) -> Int {
        let index = offset &+ (number &- head)
        return Int(index >= capacity ? index &- capacity : index)
    }

    /// Address of an element; `number` must be in the ring. Valid until the next `append`.
    @inline(__always) func at(_ number: UInt32) -> UnsafeMutablePointer<T> {
        assert(contains(number))
        return base + place(number)
    }

    @inline(__always) mutating func append(_ value: T) {
        if tail &- head == capacity { grow() }
        base[place(tail)] = value
        tail &+= 1
    }

    @inline(__always) mutating func removeFirst() {
        assert(!isEmpty)
        head &+= 1
        offset = offset &+ 1 == capacity ? 0 : offset &+ 1
    }

    mutating func removeAll() { head = tail }

    @inline(never) private mutating func grow() {
        let size = capacity + max(capacity / 2, 4)
        let bigger = UnsafeMutablePointer<T>.allocate(capacity: Int(size))
        let first = Int(capacity - offset)
        bigger.update(from: base + Int(offset), count: first)
        (bigger + first).update(from: base, count: Int(offset))
        base.deallocate()
        base = bigger
        capacity = size
        offset = 0
    }
}
