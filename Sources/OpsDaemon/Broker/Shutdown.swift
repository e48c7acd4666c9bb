import Glibc
import NIOCore

/// The way out, within TimeoutStopSec= of the unit: what is under way is answered, what is acknowledged is on disk, and
/// clients between two calls stay connected for whoever runs next.
struct Shutdown {
    let broker: Broker
    /// What listens.
    let servers: [any Channel]

    /// What has been asked for and can be done in a moment is done; simulations are not waited for.
    private static let patience = Duration.seconds(5)

    /// On the broker's loop. Does not return to it for long.
    func begin(removing files: [String]) {
        guard !broker.isStopping else { return }
        broker.isStopping = true
        broker.notifier.stopping()
        broker.journal.say("stopping")
        for server in servers { server.close(promise: nil) }
        for file in files { unlink(file) }
        let deadline = ContinuousClock.now + Self.patience
        broker.loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
            guard broker.isIdle && broker.answerBytes == 0 || ContinuousClock.now > deadline else { return }
            task.cancel()
            broker.supervisor.stop()
            broker.storage.drain().and(broker.records.drain()).whenComplete { _ in end() }
        }
    }

    private func end() {
        let clients = broker.clientsBetweenCalls.compactMap(\.descriptor)
        broker.notifier.store(clients)
        exit(0)
    }
}
