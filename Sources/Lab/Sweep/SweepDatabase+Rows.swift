package import ControlAPI
import GRDB

/// A run that has ended, as the database has it.
package struct SweepRow: Sendable {
    package var run: Int
    package var point: Int
    /// The axes' values as text, in their order.
    package var parameters: [String]
    package var seed: Int64
    package var algorithm: String
    /// Why it failed; nil: it did not.
    package var error: String?
    /// By position in `metrics()`.
    package var figures: [Int: Double]
}

extension SweepDatabase {
    package struct AxisInfo: Equatable, Sendable {
        package var name: String
        package var unit: String?
    }

    package struct MetricInfo: Equatable, Sendable {
        package var name: String
        package var unit: String
    }

    package func name() throws(Refusal) -> String { try meta("name") }

    package func axes() throws(Refusal) -> [AxisInfo] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT name, unit FROM axes ORDER BY axis").map {
                AxisInfo(name: $0["name"], unit: $0["unit"])
            }
        }
    }

    /// Sorted by name: their ids depend on which run came first.
    package func metrics() throws(Refusal) -> [MetricInfo] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT name, unit FROM metrics ORDER BY name").map {
                MetricInfo(name: $0["name"], unit: $0["unit"])
            }
        }
    }

    /// Texts of the points' values, by point.
    private func points() throws(Refusal) -> [Int: [String]] {
        try read { db in
            var points: [Int: [String]] = [:]
            let rows = try Row.fetchCursor(db, sql: "SELECT point, text FROM points ORDER BY point, axis")
            while let row = try rows.next() { points[row["point"], default: []].append(row["text"]) }
            return points
        }
    }

    /// Ended runs, sorted by parameters, seed and algorithm, one at a time.
    package func forEachRow(_ body: (SweepRow) throws -> Void) throws(Refusal) {
        let points = try points()
        try read { db in
            // Positions among the names, as `metrics()` has them.
            let ids = try Int.fetchAll(db, sql: "SELECT metric FROM metrics ORDER BY name")
            let position = Dictionary(uniqueKeysWithValues: zip(ids, ids.indices))
            let runs = try Row.fetchCursor(
                db,
                sql:
                    "SELECT run, point, seed, algorithm, error FROM runs WHERE status <> 'missing' ORDER BY run"
            )
            let figures = try db.makeStatement(sql: "SELECT metric, value FROM figures WHERE run = ?")
            while let run = try runs.next() {
                var row = SweepRow(
                    run: run["run"], point: run["point"], parameters: points[run["point"]] ?? [],
                    seed: run["seed"],
                    algorithm: run["algorithm"], error: run["error"], figures: [:])
                let cursor = try Row.fetchCursor(figures, arguments: [run["run"] as Int])
                while let figure = try cursor.next() {
                    if let index = position[figure["metric"]] { row.figures[index] = figure["value"] }
                }
                try body(row)
            }
        }
    }
}
