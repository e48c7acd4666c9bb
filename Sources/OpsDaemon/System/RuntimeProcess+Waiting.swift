import Foundation
import Glibc

extension RuntimeProcess {
    /// Ours without systemd's: readiness and watchdog are the broker's, and so is the listening socket.
    static var childEnvironment: [String] {
        let withheld: Set<String> = [
            "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
        ]
        return ProcessInfo.processInfo.environment.filter { !withheld.contains($0.key) }
            .map { "\($0.key)=\($0.value)" }
    }

    /// Waits for the end, on a thread of its own, and tells why it came.
    func whenEnded(_ body: @escaping @Sendable (RuntimeEnd) -> Void) {
        let (pid, faults) = (pid, faults)
        let thread = Thread {
            var status: CInt = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            var request: Int64 = 0
            let count = recv(faults, &request, 8, CInt(MSG_DONTWAIT))
            close(faults)
            body(RuntimeEnd(status: status, request: count == 8 ? request : nil))
        }
        thread.name = "wait for runtime"
        thread.start()
    }
}
