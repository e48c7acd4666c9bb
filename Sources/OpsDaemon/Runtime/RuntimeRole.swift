import CShim
import ControlAPI
import Foundation
import JIT
import OpsHost
import Synchronization

/// `opsd --runtime`: everything that parses objects and runs their code. Talks to nobody but the broker.
///
/// ```
/// main thread      reads frames, answers pings
/// control thread   changes registrations, one at a time
/// query thread     lists and dumps, so that they need not wait for a verifier
/// one per run      simulations
/// ```
enum RuntimeRole {
    /// The broker's end of the socketpair is our descriptor 3.
    static let descriptor: CInt = 3
    /// The file of the window in which objects come (`ObjectWindow`).
    static let windowDescriptor: CInt = 4
    /// Where the request is left over which we crash.
    static let faultDescriptor: CInt = 5

    static func run() -> Never {
        // The broker's terminal is not ours: it tells us to stop by closing the connection.
        signal(SIGINT, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        // Whatever the broker inherited and did not know of.
        ops_close_from(faultDescriptor + 1)
        ops_record_faults(faultDescriptor)
        ops_keep_freed_memory()
        if let complaint = CodeTools.complaint { say("opsd: \(complaint)") }
        guard ops_die_with_parent() == 0, getppid() != 1 else { exit(0) }
        do {
            let window = try ObjectWindow(descriptor: windowDescriptor, isWritable: false)
            close(windowDescriptor)
            try RuntimeSandbox.enter()
            try RuntimeServer(UnixSocket(owning: descriptor), window).serve()
        } catch {
            say("opsd: runtime: \(error)")
            exit(1)
        }
        // Simulations may still run; nobody waits for them any more.
        _exit(0)
    }
}
