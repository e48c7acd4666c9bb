import ArgumentParser
import ControlAPI
import Foundation

/// The command line: parses, calls the daemon or a runtime of its own, prints, and ends with one of four codes.
@main
struct Opsctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "opsctl",
        abstract: "Registers and runs Linux struct_ops programs in userspace.",
        discussion: """
            Selectors are 'id N' or 'name S'. Verbs may be shortened as long as they stay unambiguous.
            check, prog run, btf dump and sim run --local need no daemon.

            Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 daemon not reachable.
            """,
        version: Product.version,
        subcommands: [
            Register.self, Unregister.self, Update.self, Show.self, Users.self, WaitVerb.self, Ejected.self,
            Dump.self, RegistryCommand.self, Check.self, Prog.self,
            MapCommand.self,
            BTFCommand.self, LinkCommand.self, Sim.self, Daemon.self, Monitor.self, Top.self, Trace.self,
            Metrics.self,
        ])

    @OptionGroup var global: GlobalOptions

    static func main() {
        Foundation.exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    static func run(_ arguments: [String]) -> ExitCode {
        var printer = Printer(format: requestedFormat(arguments))
        let command: any ParsableCommand
        do {
            let normalized = try ArgumentNormalizer.normalize(arguments)
            guard !normalized.isEmpty else { throw Refusal.usage("no verb given") }
            command = try parseAsRoot(normalized)
            // `opsctl -j`, `opsctl prog dump`: half a command is wrong usage, not a call for help.
            guard type(of: command).configuration.subcommands.isEmpty else {
                throw Refusal.usage("no verb given")
            }
        } catch {
            return report(parseError: error, printer)
        }
        guard let verb = command as? any Verb else {
            var command = command
            do { try command.run() } catch { return report(parseError: error, printer) }
            return .done
        }
        printer.format = verb.global.format
        var outcome: Outcome
        do {
            outcome = try verb.perform()
        } catch {
            outcome = Outcome(failure: Opsctl.refusal(error))
        }
        printer.print(outcome)
        return ExitCode(outcome.failure)
    }

    /// `--help` and `--version` are answers, on stdout; everything else is wrong usage.
    private static func report(parseError error: any Error, _ printer: Printer) -> ExitCode {
        if let refusal = error as? Refusal {
            printer.print(Outcome(failure: refusal))
            return ExitCode(refusal)
        }
        if exitCode(for: error) == .success {
            Printer.write(message(for: error) + "\n", to: 1)
            return .done
        }
        printer.print(Outcome(failure: .usage(message(for: error))))
        return .usage
    }

    static func refusal(_ error: any Error) -> Refusal {
        switch error {
        case let refusal as Refusal: refusal
        case let error as ClientError: error.refusal
        default: Refusal("internal", errno: 5, "\(error)")
        }
    }

    /// Known before the command line has been parsed, for a JSON reader wants JSON of parse errors too.
    private static func requestedFormat(_ arguments: [String]) -> OutputFormat {
        let words = arguments.prefix { $0 != "--" }
        if words.contains(where: { ["-p", "--pretty", "-jp", "-pj"].contains($0) }) { return .indentedJSON }
        return words.contains("-j") || words.contains("--json") ? .json : .text
    }
}

/// A verb: what to do, and what came of it.
protocol Verb: ParsableCommand {
    var global: GlobalOptions { get }
    func perform() throws -> Outcome
}

extension Verb {
    func run() throws { _ = try perform() }

    /// Calls the daemon and decodes its (last) answer.
    func call<Reply: Decodable>(
        _ method: Method, _ parameters: some Encodable, as type: Reply.Type = Reply.self
    ) throws -> Reply {
        try answer(method, parameters).decode(as: type)
    }

    func answer(
        _ method: Method, _ parameters: some Encodable, more: Bool = false,
        progress: (JSONValue) -> Void = { _ in }
    ) throws -> JSONValue {
        let client = try Client(path: global.socketPath)
        return try client.call(
            Call(method.rawValue, try JSONValue(encoding: parameters), more: more), progress: progress)
    }
}

/// Parameters of a method that has none.
struct NoParameters: Encodable {}

/// A file that the user named, or why it cannot be read.
func readFile(_ path: String) throws(Refusal) -> [UInt8] {
    do {
        return Array(try Data(contentsOf: URL(filePath: path)))
    } catch {
        let failure = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let code = failure.map { CInt($0.code) } ?? ENOENT
        throw Refusal(
            "io", errno: Int(code), "cannot read '\(path)'", reason: String(cString: strerror(code)))
    }
}
