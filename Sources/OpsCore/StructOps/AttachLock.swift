import Glibc
import Synchronization

/// Makes everything that sets, registers, updates or ends a registration happen one at a time, over the whole runtime.
///
/// Subsystems are called with it held, as the kernel calls `reg` under its update mutex. What a subsystem may ask for at
/// any moment (`eject`) is queued instead of waited for: it runs at once if nobody holds the lock, else on the thread
/// that lets it go.
final class AttachLock: Sendable {
    private let lock = Mutex<Void>(())
    /// `pthread_self` of the holder; 0: free. Written by the holder only.
    private let holder = Atomic<UInt>(0)
    private let queue = Mutex<[@Sendable () -> Void]>([])

    /// - Throws: EBUSY on the thread that holds it (a subsystem's callback); what `body` throws.
    func run<Result: Sendable>(_ body: () throws(OpsError) -> Result) throws(OpsError) -> Result {
        let me = UInt(pthread_self())
        guard holder.load(ordering: .relaxed) != me else {
            throw OpsError(
                "busy", errno: OpsError.ebusy, "a subsystem's callback tried to change registrations",
                reason: "the change that called it is not over")
        }
        defer { drain() }
        return try lock.withLock { _ throws(OpsError) in
            holder.store(me, ordering: .relaxed)
            defer { holder.store(0, ordering: .relaxed) }
            return try body()
        }
    }

    /// Runs `work` with the lock held, now or when its holder lets it go.
    func enqueue(_ work: @escaping @Sendable () -> Void) {
        queue.withLock { $0.append(work) }
        drain()
    }

    /// Whoever finds the lock taken may leave: its holder comes here after letting it go, and sees what was queued before.
    private func drain() {
        let me = UInt(pthread_self())
        while holder.load(ordering: .relaxed) != me, !queue.withLock({ $0.isEmpty }) {
            let ran: Void? = lock.withLockIfAvailable { _ in
                holder.store(me, ordering: .relaxed)
                defer { holder.store(0, ordering: .relaxed) }
                while let work = queue.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { work() }
            }
            if ran == nil { return }
        }
    }
}
