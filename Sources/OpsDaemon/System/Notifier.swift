import CSystemd
import Glibc

/// Tells systemd how we are. Says nothing where systemd did not start us.
struct Notifier: Sendable {
    /// Half of what systemd waits for a sign of life; nil: no watchdog.
    let watchdogInterval: Duration?

    init() {
        var microseconds: UInt64 = 0
        let isWatched = sd_watchdog_enabled(0, &microseconds) > 0
        watchdogInterval = isWatched ? .microseconds(Int64(clamping: microseconds / 2)) : nil
    }

    func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }
    func status(_ status: String) { send("STATUS=\(status)") }
    func stopping() { send("STOPPING=1\nSTATUS=stopping") }
    func alive() { send("WATCHDOG=1") }

    /// Leaves clients with systemd, which hands them to whoever runs next; on `stop` it closes them. Returns once it has
    /// them.
    func store(_ clients: [CInt]) {
        // The kernel passes at most 253 descriptors in one message.
        for start in stride(from: 0, to: clients.count, by: 200) {
            let some = clients[start..<min(start + 200, clients.count)]
            let message = "FDSTORE=1\nFDNAME=\(PassedDescriptors.clientName)"
            some.withUnsafeBufferPointer { fds in
                _ = sd_pid_notify_with_fds(0, 0, message, fds.baseAddress, CUnsignedInt(fds.count))
            }
        }
        let timeoutMicroseconds: UInt64 = 2_000_000
        if !clients.isEmpty { sd_notify_barrier(0, timeoutMicroseconds) }
    }

    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
        send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
    }

    private func send(_ message: String) { sd_notify(0, message) }
}
