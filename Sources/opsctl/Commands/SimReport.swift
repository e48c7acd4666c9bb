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
    @Argument(help: "Results that 'sim run -o' has written, or the database of one sweep.") var results:
        [String]
    @Option(name: .customShort("o"), help: "Write the page to this file.") var output: String
    @Option(help: "Add the text of the scenario, so that the page says how to repeat the runs; repeatable.")
    var scenario: [String] = []
    @Option(help: "Where dygraph.min.js and dygraph.min.css are.") var dygraphs = ChartLibrary.debianDirectory

    @Option(help: "Of a sweep: an axis of its heat maps, the first across; at most two.") var axis: [String] =
        []
    @Option(help: "Of a sweep: a figure to map; repeatable.") var figure: [String] = []

    func validate() throws {
        guard axis.count <= 2 else { throw ValidationError("a heat map has two axes") }
    }

    func perform() throws -> Outcome {
        let isDatabase = { (path: String) in try readFile(path).starts(with: "SQLite format 3\0".utf8) }
        if let path = results.first, results.count == 1, try isDatabase(path) {
            let report = try SweepReport(SweepDatabase.open(path), axes: axis, figures: figure)
            return try write(report.html)
        }
        guard axis.isEmpty, figure.isEmpty else {
            throw Refusal.usage("--axis and --figure are for the database of a sweep")
        }
        let library = try ChartLibrary(directory: dygraphs)
        let runs = try results.map { try Report.Run(file: fileName($0), bytes: try readFile($0)) }
        let texts = try scenario.map {
            Report.ScenarioText(file: fileName($0), text: String(decoding: try readFile($0), as: UTF8.self))
        }
        return try write(Report(runs, scenarios: texts, library: library).html)
    }

    private func write(_ html: String) throws -> Outcome {
        let page = Array(html.utf8)
        try writeFile(page, to: output)
        return Outcome(
            ["file": .string(output), "bytes": .integer(Int64(page.count))],
            text: "Wrote \(output) (\(page.count / 1000) kB)")
    }
}
