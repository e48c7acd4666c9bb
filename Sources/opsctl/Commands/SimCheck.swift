import ArgumentParser
import ControlAPI
import Foundation
import Lab
import OpsHost

struct SimCheck: Verb {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Run scenarios and judge their 'expect:' lists, without a daemon.",
        discussion: """
            Exit code 1 if an expectation does not hold. Of several objects each is used by the scenarios that name one of \
            its ops. 'cc: $CC' in a scenario stands for the congestion control that --cc names, or for the only ops of the \
            objects.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "Scenarios in YAML.") var files: [String]
    @Option(help: "Register the maps of this object that some 'cc:' names; repeatable.")
    var object: [String] = []
    @Option(help: "The congestion control to try where a scenario says 'cc: $CC'.") var cc: String?
    @Option(help: "Write the verdicts as JUnit XML to this file.") var junit: String?

    func perform() throws -> Outcome {
        let verdicts = try judge()
        if let junit { try writeFile(Array(JUnitReport.xml(verdicts).utf8), to: junit) }
        let failed = verdicts.filter { !$0.passed }
        var failure: Refusal?
        if let first = failed.first {
            failure = Refusal(
                "expectation", errno: 1,
                "\(failed.count) of \(verdicts.count) expectations \(failed.count == 1 ? "does" : "do") not hold",
                at: .init(file: first.file, line: first.line),
                reason: "\(first.expectation): \(first.explanation)")
        }
        return Outcome(
            ["checks": .array(verdicts.map(\.json))],
            text: verdicts.map(SimCheck.describe).joined(separator: "\n"), failure: failure)
    }

    /// All files on one runtime, so that an object is verified and compiled once.
    private func judge() throws -> [ExpectationVerdict] {
        let host = try RuntimeHost()
        let scenarios = try files.map { file in
            let text = String(decoding: try readFile(file), as: UTF8.self)
            return (
                file: fileName(file),
                scenario: try host.scenario(
                    text, file: fileName(file), files: try readFiles(neededBy: text, at: file))
            )
        }
        let objects = try object.map { (name: fileName($0), bytes: try readFile($0)) }
        var cc = cc
        if cc == nil, scenarios.contains(where: \.scenario.hasOpenControl) {
            cc = try Candidate.only(of: objects, on: host)
        }
        let needed = scenarios.flatMap { $0.scenario.controlsChecked(cc: cc) }
        for object in objects {
            try host.registerNeeded(
                by: needed, object.bytes, name: object.name,
                user: files.count == 1 ? "the scenario" : "the scenarios")
        }
        return try scenarios.flatMap { try host.check($0.scenario, file: $0.file, cc: cc) }
    }

    private static func describe(_ verdict: ExpectationVerdict) -> String {
        "\(verdict.passed ? "ok  " : "FAIL")  \(verdict.scenario)  \(verdict.expectation)  (\(verdict.explanation))"
    }
}
