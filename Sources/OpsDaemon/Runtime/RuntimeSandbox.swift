import CShim
import Glibc
import JIT

/// What the runtime gives up before it reads its first request: files, sockets, other processes, exec, privileges.
///
/// The verifier is what keeps programs inside their memory. Should it be wrong once, what runs here finds the broker's
/// socketpair and the objects that were given to it, and nothing else.
enum RuntimeSandbox {
    /// Before the first thread is made. Tools that want files about generated code (`OPSD_JIT_TOOLS`) keep it out.
    /// - Throws: the kernel refuses; a runtime without sandbox is not started.
    static func enter() throws(StartFailure) {
        guard CodeTools.requested.tools.isEmpty else {
            return say("opsd: \(CodeTools.variable) is set: the runtime keeps its rights")
        }
        guard ops_enter_sandbox() >= 0 else {
            throw StartFailure("cannot enter the sandbox: \(String(cString: strerror(errno)))")
        }
    }
}
