import ArgumentParser
import ControlAPI
import OpsHost

struct Check: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Verify the programs of objects, without a daemon and without side effects.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: ".bpf.o files.") var objects: [String]
    @Option(help: "Only the program of this name.") var program: String?
    @Option(help: "What surrounds the program: auto, none, or a struct_ops type.") var context = "auto"
    @Option(help: "BTF to judge against, in place of our own.") var btf: String?
    @Option(help: "How much of the verifier's log to print: 0, 1 or 2.") var logLevel = 0

    func validate() throws {
        guard (0...2).contains(logLevel) else {
            throw ValidationError("--log-level is 0, 1 or 2, got \(logLevel)")
        }
        guard !objects.isEmpty else { throw ValidationError("check needs at least one object file") }
    }

    func perform() throws -> Outcome {
        let host = try RuntimeHost()
        let request = CheckRequest(
            program: program, context: context, btf: try btf.map { try readFile($0) }, logLevel: logLevel,
            isCancelled: Interruption.watch())
        var verdicts: [ProgramVerdict] = []
        var failure: Refusal?
        for object in objects {
            // One file that is no object does not hide the verdicts on the others.
            do {
                verdicts += try host.check(try readFile(object), name: fileName(object), request)
                if Interruption.hasCome { break }
            } catch {
                failure = failure ?? Opsctl.refusal(error)
            }
        }
        return Outcome(
            ["programs": .array(verdicts.map(\.json))],
            text: verdicts.map(Check.describe).joined(separator: "\n"),
            failure: failure ?? Check.failure(of: verdicts))
    }

    private static func failure(of verdicts: [ProgramVerdict]) -> Refusal? {
        let bad = verdicts.filter { $0.verdict != "accept" }
        guard let first = bad.first else { return nil }
        let isRejected = bad.contains { $0.verdict == "reject" }
        return Refusal(
            isRejected ? "verifier" : "unsupported", errno: isRejected ? 13 : 95,
            bad.count == 1 ? "1 program was not accepted" : "\(bad.count) programs were not accepted",
            at: .init(object: first.object, program: first.program), reason: first.reason?.problem,
            suggestion: first.reason?.suggestion)
    }

    static func describe(_ verdict: ProgramVerdict) -> String {
        var facts = "insns \(verdict.insns)  processed \(verdict.insnsProcessed)"
        if let bound = verdict.bound { facts += "  bound \(bound)" }
        var lines = [
            "\(pad(verdict.verdict, 11)) \(verdict.object)  \(verdict.program)  [\(verdict.section)]  \(facts)  "
                + "\(verdict.verifyUs) us"
        ]
        if let text = verdict.explanation {
            lines += text.split(separator: "\n", omittingEmptySubsequences: false).map { "\t" + $0 }
        }
        if let log = verdict.log, !log.isEmpty { lines.append(log) }
        return lines.joined(separator: "\n")
    }
}
