import Dispatch
import Glibc

/// Signals as events: nothing is done inside a handler.
/// Unchecked: `sources` is filled before the first signal can come and then left alone.
final class Signals: @unchecked Sendable {
    private var sources: [any DispatchSourceSignal] = []

    init(stop: @escaping @Sendable () -> Void, reload: @escaping @Sendable () -> Void) {
        signal(SIGPIPE, SIG_IGN)
        let queue = DispatchQueue(label: "signals")
        for (number, action) in [(SIGTERM, stop), (SIGINT, stop), (SIGHUP, reload)] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler(handler: action)
            source.resume()
            sources.append(source)
        }
    }
}
