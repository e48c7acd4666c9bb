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
        // Not a release and, for the last one, a fence: ThreadSanitizer does not know of fences.
        let left = count.subtract(1, ordering: .acquiringAndReleasing).newValue
        precondition(left >= 0, "a reference was dropped twice")
        return left == 0
    }

    var value: Int { count.load(ordering: .relaxed) }
}
