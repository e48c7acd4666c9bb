import ArgumentParser
import ControlAPI
import Foundation
import Lab

struct SweepShow: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Means over the seeds with their 95 % intervals, per point and algorithm.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A sweep's database.") var database: String
    @Option(help: "A figure to show, as 'expect:' names it; repeatable. All are in the JSON.")
    var figure: [String] = []

    func perform() throws -> Outcome {
        let database = try SweepDatabase.open(database)
        let summary = try SweepSummary(database)
        let counts = try database.counts()
        let json = summary.json.setting("sweep", to: .string(try database.name()))
            .setting("missing", to: .integer(Int64(counts.missing)))
        let title =
            "\(try database.name()): \(counts.done) of \(counts.all) runs done"
            + (counts.failed > 0 ? ", \(counts.failed) failed" : "")
        return Outcome(json, text: title + "\n\n" + (try table(summary)).text)
    }

    private func table(_ summary: SweepSummary) throws -> Table {
        let wanted = try shown(summary.metrics)
        var table = Table(
            summary.axes.map { $0.unit == nil ? .text($0.name) : .number($0.name) }
                + [.text("algorithm"), .number("n")] + wanted.map { .number(summary.metrics[$0].name) })
        for group in summary.groups {
            let count = wanted.compactMap { group.samples[$0]?.count }.max() ?? 0
            table.add(
                group.parameters + [group.algorithm, String(count)]
                    + wanted.map { metric in
                        group.samples[metric].map { cell($0, summary.metrics[metric].unit) } ?? "-"
                    })
        }
        return table
    }

    /// Positions of the figures asked for, else of as many of the telling ones as a terminal holds.
    private func shown(_ metrics: [SweepDatabase.MetricInfo]) throws -> [Int] {
        guard figure.isEmpty else {
            return try figure.map { name in
                guard let index = metrics.firstIndex(where: { $0.name == name }) else {
                    throw Refusal(
                        "not-found", errno: 2, "the sweep has no figure '\(name)'",
                        suggestion: metrics.map(\.name).joined(separator: ", "))
                }
                return index
            }
        }
        let telling = [".goodput", "jain", ".utilization", ".qdelay.p95", ".fct.p95"]
        let ordered = telling.flatMap { suffix in
            metrics.indices.filter { metrics[$0].name.hasSuffix(suffix) }
        }
        return Array(ordered.prefix(5))
    }

    private func cell(_ sample: Sample, _ unit: String) -> String {
        let (scale, letters) = unit == "bit/s" ? (1e6, " Mbit/s") : (1.0, unit.isEmpty ? "" : " " + unit)
        let mean = String(format: "%.4g", sample.mean / scale)
        let width = sample.halfWidth95.map { String(format: " ± %.2g", $0 / scale) } ?? ""
        return mean + width + letters
    }
}

struct SweepExportVerb: Verb {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print a sweep's rows, sorted by parameters, seed and algorithm.",
        discussion:
            "Equal sweeps give equal bytes, however many workers ran them where. With -j one document.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A sweep's database.") var database: String
    @Option(help: "csv or jsonl.") var format = SweepExport.Format.csv

    func perform() throws -> Outcome {
        let database = try SweepDatabase.open(database)
        let export = try SweepExport(database, format: format)
        guard global.format == .text else {
            var rows: [JSONValue] = []
            try database.forEachRow { rows.append(export.json($0)) }
            return Outcome(.array(rows))
        }
        if let header = export.header { Printer.write(header, to: STDOUT_FILENO) }
        try database.forEachRow { Printer.write(export.line($0), to: STDOUT_FILENO) }
        return Outcome()
    }
}

extension SweepExport.Format: ExpressibleByArgument {}
