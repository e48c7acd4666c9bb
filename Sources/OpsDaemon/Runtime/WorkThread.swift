import Foundation
import Synchronization

/// One thread that works off what it is given, in order.
///
/// Its stack is large: what parses and verifies may nest deeper than the default of a dispatch queue allows.
final class WorkThread: @unchecked Sendable {  // `waiting` is guarded by `condition`.
    static let stackByteCount = 64 << 20

    private let condition = NSCondition()
    private var waiting: [(serial: Int64, work: @Sendable () -> Void)] = []
    /// When the present piece of work began, in seconds of `ContinuousClock`; 0: idle.
    private let busySince = Atomic<Int64>(0)
    private static let epoch = ContinuousClock.now

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

    /// How long the present piece of work has been going on.
    var busySeconds: Int64 {
        let since = busySince.load(ordering: .relaxed)
        return since == 0 ? 0 : max(0, Self.seconds - since)
    }

    /// The request that the calling thread works on; nil on any other thread.
    static var currentSerial: Int64? { Thread.current.threadDictionary["serial"] as? Int64 }

    private static var seconds: Int64 { (ContinuousClock.now - epoch).components.seconds + 1 }

    private func loop() -> Never {
        while true {
            condition.lock()
            while waiting.isEmpty { condition.wait() }
            let next = waiting.removeFirst()
            condition.unlock()
            busySince.store(Self.seconds, ordering: .relaxed)
            Thread.current.threadDictionary["serial"] = next.serial
            next.work()
            Thread.current.threadDictionary["serial"] = nil
            busySince.store(0, ordering: .relaxed)
        }
    }
}
