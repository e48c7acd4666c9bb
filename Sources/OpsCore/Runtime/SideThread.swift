import Dispatch
import Glibc
import Synchronization

/// A second thread for loads: two programs are verified and compiled in the time of one, if a processor is free.
///
/// One for the process, started when first wanted. Its stack is as large as those that requests are handled on, since
/// what verifies may nest deeper than the default allows. If it cannot be had, or is busy with another load, the caller
/// does all the work.
@safe final class SideThread: Sendable {
    static let shared = SideThread()
    private static let stackByteCount = 64 << 20

    private let work = Mutex<(@Sendable () -> Void)?>(nil)
    private let isTaken: Atomic<Bool>
    private let wake = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)

    private init() {
        let isAlone = sysconf(CInt(_SC_NPROCESSORS_ONLN)) < 2
        // Taken for ever: nobody gets it.
        isTaken = Atomic(isAlone)
        if !isAlone, !start() { isTaken.store(true, ordering: .relaxed) }
    }

    /// Runs `body`, which takes its work from somewhere until there is none, here and on the other thread; returns when
    /// both have ended.
    func runBeside(_ body: @escaping @Sendable () -> Void) {
        guard isTaken.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
            return body()
        }
        defer { isTaken.store(false, ordering: .releasing) }
        work.withLock { $0 = body }
        wake.signal()
        body()
        done.wait()
    }

    private func start() -> Bool {
        // SAFETY: the attributes live to the end of the function; the argument is retained for the thread, which keeps it.
        var attributes = pthread_attr_t()
        guard unsafe pthread_attr_init(&attributes) == 0 else { return false }
        defer { unsafe pthread_attr_destroy(&attributes) }
        guard unsafe pthread_attr_setstacksize(&attributes, Self.stackByteCount) == 0 else { return false }
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(self)
        let code = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<SideThread>.fromOpaque(argument).takeRetainedValue().serve()
            }, argument.toOpaque())
        guard code == 0 else {
            unsafe argument.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func serve() -> Never {
        while true {
            wake.wait()
            let body = work.withLock { work in
                defer { work = nil }
                return work
            }
            body?()
            done.signal()
        }
    }
}
