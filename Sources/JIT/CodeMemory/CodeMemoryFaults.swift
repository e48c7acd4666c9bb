import Synchronization

/// Makes one system call of code memory fail, for tests: the n-th one made while this plan is `current`.
///
/// A fault loop runs n = 1, 2, … until a plan has not fired, and looks for leaks after each.
package final class CodeMemoryFaults: Sendable {
    /// Bound per task, so tests that run side by side do not disturb each other.
    @TaskLocal package static var current: CodeMemoryFaults?

    private let failingCall: Int
    private let errno: CInt
    private let calls = Atomic<Int>(0)

    /// - Parameters:
    ///   - failingCall: which call fails, from 1.
    ///   - errno: what it fails with.
    package init(failingCall: Int, errno: CInt) {
        self.failingCall = failingCall
        self.errno = errno
    }

    /// Whether the failing call was reached.
    package var hasFired: Bool { calls.load(ordering: .relaxed) >= failingCall }

    /// Counts one call. Returns the errno to fail with, or nil to let the call happen.
    static func next() -> CInt? {
        guard let plan = current else { return nil }
        let number = plan.calls.add(1, ordering: .relaxed).newValue
        return number == plan.failingCall ? plan.errno : nil
    }
}
