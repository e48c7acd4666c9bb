import ArgumentParser
import ControlAPI
import Foundation
import Lab
import OpsHost

struct SimCheck: Verb {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Run scenarios and judge their 'expect:' lists, without a daemon.",
        discussion: "Exit code 1 if an expectation does not hold.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "Scenarios in YAML.") var files: [String]
    @Option(help: "Register the maps of this object that some 'cc:' names; repeatable.")
    var object: [String] = []
    @Option(help: "Write the verdicts as JUnit XML to this file.") var junit: String?

    func perform() throws -> Outcome {
        let verdicts = try files.flatMap(check)
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

    private func check(_ file: String) throws -> [ExpectationVerdict] {
        let text = String(decoding: try readFile(file), as: UTF8.self)
        let host = try RuntimeHost()
        let scenario = try host.scenario(
            text, file: fileName(file), files: try readFiles(neededBy: text, at: file))
        // Among several files, those of built-ins alone need no object.
        for path in object where files.count == 1 || scenario.needsObjects {
            try host.registerNeeded(by: scenario, try readFile(path), name: fileName(path))
        }
        return try host.check(scenario, file: fileName(file))
    }

    private static func describe(_ verdict: ExpectationVerdict) -> String {
        "\(verdict.passed ? "ok  " : "FAIL")  \(verdict.scenario)  \(verdict.expectation)  (\(verdict.explanation))"
    }
}
