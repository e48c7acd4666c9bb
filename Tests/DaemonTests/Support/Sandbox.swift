import Foundation
import Glibc
import Testing

/// A temporary folder with a daemon of its own. Whatever was started ends with it, by its id.
final class Sandbox {
    let folder: URL
    let socket: String
    private(set) var daemon: Process?

    init() throws {
        folder = URL(filePath: NSTemporaryDirectory()).appending(
            path: "opsd-test-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        socket = folder.appending(path: "s").path
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Where `swift build` put the programs: beside the test program.
    static let binaries = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()
    /// Of that build, or of another that `OPSD_TEST_BINARIES` names.
    static let programs =
        ProcessInfo.processInfo.environment["OPSD_TEST_BINARIES"].map { URL(filePath: $0) } ?? binaries
    static let opsd = programs.appending(path: "opsd").path
    static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardized

    struct Output {
        var status: Int32
        var stdout: String
        var stderr: String

        /// The one document of `-j`.
        func json() throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(stdout.utf8)) as? [String: Any])
        }
    }

    // MARK: Programs

    static func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws
        -> Output
    {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.currentDirectoryURL = root
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        // Files, not pipes: nobody has to read both at once, and no task is needed that could wait for a thread.
        let base = URL(filePath: NSTemporaryDirectory()).appending(path: "opsd-out-\(UUID().uuidString)").path
        let paths = [base + ".1", base + ".2"]
        defer { for path in paths { unlink(path) } }
        let files = try paths.map { path in
            _ = FileManager.default.createFile(atPath: path, contents: nil)
            return try #require(FileHandle(forWritingAtPath: path))
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = files[0]
        process.standardError = files[1]
        try process.runWithOpenSignals()
        process.waitUntilExit()
        let texts = try paths.map { String(decoding: try Data(contentsOf: URL(filePath: $0)), as: UTF8.self) }
        return Output(status: process.terminationStatus, stdout: texts[0], stderr: texts[1])
    }

    func opsctl(_ arguments: String...) throws -> Output {
        try Sandbox.run(
            Sandbox.programs.appending(path: "opsctl").path, arguments, environment: ["OPSD_SOCKET": socket])
    }

    /// As another user, in one group; needs root.
    func opsctl(as uid: UInt32, group: UInt32? = nil, _ arguments: String...) throws -> Output {
        let program = Sandbox.programs.appending(path: "opsctl").path
        let who = ["--reuid", "\(uid)", "--regid", "\(group ?? uid)", "--clear-groups", program]
        return try Sandbox.run("/usr/bin/setpriv", who + arguments, environment: ["OPSD_SOCKET": socket])
    }

    /// Starts opsctl and does not wait for it.
    /// - Parameter output: an existing file that gets what it prints; nil: nobody does.
    func begin(_ arguments: String..., output: String? = nil) throws -> Process {
        let process = Process()
        process.executableURL = Sandbox.programs.appending(path: "opsctl")
        process.arguments = ["--socket", socket] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput =
            try output.map { try #require(FileHandle(forWritingAtPath: $0)) } ?? FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.runWithOpenSignals()
        return process
    }

    func file(_ name: String, _ text: String) throws -> String {
        let url = folder.appending(path: name)
        try Data(text.utf8).write(to: url)
        return url.path
    }

    // MARK: The daemon

    func start(_ arguments: String..., environment: [String: String] = [:]) throws {
        try launch(arguments, environment: environment)
        try eventually("the daemon answers") { try opsctl("daemon", "status").status == 0 }
    }

    /// Starts the daemon and does not wait until it answers.
    @discardableResult
    func launch(_ arguments: [String], environment: [String: String] = [:]) throws -> Process {
        let process = Process()
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.executableURL = URL(filePath: Sandbox.opsd)
        process.arguments = ["--socket", socket] + arguments
        let log = folder.appending(path: "log").path
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let handle = try #require(FileHandle(forWritingAtPath: log))
        handle.seekToEndOfFile()
        process.standardError = handle
        try process.runWithOpenSignals()
        daemon = process
        return process
    }

    func stop() {
        guard let daemon, daemon.isRunning else { return }
        daemon.terminate()
        daemon.waitUntilExit()
    }

    var log: String {
        (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
    }

    func runtimePID() throws -> pid_t? {
        let result = try opsctl("-j", "daemon", "status").json()["result"] as? [String: Any]
        return (result?["runtime_pid"] as? Int).map { pid_t($0) }
    }

    /// Waits for a condition, not for time; gives up after 60 s.
    func eventually(_ what: String, _ condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record("gave up waiting until \(what)\n\(log)")
                throw CancellationError()
            }
            usleep(20_000)
        }
    }
}

extension Process {
    /// Tests run on threads that block all signals, and children inherit that: they could not be told to stop, nor hear
    /// of their own children. Nor would they hear SIGINT where a shell has started the tests in the background.
    func runWithOpenSignals() throws {
        signal(SIGINT, SIG_DFL)
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}

/// An example, compiled once against the header that `opsctl` prints.
enum Example {
    static let cubic: Result<String, any Error> = Result { try compile("cubic") }
    static let reno: Result<String, any Error> = Result { try compile("reno") }

    /// The clang on PATH, if it has the bpf target.
    static let clang = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .map { "\($0)/clang" }
        .first {
            access($0, X_OK) == 0
                && (try? Sandbox.run($0, ["-print-targets"]))?.stdout.contains("bpf") == true
        }

    /// The types that a program is compiled against, as C.
    enum Header: String {
        /// `opsctl btf dump format c`
        case ours
        /// `bpftool btf dump file /sys/kernel/btf/vmlinux format c`
        case runningKernel

        fileprivate func text() throws -> String {
            let output =
                switch self {
                case .ours:
                    try Sandbox.run(
                        Sandbox.programs.appending(path: "opsctl").path, ["btf", "dump", "format", "c"])
                case .runningKernel:
                    try Sandbox.run(
                        "/usr/bin/env",
                        [
                            "PATH=/usr/sbin:/sbin:/usr/bin", "bpftool", "btf", "dump", "file",
                            "/sys/kernel/btf/vmlinux", "format", "c",
                        ])
                }
            try #require(output.status == 0, Comment(rawValue: output.stderr))
            return output.stdout
        }
    }

    static let hasRunningKernelHeader = (try? Header.runningKernel.text()) != nil

    /// The source of an example whose registrations are links, which alone can be updated and detached.
    static func linkSource(_ name: String = "reno") throws -> String {
        try String(contentsOf: Sandbox.root.appending(path: "Examples/\(name).bpf.c"), encoding: .utf8)
            .replacing("SEC(\".struct_ops\")", with: "SEC(\".struct_ops.link\")")
    }

    /// Objects outlive the tests that share them; the folder lies beside the build's other products. One a call: tests
    /// compile side by side.
    ///
    /// - Parameter source: nil: that of the example.
    static func compile(
        _ name: String, against header: Header = .ours, source: String? = nil
    ) throws -> String {
        let folder = Sandbox.binaries.appending(path: "test-objects-\(getpid())/\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(header.text().utf8).write(to: folder.appending(path: "vmlinux.h"))
        let object = folder.appending(path: name + ".bpf.o").path
        var path = "Examples/\(name).bpf.c"
        if let source {
            path = folder.appending(path: name + ".bpf.c").path
            try Data(source.utf8).write(to: URL(filePath: path))
        }
        let result = try Sandbox.run(
            try #require(clang),
            [
                "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-I", folder.path, "-I", "Examples/include", "-c",
                path, "-o", object,
            ])
        try #require(result.status == 0, Comment(rawValue: result.stderr))
        return object
    }
}
