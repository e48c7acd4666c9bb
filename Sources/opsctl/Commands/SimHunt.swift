import ArgumentParser
import ControlAPI
import Foundation
import Lab
import OpsHost

struct SimHunt: Verb {
    static let configuration = CommandConfiguration(
        commandName: "hunt", abstract: "Search for a scenario in which a congestion control does harm.",
        discussion: """
            Starvation, collapse or unfairness that neither Reno nor CUBIC shows in its place; the first one found is made \
            as small as it goes, and written as a scenario whose 'expect:' fails. Exit code 0, found or not.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "An object with a tcp_congestion_ops.") var object: String
    @Option(help: "Which one, by its ops name, if there are several.") var cc: String?
    @Option(help: "Scenarios to try at most (default: 200, or no end with --seconds).") var runs: Int?
    @Option(help: "Begin none after so long; then the machine's speed decides how far it gets.") var seconds:
        Double?
    @Option(help: "Other seeds, other scenarios.") var seed: UInt64 = 1
    @Option(name: .customShort("o"), help: "Write the scenario to this file.") var output: String?
    @OptionGroup var workers: WorkerOptions

    func validate() throws {
        guard runs ?? 1 >= 1 else { throw ValidationError("--runs is at least 1") }
    }

    func perform() throws -> Outcome {
        let host = try RuntimeHost()
        let name = try register(on: host)
        let limit = runs ?? (seconds == nil ? 200 : .max)
        let isInterrupted = Interruption.watch()
        let bar = ProgressBar(format: global.format)
        defer { bar.clear() }
        let report = try Hunt(name, seed: seed, on: host).run(
            runs: limit, seconds: seconds, workers: workers.count
        ) { tried in
            if limit != .max {
                bar.show(name, share: Double(tried) / Double(limit), detail: "\(tried) scenarios tried")
            }
            return !isInterrupted()
        }
        bar.clear()
        if let output, let finding = report.finding {
            try writeFile(Array(finding.scenario.utf8), to: output)
        }
        return Outcome(json(report, name), text: describe(report, name))
    }

    /// - Returns: the ops name to try.
    private func register(on host: RuntimeHost) throws -> String {
        let parameters = RegisterParameters(object: "", file: fileName(object))
        _ = try host.register(parameters, object: try readFile(object), uid: 0)
        let names = try host.list(Selector()).filter { $0.kernelStructOps == "tcp_congestion_ops" }.map(
            \.opsName)
        if let cc, !names.contains(cc) {
            throw Refusal(
                "not-found", errno: 2, "'\(object)' has no congestion control '\(cc)'",
                reason: "it has " + names.joined(separator: ", "))
        }
        guard let name = cc ?? names.first, cc != nil || names.count == 1 else {
            throw Refusal.usage("'\(object)' has \(names.joined(separator: ", ")): say which with --cc")
        }
        return name
    }

    private func json(_ report: Hunt.Report, _ name: String) -> JSONValue {
        let finding = report.finding.map { finding -> JSONValue in
            [
                "kind": .string(finding.trouble.kind.rawValue), "subject": .string(finding.trouble.subject),
                "number": .integer(Int64(finding.number)), "scenario": .string(finding.scenario),
                "checks": .array(finding.verdicts.map(\.json)),
            ]
        }
        return [
            "cc": .string(name), "seed": .integer(Int64(clamping: seed)),
            "tried": .integer(Int64(report.tried)),
            "finding": finding ?? .null,
        ]
    }

    private func describe(_ report: Hunt.Report, _ name: String) -> String {
        guard let finding = report.finding else {
            return
                "\(name): no starvation, collapse or unfairness in \(report.tried) scenarios (seed \(seed))"
        }
        let subject = finding.trouble.subject.isEmpty ? "" : " of '\(finding.trouble.subject)'"
        return """
            # \(name): \(finding.trouble.kind.rawValue)\(subject), found in scenario \(finding.number) of seed \(seed)
            \(finding.verdicts.map { "# \($0.expectation): \($0.explanation)" }.joined(separator: "\n"))
            \(finding.scenario.dropLast())
            """
    }
}
