package import ControlAPI

/// The rows of a database as text. Equal sweeps give equal bytes: no times, no hosts, and an order that does not depend on who
/// ran what when.
package struct SweepExport {
    package enum Format: String, CaseIterable, Sendable { case csv, jsonl }

    private let format: Format
    private let axes: [String]
    private let metrics: [String]

    package init(_ database: SweepDatabase, format: Format) throws(Refusal) {
        self.format = format
        axes = try database.axes().map(\.name)
        metrics = try database.metrics().map(\.name)
    }

    /// A line of names; nil: the format has none.
    package var header: String? {
        guard format == .csv else { return nil }
        return (axes + ["seed", "algorithm", "error"] + metrics).map(Self.field).joined(separator: ",") + "\n"
    }

    package func line(_ row: SweepRow) -> String {
        switch format {
        case .csv:
            let figures = metrics.indices.map { row.figures[$0].map { JSONValue(figure: $0).text() } ?? "" }
            let fields = row.parameters + [String(row.seed), row.algorithm, row.error ?? ""] + figures
            return fields.map(Self.field).joined(separator: ",") + "\n"
        case .jsonl: return json(row).text() + "\n"
        }
    }

    package func json(_ row: SweepRow) -> JSONValue {
        let figures = metrics.indices.compactMap { index in
            row.figures[index].map { JSONValue.Member(metrics[index], JSONValue(figure: $0)) }
        }
        return [
            "parameters": .object(zip(axes, row.parameters).map { .init($0, .string($1)) }),
            "seed": .integer(row.seed), "algorithm": .string(row.algorithm),
            "error": .optional(row.error), "figures": .object(figures),
        ]
    }

    /// RFC 4180.
    private static func field(_ text: String) -> String {
        guard text.utf8.contains(where: { ",\"\n\r".utf8.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}

extension JSONValue {
    /// A whole number without a fraction: 9470000, not 9470000.0.
    package init(figure: Double) {
        self = Int64(exactly: figure).map { .integer($0) } ?? .double(figure)
    }
}
