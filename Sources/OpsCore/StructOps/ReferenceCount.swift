import Synchronization

/// A count of references that, once zero, stays zero.
///
/// Kernel counterpart: `refcount_t` with `inc_not_zero`.
struct ReferenceCount: ~Copyable, Sendable {
    private let count: Atomic<Int>

    init(_ initial: Int = 1) { count = Atomic(initial) }

    /// - Returns: false if the last reference is gone.
    func get() -> Bool {
        var seen = count.load(ordering: .relaxed)
        while seen > 0 {
            let (exchanged, original) = count.weakCompareExchange(
                expected: seen, desired: seen + 1, ordering: .relaxed)
            if exchanged { return true }
            seen = original
        }
        return false
    }

    /// - Returns: whether this was the last one; exactly one caller learns that, and everything that others did with the
    ///   object has happened before.
    func put() -> Bool {
        let left = count.subtract(1, ordering: .releasing).newValue
        precondition(left >= 0, "a reference was dropped twice")
        guard left == 0 else { return false }
        atomicMemoryFence(ordering: .acquiring)
        return true
    }

    var value: Int { count.load(ordering: .relaxed) }
}
