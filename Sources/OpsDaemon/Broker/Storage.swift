import ControlAPI
import Dispatch
import NIOCore

/// The object store from the event loop's side: every access on one queue, answers back on the loop.
final class Storage: Sendable {
    private let store: ObjectStore
    private let queue = DispatchQueue(label: "opsd.store")
    private let loop: any EventLoop
    let isDurable: Bool

    init(_ store: ObjectStore, loop: any EventLoop) {
        self.store = store
        self.loop = loop
        isDurable = store.isDurable
    }

    /// Stores the object (nil: it is there already) and the registry; succeeds once both are on disk.
    func save(_ book: RegistryBook, object: String?, sha256: String?) -> EventLoopFuture<Void> {
        run { [store] in
            if let object, let sha256 { try store.put(object, sha256: sha256) }
            try store.save(book)
        }
    }

    func object(_ sha256: String) -> EventLoopFuture<String> {
        run { [store] in try store.object(sha256) }
    }

    /// Succeeds when everything asked for before has been done.
    func drain() -> EventLoopFuture<Void> { run {} }

    private func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) -> EventLoopFuture<
        Value
    > {
        // In memory nothing blocks: the loop itself is the one thread then.
        guard isDurable else { return loop.makeCompletedFuture(withResultOf: body) }
        let promise = loop.makePromise(of: Value.self)
        queue.async { promise.completeWith(Result { try body() }) }
        return promise.futureResult
    }
}
