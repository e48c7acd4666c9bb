import Glibc
import Synchronization

/// ^C while a verdict is awaited: the verification ends, and what has been found out so far is printed. A second ^C
/// ends the program.
enum Interruption {
    private static let count = Atomic<Int>(0)

    static var hasCome: Bool { count.load(ordering: .relaxed) > 0 }

    /// From now on ^C is counted.
    /// - Returns: whether it has come.
    static func watch() -> @Sendable () -> Bool {
        signal(SIGINT) { _ in
            Interruption.count.store(1, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
        return { hasCome }
    }
}
