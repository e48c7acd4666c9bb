internal import CShim
internal import Glibc

/// A thread with a stack of fixed size behind a guard page, on which one world runs.
///
/// Ops run on this stack: 512 bytes of BPF stack along a chain of 8 frames, plus what the engine takes. 8 MiB is far
/// more than the deepest chain needs, and only what is touched is taken from the system.
enum WorldThread {
    static let stackByteCount = 8 << 20

    /// Runs `body` on a new thread, for whatever the calling one works on, and waits for it.
    /// - Returns: false if the thread could not be made.
    static func run(_ body: @escaping () -> Void) -> Bool {
        final class Box {
            let body: () -> Void
            let work = ops_work()
            init(_ body: @escaping () -> Void) { self.body = body }
        }
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackByteCount)
        pthread_attr_setguardsize(&attributes, 65536)
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                // SAFETY: the box passed below, retained once for this thread.
                let box = Unmanaged<Box>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue()
                ops_work_on(box.work)
                box.body()
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            box.release()
            return false
        }
        pthread_join(thread, nil)
        return true
    }

    /// CPU time of the calling thread, seconds.
    static var cpuSeconds: Double { seconds(CLOCK_THREAD_CPUTIME_ID) }
    static var wallSeconds: Double { seconds(CLOCK_MONOTONIC) }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
