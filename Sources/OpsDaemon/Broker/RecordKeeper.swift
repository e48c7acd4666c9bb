import ControlAPI
import Dispatch
import NIOCore
import Registry
import Synchronization

/// What is worth keeping beside the registry: why registrations were thrown out, jobs with their results, what is on
/// trial. Files are read and written on a queue of their own, so that a large result holds up no registration.
final class RecordKeeper: @unchecked Sendable {  // `drafts` is confined to the loop.
    enum Kind: String, CaseIterable {
        /// By number; body: `EjectionRecord`.
        case ejections
        /// By id of the run; body: the result, or the parameters of one that is to be run.
        case runs
        /// By id of what is on trial; body: the object of what it has replaced.
        case trials
    }

    private struct Key: Hashable {
        var kind: Kind
        var number: UInt32
    }

    /// A record that waits for the disk. One that is removed or replaced meanwhile need not wait any longer, so that what
    /// waits is bounded like what is kept.
    private final class Draft: Sendable {
        private let content: Mutex<(@Sendable () throws -> Void)?>

        init(_ content: @escaping @Sendable () throws -> Void) { self.content = Mutex(content) }

        func withdraw() { content.withLock { $0 = nil } }

        func write() throws {
            guard let content = content.withLock({ $0.take() }) else {
                throw Withdrawal()
            }
            try content()
        }
    }

    private struct Withdrawal: Error {}

    /// It failed only because it was not to be kept any more, or something else in its place.
    static func isWithdrawal(_ error: any Error) -> Bool { error is Withdrawal }

    private let folders: [Kind: RecordFolder]
    private let queue = DispatchQueue(label: "opsd.records")
    private let loop: any EventLoop
    private var drafts: [Key: Draft] = [:]
    var isDurable: Bool { !folders.isEmpty }

    /// - Parameter directory: nil: nothing is kept.
    init(directory: String?, loop: any EventLoop) {
        self.loop = loop
        guard let directory else {
            folders = [:]
            return
        }
        folders = Dictionary(
            uniqueKeysWithValues: Kind.allCases.map {
                ($0, RecordFolder(directory: directory, name: $0.rawValue))
            })
    }

    /// Before anything else.
    func open() -> [Kind: RecordFolder.Contents] { folders.mapValues { $0.open() } }

    /// At the start, when nobody waits yet. - Throws: why it cannot be read.
    func bodyNow(_ kind: Kind, _ number: UInt32) throws(Refusal) -> [UInt8] {
        guard let folder = folders[kind] else { throw Self.noDirectory }
        return try folder.body(number)
    }

    /// Succeeds once it is kept; at once where nothing is.
    func put(_ kind: Kind, _ number: UInt32, _ header: JSONValue, body: [UInt8]) -> EventLoopFuture<Void> {
        write(kind, number) { folder throws(Refusal) in try folder.put(number, header, body: body) }
    }

    /// The same with a body that may be large as text. - Parameter body: nil: none.
    func put(_ kind: Kind, _ number: UInt32, _ header: JSONValue, body: JSONValue?) -> EventLoopFuture<Void> {
        write(kind, number) { folder throws(Refusal) in
            try folder.put(number, header, body: body?.utf8() ?? [])
        }
    }

    private func write(
        _ kind: Kind, _ number: UInt32, _ put: @escaping @Sendable (RecordFolder) throws(Refusal) -> Void
    ) -> EventLoopFuture<Void> {
        guard let folder = folders[kind] else { return loop.makeSucceededVoidFuture() }
        let key = Key(kind: kind, number: number)
        let draft = Draft { try put(folder) }
        drafts.updateValue(draft, forKey: key)?.withdraw()
        let written = run { try draft.write() }
        written.whenComplete { [self] _ in if drafts[key] === draft { drafts[key] = nil } }
        return written
    }

    func body(_ kind: Kind, _ number: UInt32) -> EventLoopFuture<[UInt8]> {
        guard let folder = folders[kind] else { return loop.makeFailedFuture(Self.noDirectory) }
        return run { try folder.body(number) }
    }

    /// A body that is JSON.
    func json(_ kind: Kind, _ number: UInt32) -> EventLoopFuture<JSONValue> {
        guard let folder = folders[kind] else { return loop.makeFailedFuture(Self.noDirectory) }
        return run { try JSONValue(parsing: folder.body(number), limits: .reply) }
    }

    func remove(_ kind: Kind, _ numbers: [UInt32]) {
        guard !numbers.isEmpty, let folder = folders[kind] else { return }
        for number in numbers { drafts.removeValue(forKey: Key(kind: kind, number: number))?.withdraw() }
        _ = run { folder.remove(numbers) }
    }

    /// Succeeds when everything asked for before has been done.
    func drain() -> EventLoopFuture<Void> { run {} }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) -> EventLoopFuture<Value> {
        queue.asyncWithFuture(eventLoop: loop, body)
    }

    private static let noDirectory = Refusal("io", errno: 2, "there is no state directory")
}
