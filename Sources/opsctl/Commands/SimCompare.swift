import ArgumentParser
import ControlAPI
import Foundation
import Lab

struct SimCompare: Verb {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Say what changed between results, and whether beyond the noise.",
        discussion: """
            An operand is a result of 'sim run -o', a folder of such results that differ in their seeds, or a sweep's \
            database, whose points and algorithms are compared one by one. The others are compared with the first.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "Two or more.") var operands: [String]
    @Flag(help: "Show also what did not change, or not beyond the noise.") var all = false

    func validate() throws {
        guard operands.count >= 2 else { throw ValidationError("two operands or more") }
    }

    func perform() throws -> Outcome {
        let read = try operands.map(Self.read)
        let comparisons = read.dropFirst().map { Comparison(read[0], $0) }
        return Outcome(
            ["comparisons": .array(comparisons.map(\.json))],
            text: comparisons.map { describe($0) }.joined(separator: "\n\n"))
    }

    // MARK: Operands

    private static func read(_ path: String) throws -> ComparisonOperand {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
            let files = names.filter { $0.hasSuffix(".json") }.map { path + "/" + $0 }
            guard !files.isEmpty else {
                throw Refusal("io", errno: 2, "there is no result (*.json) in '\(path)'")
            }
            return ComparisonOperand(name: path, results: try files.map(result))
        }
        if (try readFile(path)).starts(with: Array("SQLite format 3".utf8)) {
            return try ComparisonOperand(name: path, sweep: try SweepDatabase.open(path))
        }
        return ComparisonOperand(name: path, results: [try result(path)])
    }

    private static func result(_ path: String) throws -> JSONValue {
        let value: JSONValue
        do { value = try JSONValue(parsing: try readFile(path), limits: .reply) } catch let error as JSONError
        {
            throw Refusal("result", errno: 22, "'\(path)' is no result", reason: "\(error)")
        }
        guard value["flows"]?.array != nil else {
            throw Refusal(
                "result", errno: 22, "'\(path)' is no result", reason: "it has no 'flows'",
                suggestion: "opsctl sim run FILE -o \(path)")
        }
        return value
    }

    // MARK: Text

    private func describe(_ comparison: Comparison) -> String {
        let shown = comparison.changes.filter { all || [.changed, .unknown].contains($0.verdict) }
        var title = "\(comparison.before) → \(comparison.after): "
        let counts = Dictionary(grouping: comparison.changes, by: \.verdict).mapValues(\.count)
        title += [Comparison.Verdict.changed, .noise, .unknown, .same]
            .compactMap { verdict in counts[verdict].map { "\($0) \(verdict.rawValue)" } }.joined(
                separator: ", ")
        if !comparison.unmatched.isEmpty { title += ", \(comparison.unmatched.count) only in one of them" }
        guard !shown.isEmpty else { return title }
        let hasPlaces = shown.contains { !$0.place.isEmpty }
        var table = Table(
            (hasPlaces ? [.text("at")] : []) + [
                .text("figure"), .number("before"), .number("after"), .number("change"), .number("± 95 %"),
                .number("p"), .text("verdict"),
            ])
        for change in shown {
            table.add((hasPlaces ? [change.place.joined(separator: ", ")] : []) + cells(change))
        }
        return title + "\n\n" + table.text
    }

    private func cells(_ change: Comparison.Change) -> [String] {
        let (scale, letters) =
            change.unit == "bit/s" ? (1e6, " Mbit/s") : (1.0, change.unit.isEmpty ? "" : " " + change.unit)
        func text(_ number: Double) -> String { String(format: "%.4g", number / scale) }
        let percent = change.relative.map { String(format: "%+.1f %%", $0 * 100) }
        return [
            change.figure, text(change.before.mean) + letters, text(change.after.mean) + letters,
            percent ?? String(format: "%+.4g", change.difference / scale),
            change.test.map { text($0.halfWidth95) + letters } ?? "-",
            change.adjustedP.map { String(format: "%.2g", $0) } ?? "-", change.verdict.rawValue,
        ]
    }
}
