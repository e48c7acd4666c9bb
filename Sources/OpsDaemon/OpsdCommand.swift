import ArgumentParser
import CShim
import ControlAPI
import Glibc

/// `opsd`: the broker, or, as its own child, the runtime.
@main
struct OpsdCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "opsd", abstract: "Hosts Linux struct_ops programs in userspace.",
        discussion: """
            With a socket from systemd, --socket is not used. Without a state directory nothing is kept.
            What the command line says goes before the configuration. SIGHUP reads the configuration again.
            """,
        version: Product.version)

    @Option(help: "Where to listen.") var socket = Product.defaultSocketPath
    @Option(help: "Where metrics may be scraped, over HTTP (default: nowhere).") var metricsSocket: String?
    @Option(help: "Where registrations are kept (default: $STATE_DIRECTORY).") var stateDir: String?
    @Option(
        help:
            "The configuration, with FILE.d/*.yaml (default: \(ConfigurationFiles.defaultPath), if it is there)."
    )
    var config: String?
    @Flag(help: "Read the configuration, say what is wrong with it, and end.") var checkConfig = false
    @Option(help: "Members of this group may change things, beside root and the daemon's own user.")
    var group: String?
    @Option(help: "Seconds of CPU time that a request may take of the runtime before it counts as hung.")
    var hangTimeout: Int?
    @Flag(help: .hidden) var runtime = false

    static func main() {
        do {
            let command = try parseAsRoot(Array(CommandLine.arguments.dropFirst()))
            guard let command = command as? OpsdCommand else { return }
            try command.run()
        } catch {
            let isAnswer = exitCode(for: error) == .success
            let text = (error as? StartFailure)?.text ?? message(for: error)
            say(isAnswer ? text : "opsd: \(text)", to: isAnswer ? STDOUT_FILENO : STDERR_FILENO)
            Glibc.exit(isAnswer ? 0 : error is StartFailure ? 1 : 2)
        }
    }

    func validate() throws {
        if let hangTimeout, hangTimeout < 1 {
            throw ValidationError("--hang-timeout is at least 1, got \(hangTimeout)")
        }
    }

    func run() throws {
        if runtime { RuntimeRole.run() }
        let source = ConfigurationSource(
            files: ConfigurationFiles(path: config), group: group, hangTimeoutSeconds: hangTimeout)
        guard !checkConfig else { return try check(source) }
        ops_keep_freed_memory()
        try BrokerRole.run(
            BrokerOptions(
                socketPath: socket, stateDirectory: stateDir ?? environment("STATE_DIRECTORY"),
                metricsPath: metricsSocket, source: source))
    }

    private func check(_ source: ConfigurationSource) throws {
        do { _ = try source.read() } catch { throw StartFailure(error.text) }
        say("\(source.files.path): ok", to: STDOUT_FILENO)
    }
}

/// Why the daemon does not start.
struct StartFailure: Error {
    var text: String

    init(_ text: String) {
        self.text = text
    }
}

/// One line, past the buffers of stdio, which threads would share.
func say(_ line: String, to descriptor: CInt = STDERR_FILENO) {
    let bytes = Array((line + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
}

/// A variable of the environment; nil if it is unset or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}
