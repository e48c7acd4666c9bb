package import ControlAPI
import OpsCore

/// Results as one page that needs nothing beside itself: styles, charts and numbers are in it.
///
/// Equal input gives equal bytes. Whatever a result says is text to the page, never markup: everything goes through
/// `Markup`, and the page's own policy lets no script run but the two that it came with.
package struct Report: Sendable {
    package struct Run: Sendable {
        /// The file's name.
        package var file: String
        package var result: RunResult
        /// SHA-256 of the file.
        package var digest: String

        /// - Throws: EINVAL for what is no result.
        package init(file: String, bytes: [UInt8]) throws(Refusal) {
            (self.file, digest) = (file, sha256Hex(bytes))
            result = try RunResult(parsing: bytes, file: file)
        }
    }

    /// The text of a scenario file, by which runs can be repeated.
    package struct ScenarioText: Sendable {
        package var file: String
        package var text: String

        package init(file: String, text: String) { (self.file, self.text) = (file, text) }
    }

    /// More are not drawn side by side, only compared in figures.
    static let panelLimit = 6

    let runs: [Run]
    let scenarios: [ScenarioText]
    let library: ChartLibrary
    let groups: [RunGroup]
    /// What is drawn: the first run of each group.
    let panels: [Panel]

    struct Panel {
        var label: String
        var run: Run
        var data: ChartData?
    }

    /// - Precondition: there is a run.
    package init(_ runs: [Run], scenarios: [ScenarioText] = [], library: ChartLibrary) {
        precondition(!runs.isEmpty, "a report needs a run")
        (self.runs, self.scenarios, self.library) = (runs, scenarios, library)
        groups = RunGroup.groups(of: runs)
        panels = groups.prefix(Report.panelLimit).map {
            Panel(label: $0.label, run: $0.runs[0], data: ChartData($0.runs[0].result.series))
        }
    }

    package var html: String {
        Page(
            kind: "Simulation report", title: title, facts: facts,
            sections: [summary, charts, distributions, tables, reproduction].compactMap { $0 },
            library: library, data: data
        ).html
    }

    private var title: String { runs.map(\.result.scenario).unique.joined(separator: ", ") }

    private var facts: [String] {
        let first = runs[0].result
        var facts = [
            "\(first.flows.count) flow\(first.flows.count == 1 ? "" : "s")",
            "\(first.links.count) link\(first.links.count == 1 ? "" : "s")",
        ]
        if groups.count > 1 { facts.append("\(groups.count) variants") }
        let seeds = runs.map(\.seed).unique
        facts.append(seeds.count == 1 ? "seed \(seeds[0])" : "\(seeds.count) seeds")
        if runs.count > 1 { facts.append("\(runs.count) runs") }
        return facts
    }

    /// What the page's script draws.
    private var data: String {
        let value: JSONValue = ["runs": .array(panels.map { $0.data?.json ?? .null })]
        return value.text().replacing("<", with: "\\u003c")
    }
}
