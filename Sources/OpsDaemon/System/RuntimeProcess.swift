import ControlAPI
import Glibc

/// The runtime as a child process, with our end of its socket.
struct RuntimeProcess: Sendable {
    let pid: pid_t
    /// Connected to the child's descriptor 3. Whoever takes the value closes it.
    let descriptor: CInt
    /// Shared with the child, which has its file as descriptor 4.
    let window: ObjectWindow
    /// The child writes to the other end, its descriptor 5, over which request it crashes. `whenEnded` closes it.
    let faults: CInt

    /// Starts `opsd --runtime`.
    ///
    /// The child gets descriptors 0, 1, 2, its end of the socketpair and the window's file; all of ours close on exec, what we inherited it
    /// closes itself, and none of systemd's variables reach it. Must be called on a thread that lives as long as we do: the kernel kills the child
    /// when the thread that started it ends.
    static func start() throws(StartFailure) -> RuntimeProcess {
        let (ours, theirs): (CInt, CInt)
        do { (ours, theirs) = try UnixSocket.makePair() } catch {
            throw StartFailure("\(error.call): \(error.text)")
        }
        defer { close(theirs) }
        let window: ObjectWindow, file: CInt
        do throws(StartFailure) { (window, file) = try makeWindow() } catch {
            close(ours)
            throw error
        }
        defer { close(file) }
        let faults: CInt, faultsEnd: CInt
        do throws(StartFailure) { (faults, faultsEnd) = try makeFaults() } catch {
            close(ours)
            throw error
        }
        defer { close(faultsEnd) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // dup2 clears close-on-exec, also where both numbers are equal.
        posix_spawn_file_actions_adddup2(&actions, theirs, RuntimeRole.descriptor)
        posix_spawn_file_actions_adddup2(&actions, file, RuntimeRole.windowDescriptor)
        posix_spawn_file_actions_adddup2(&actions, faultsEnd, RuntimeRole.faultDescriptor)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var arguments: [UnsafeMutablePointer<CChar>?] =
            ["opsd", "--runtime"].map { (text: String) in strdup(text) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            childEnvironment.map { (text: String) in strdup(text) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        // /proc/self/exe: the program that runs now, also after an upgrade has replaced its file.
        let result = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, &arguments, &variables)
        guard result == 0 else {
            close(ours)
            close(faults)
            throw StartFailure("cannot start the runtime: \(String(cString: strerror(result)))")
        }
        return RuntimeProcess(pid: pid, descriptor: ours, window: window, faults: faults)
    }

    /// - Returns: our side, and a descriptor of the file that the child does not find under the numbers it is given.
    private static func makeWindow() throws(StartFailure) -> (ObjectWindow, CInt) {
        let file = try ObjectWindow.makeFile()
        defer { close(file) }
        let window = try ObjectWindow(descriptor: file, isWritable: true)
        return (window, try raised(file))
    }

    /// - Returns: our end, and one for the child, which does not find it under the numbers it is given.
    private static func makeFaults() throws(StartFailure) -> (CInt, CInt) {
        let (ours, theirs): (CInt, CInt)
        do { (ours, theirs) = try UnixSocket.makePair() } catch {
            throw StartFailure("\(error.call): \(error.text)")
        }
        defer { close(theirs) }
        do throws(StartFailure) { return (ours, try raised(theirs)) } catch {
            close(ours)
            throw error
        }
    }

    /// The same file under a number above those that the child is given.
    private static func raised(_ file: CInt) throws(StartFailure) -> CInt {
        let high = fcntl(file, F_DUPFD_CLOEXEC, RuntimeRole.faultDescriptor + 1)
        guard high >= 0 else { throw StartFailure("fcntl: \(String(cString: strerror(errno)))") }
        return high
    }
}

/// How a runtime process ended.
struct RuntimeEnd: Sendable {
    /// After "the process was" or "it".
    var text: String
    /// SIGKILL: somebody's decision (an operator's, the kernel's for want of memory), not a fault of what ran there.
    var isFromOutside: Bool
    /// The request on which the thread worked that crashed, by serial; nil: it is not known, or there was none.
    var request: Int64?

    init(status: CInt, request: Int64?) {
        self.request = request
        let signal = status & 0x7f
        isFromOutside = signal == SIGKILL
        guard signal != 0 else {
            text = "exited with status \((status >> 8) & 0xff)"
            return
        }
        let name = strsignal(signal).map { String(cString: $0) } ?? "?"
        text = "killed by signal \(signal) (\(name))"
    }

    /// It did not even begin.
    init(_ failure: StartFailure) {
        text = failure.text
        isFromOutside = true
    }
}
