import ControlAPI
import Dispatch
import NIOCore
import Registry
import Synchronization

/// The registry's keeper from the event loop's side: every access on one queue, answers back on the loop.
///
/// Changes that come while the disk is busy are committed together, so that many clients share its latency.
final class Storage: Sendable {
    private struct Waiting: Sendable {
        var change: RegistryChange
        var promise: EventLoopPromise<Void>
    }

    private let keeper: any RegistryKeeper
    private let queue = DispatchQueue(label: "opsd.store")
    private let loop: any EventLoop
    private let waiting = Mutex<[Waiting]>([])
    let isDurable: Bool

    init(_ keeper: any RegistryKeeper, loop: any EventLoop) {
        self.keeper = keeper
        self.loop = loop
        isDurable = keeper.isDurable
    }

    /// Succeeds once the change is kept, with all that came before it.
    func commit(_ change: RegistryChange) -> EventLoopFuture<Void> {
        // In memory nothing blocks: the loop itself is the one thread then.
        guard isDurable else {
            return loop.makeCompletedFuture { if let refusal = keeper.commit([change])[0] { throw refusal } }
        }
        let promise = loop.makePromise(of: Void.self)
        let isFirst = waiting.withLock { waiting in
            waiting.append(Waiting(change: change, promise: promise))
            return waiting.count == 1
        }
        if isFirst { queue.async { self.commitWaiting() } }
        return promise.futureResult
    }

    private func commitWaiting() {
        let batch = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for (item, refusal) in zip(batch, keeper.commit(batch.map(\.change))) {
            if let refusal { item.promise.fail(refusal) } else { item.promise.succeed() }
        }
    }

    func markRestoring(_ attempts: [UInt32: Int], ended: [UInt32]) -> EventLoopFuture<Void> {
        run { [keeper] in keeper.markRestoring(attempts, ended: ended) }
    }

    func object(_ sha256: String) -> EventLoopFuture<[UInt8]> {
        run { [keeper] in try keeper.object(sha256) }
    }

    /// All that is kept now, to be written part by part.
    func export() -> EventLoopFuture<RegistryArchiveWriter> { run { [keeper] in keeper.export() } }

    func nextPart(of archive: RegistryArchiveWriter) -> EventLoopFuture<RegistryArchiveWriter.Part> {
        run { try archive.nextPart() }
    }

    func verify() -> EventLoopFuture<RegistryVerification> { run { [keeper] in keeper.verify() } }

    /// Succeeds when everything asked for before has been done.
    func drain() -> EventLoopFuture<Void> { run {} }

    private func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) -> EventLoopFuture<
        Value
    > {
        guard isDurable else { return loop.makeCompletedFuture(withResultOf: body) }
        return queue.asyncWithFuture(eventLoop: loop, body)
    }
}
