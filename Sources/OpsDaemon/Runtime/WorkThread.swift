import CShim
import Foundation
import Synchronization

/// One thread that works off what it is given, in order.
///
/// Its stack is large: what parses and verifies may nest deeper than the default of a dispatch queue allows.
final class WorkThread: @unchecked Sendable {  // `waiting` is guarded by `condition`.
    static let stackByteCount = 64 << 20

    private let condition = NSCondition()
    private var waiting: [(serial: Int64, work: @Sendable () -> Void)] = []
    /// The present piece of work, and when it began; nil: idle.
    private let step = Mutex<(work: ThreadStep?, begin: ContinuousClock.Instant)?>(nil)

    init(name: String) {
        let thread = Thread { [self] in loop() }
        thread.name = name
        thread.stackSize = Self.stackByteCount
        thread.start()
    }

    func run(serial: Int64, _ work: @escaping @Sendable () -> Void) {
        condition.withLock {
            waiting.append((serial, work))
            condition.signal()
        }
    }

    /// How long the present piece of work has been going on: seconds of the thread's CPU time, and of time.
    var busy: (cpuSeconds: Int64, seconds: Int64) {
        guard let step = step.withLock({ $0 }) else { return (0, 0) }
        return (Int64(step.work?.cpuSeconds ?? 0), (ContinuousClock.now - step.begin).components.seconds)
    }

    /// Of each thread: the serial of the request that it works on, as a pointer; serials start at 1.
    private static let serialKey: pthread_key_t = {
        var key = pthread_key_t()
        // Without a key no event could be told apart from another request's.
        precondition(pthread_key_create(&key, nil) == 0, "no key for what belongs to a thread")
        return key
    }()

    /// The request that the calling thread works on; nil on any other thread.
    static var currentSerial: Int64? {
        pthread_getspecific(serialKey).map { Int64(Int(bitPattern: $0)) }
    }

    private func loop() -> Never {
        while true {
            condition.lock()
            while waiting.isEmpty { condition.wait() }
            let next = waiting.removeFirst()
            condition.unlock()
            step.withLock { $0 = (ThreadStep(), .now) }
            pthread_setspecific(Self.serialKey, UnsafeRawPointer(bitPattern: Int(next.serial)))
            ops_work_on(next.serial)
            next.work()
            ops_work_on(0)
            pthread_setspecific(Self.serialKey, nil)
            step.withLock { $0 = nil }
        }
    }
}
