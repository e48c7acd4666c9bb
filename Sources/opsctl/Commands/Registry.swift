import ArgumentParser
import ControlAPI
import Foundation

struct Register: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Register the struct_ops maps of an object.",
        discussion: """
            All maps or none, unless --keep-going, which keeps what succeeded and ends with 1.
            With --transient they are kept as long as opsctl is there, which stays until it is interrupted or the last \
            of them has been ended by others.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A .bpf.o file.") var object: String
    @Option(help: "Only this map (the C variable's name); repeatable.") var map: [String] = []
    @Flag(help: "Keep what succeeds when a map fails.") var keepGoing = false
    @OptionGroup var signing: SignatureOption
    @Flag(help: "They end with this command, and are not stored.") var transient = false

    func perform() throws -> Outcome {
        var parameters = RegisterParameters(
            object: Data(try readFile(object)).base64EncodedString(), maps: map.isEmpty ? nil : map,
            keepGoing: keepGoing ? true : nil, file: fileName(object), signature: try signing.base64())
        guard transient else {
            let reply: RegistrationsReply = try call(.registryRegister, parameters)
            return outcome(reply)
        }
        parameters.transient = true
        let printer = Printer(format: global.format)
        let last = try answer(.registryRegister, parameters, more: true) { first in
            if let reply: RegistrationsReply = try? first.decode() { printer.print(outcome(reply)) }
        }
        // Interrupted, we do not get here.
        let ends = try (last["ended"] ?? []).decode(as: [RegistrationEnd].self)
        return WaitVerb.outcome(ends)
    }

    private func outcome(_ reply: RegistrationsReply) -> Outcome {
        var outcome = Outcome(
            .array(reply.registrations.map(\.json)),
            text: reply.registrations.map { Show.sentence("Registered", $0) }.joined(separator: "\n"))
        if let failures = reply.failures, var first = failures.first?.error {
            if failures.count > 1 {
                first.reason = [first.reason, "\(failures.count - 1) more failed: " + rest(failures)]
                    .compactMap { $0 }.joined(separator: "\n")
            }
            outcome.failure = first
        }
        return outcome
    }

    private func rest(_ failures: [RegisterFailure]) -> String {
        failures.dropFirst().map { "map \($0.map): \($0.error.text)" }.joined(separator: "; ")
    }
}

struct Unregister: Verb {
    static let configuration = CommandConfiguration(abstract: "End a registration, with or without link.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.requiredSelector(selector)
        let reply: RegistrationsReply = try call(.registryUnregister, selector)
        return Outcome(
            .array(reply.registrations.map(\.json)),
            text: reply.registrations.map { Show.sentence("Unregistered", $0) }.joined(separator: "\n"))
    }
}

struct Update: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Swap a registration for a map of another object, atomically.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S, then the .bpf.o file.") var words: [String] = []
    @Option(help: "The map of the object (its C variable); needed if it has several.") var map: String?
    @Option(help: "Refuse unless this id is the one in use.") var expect: UInt32?
    @OptionGroup var signing: SignatureOption
    @Option(help: "Bring the old one back if the new one is ejected within this time: 10s, 500ms.")
    var trial: String?

    func perform() throws -> Outcome {
        var words = Words(words)
        let selector = try words.takeRequiredSelector()
        guard let object = words.takeWord() else { throw Refusal.usage("update needs an object file") }
        try words.finish()
        let bytes = try readFile(object)
        let reply: RegistrationsReply = try call(
            .registryUpdate,
            UpdateParameters(
                selector, object: Data(bytes).base64EncodedString(), map: map, expect: expect,
                file: fileName(object), signature: try signing.base64(), trialS: try trial.map(seconds)))
        return Outcome(
            .array(reply.registrations.map(\.json)),
            text: reply.registrations.map { Show.sentence("Updated", $0) }.joined(separator: "\n"))
    }
}

struct SignatureOption: ParsableArguments {
    @Option(
        help:
            "A detached Ed25519 signature of the object: 64 bytes, as 'openssl pkeyutl -sign -rawin' writes them."
    )
    var signature: String?

    func base64() throws -> String? {
        try signature.map { Data(try readFile($0)).base64EncodedString() }
    }
}

struct Show: Verb {
    static let configuration = CommandConfiguration(abstract: "List registrations.", aliases: ["list"])

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S; none: all.") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.selector(selector)
        let reply: RegistrationsReply = try call(.registryList, selector)
        return Outcome(
            .array(reply.registrations.map(\.json)),
            text: reply.registrations.map(Show.line).joined(separator: "\n"))
    }

    /// bpftool's columns, then what it does not show.
    static func line(_ registration: Registration) -> String {
        var line =
            "\(registration.id): " + pad(registration.name, 15) + " " + pad(registration.kernelStructOps, 32)
        line +=
            " " + pad(registration.state, 8) + " refs \(registration.refs)  ops_name \(registration.opsName)"
        if let link = registration.linkID { line += "  link \(link)" }
        if let trial = registration.trial {
            line += "  on trial for \(trial.leftS) s, then id \(trial.fallback) goes"
        }
        if let reason = registration.reason { line += "\n\treason: \(reason)" }
        return line
    }

    static func sentence(_ verb: String, _ registration: Registration) -> String {
        "\(verb) \(registration.kernelStructOps) \(registration.name) id \(registration.id)"
            + (registration.linkID.map { " link id \($0)" } ?? "")
    }
}

struct Dump: Verb {
    static let configuration = CommandConfiguration(abstract: "Print registered values through BTF.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S; none: all.") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.selector(selector)
        let reply: DumpReply = try call(.registryDump, selector)
        let result = JSONValue.array(reply.dump)
        // bpftool prints JSON here even for people.
        return Outcome(result, text: result.text(indented: true))
    }
}

func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

/// The last part of a path: what messages call the file.
func fileName(_ path: String) -> String {
    URL(filePath: path).lastPathComponent
}
