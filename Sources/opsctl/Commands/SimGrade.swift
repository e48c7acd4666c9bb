import ArgumentParser
import ControlAPI
import Foundation
import Lab
import OpsHost

struct SimGrade: Verb {
    static let configuration = CommandConfiguration(
        commandName: "grade", abstract: "Print a report card of an object beside reno, cubic and bbr.",
        discussion: """
            Runs a suite of scenarios, on all cores and without a daemon. A mark says how near the object comes to the \
            best reference: A from 90 %, B from 75 %, C from 50 %, D below; F says that something broke that must hold. \
            Exit code 1 if something did.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "The object; without one --cc names what is built in.") var object: String?
    @Option(help: "Which of the object's ops.") var cc: String?
    @Option(help: "Grade by this scenario instead of the suite in Examples; repeatable.")
    var suite: [String] = []

    func validate() throws {
        guard object != nil || cc != nil else { throw ValidationError("an object is missing") }
    }

    func perform() throws -> Outcome {
        let host = try RuntimeHost()
        let suite = try suite.isEmpty ? GradeSuite.examples(on: host) : ownSuite(host)
        let cc = try register(on: host)
        let bar = ProgressBar(format: global.format)
        defer { bar.clear() }
        let grade = host.grade(cc, by: suite) { done, all in
            bar.show("grading \(cc)", share: Double(done) / Double(all), detail: "\(done) of \(all) runs")
        }
        bar.clear()
        var failure: Refusal?
        if let first = grade.failures.first {
            failure = Refusal(
                "grade", errno: 1, "\(cc) fails \(grade.failures.count) of \(grade.lines.count) scenarios",
                at: .init(file: first.file), reason: first.complaints.first)
        }
        return Outcome(grade.json, text: ReportCard(grade).text, failure: failure)
    }

    private func ownSuite(_ host: RuntimeHost) throws -> GradeSuite {
        GradeSuite(
            try suite.map { path in
                let text = String(decoding: try readFile(path), as: UTF8.self)
                return try GradeSuite.Item(
                    file: fileName(path),
                    scenario: try host.scenario(
                        text, file: fileName(path), files: try readFiles(neededBy: text, at: path)))
            })
    }

    /// The ops name that is graded.
    private func register(on host: RuntimeHost) throws -> String {
        guard let object else { return cc ?? "" }
        let bytes = try readFile(object)
        let name = try cc ?? Candidate.only(of: [(fileName(object), bytes)], on: host)
        try host.registerNeeded(by: [name], bytes, name: fileName(object), user: "--cc")
        return name
    }
}
