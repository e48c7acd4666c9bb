import Glibc

/// A stretch of work of one thread, from its making on, by the thread's own CPU time: however busy the machine is, a thread
/// that waits for a processor does not seem to hang.
struct ThreadStep: Sendable {
    private let clock: clockid_t
    private let begin: Double

    /// Of the calling thread; nil: the system tells nobody its time.
    init?() {
        var clock = clockid_t()
        guard pthread_getcpuclockid(pthread_self(), &clock) == 0, let now = Self.seconds(clock) else {
            return nil
        }
        self.clock = clock
        begin = now
    }

    /// What it has taken so far; nil: the thread has ended.
    var cpuSeconds: Double? { Self.seconds(clock).map { $0 - begin } }

    private static func seconds(_ clock: clockid_t) -> Double? {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
