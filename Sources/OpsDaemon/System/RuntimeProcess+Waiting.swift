import Foundation
import Glibc

extension RuntimeProcess {
    /// The CPU time of all its threads so far; 0 once it has ended.
    var cpuSeconds: Double {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Ours without systemd's: readiness and watchdog are the broker's, and so is the listening socket.
    static var childEnvironment: [String] {
        let withheld: Set<String> = [
            "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
        ]
        return ProcessInfo.processInfo.environment.filter { !withheld.contains($0.key) }
            .map { "\($0.key)=\($0.value)" }
    }

    /// Waits for the end, on a thread of its own. The process id stays the process's until `reap`.
    func whenEnded(_ body: @escaping @Sendable () -> Void) {
        let pid = pid
        let thread = Thread {
            var info = siginfo_t()
            while waitid(P_PID, id_t(pid), &info, WEXITED | CInt(WNOWAIT)) < 0 && errno == EINTR {}
            body()
        }
        thread.name = "wait for runtime"
        thread.start()
    }

    /// After the end, once: why it came. From here on the process id may be another process's.
    func reap() -> RuntimeEnd {
        var status: CInt = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        var request: Int64 = 0
        let count = recv(faults, &request, 8, CInt(MSG_DONTWAIT))
        close(faults)
        return RuntimeEnd(status: status, request: count == 8 ? request : nil)
    }
}
