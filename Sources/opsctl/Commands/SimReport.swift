import ArgumentParser
import ControlAPI
import Foundation
import Lab

struct SimReport: Verb {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Show results in one self-contained page.",
        discussion: """
            Several results are compared side by side; those that differ only in their seed are shown as distributions. \
            Charts are drawn by dygraphs, which is read from Debian's libjs-dygraphs and put into the page.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "Results that 'sim run -o' has written.") var results: [String]
    @Option(name: .customShort("o"), help: "Write the page to this file.") var output: String
    @Option(help: "Add the text of the scenario, so that the page says how to repeat the runs; repeatable.")
    var scenario: [String] = []
    @Option(help: "Where dygraph.min.js and dygraph.min.css are.") var dygraphs = ChartLibrary.debianDirectory

    func perform() throws -> Outcome {
        let library = try ChartLibrary(directory: dygraphs)
        let runs = try results.map { try Report.Run(file: fileName($0), bytes: try readFile($0)) }
        let texts = try scenario.map {
            Report.ScenarioText(file: fileName($0), text: String(decoding: try readFile($0), as: UTF8.self))
        }
        let page = Array(Report(runs, scenarios: texts, library: library).html.utf8)
        try writeFile(page, to: output)
        return Outcome(
            ["file": .string(output), "bytes": .integer(Int64(page.count))],
            text: "Wrote \(output) (\(page.count / 1000) kB)")
    }
}
