/// A queue of trivial values in one power-of-two buffer, addressed by numbers that only grow (and may wrap).
///
/// Invariant: `T` is trivial (no references); `head ..< tail` (wrapping) are initialised; the owner calls `free`.
/// It is a plain pointer and three numbers, so copies share the buffer: keep exactly one.
struct Ring<T> {
    private(set) var base: UnsafeMutablePointer<T>
    private var mask: UInt32
    /// Number of the oldest element.
    private(set) var head: UInt32 = 0
    /// Number that the next element will get.
    private(set) var tail: UInt32 = 0

    init(capacity: Int) {
        var size: UInt32 = 4
        while Int(size) < capacity { size <<= 1 }
        base = .allocate(capacity: Int(size))
        mask = size &- 1
    }

    func free() { base.deallocate() }

    @inline(__always) var count: Int { Int(tail &- head) }
    @inline(__always) var isEmpty: Bool { head == tail }
    @inline(__always) func contains(_ number: UInt32) -> Bool { number &- head < tail &- head }

    /// Address of an element; `number` must be in the ring. Valid until the next `append`.
    @inline(__always) func at(_ number: UInt32) -> UnsafeMutablePointer<T> {
        assert(contains(number))
        return base + Int(number & mask)
    }

    @inline(__always) mutating func append(_ value: T) {
        if tail &- head > mask { grow() }
        base[Int(tail & mask)] = value
        tail &+= 1
    }

    @inline(__always) mutating func removeFirst() {
        assert(!isEmpty)
        head &+= 1
    }

    mutating func removeAll() { head = tail }

    @inline(never) private mutating func grow() {
        let size = (mask &+ 1) << 1
        let bigger = UnsafeMutablePointer<T>.allocate(capacity: Int(size))
        var number = head
        while number != tail {
            bigger[Int(number & (size &- 1))] = base[Int(number & mask)]
            number &+= 1
        }
        base.deallocate()
        base = bigger
        mask = size &- 1
    }
}
