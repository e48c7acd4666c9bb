package import ControlAPI
import GRDB

/// What became of one run.
struct SweepOutcome: Sendable {
    var run: Int
    var result: Result<[SweepFigure], Refusal>
}

extension SweepDatabase {
    package struct Counts: Equatable, Sendable {
        package var done = 0
        package var failed = 0
        package var missing = 0

        package var all: Int { done + failed + missing }
    }

    package func counts() throws(Refusal) -> Counts {
        try read { db in
            var counts = Counts()
            for row in try Row.fetchAll(db, sql: "SELECT status, COUNT(*) AS n FROM runs GROUP BY status") {
                switch row["status"] as String {
                case "done": counts.done = row["n"]
                case "failed": counts.failed = row["n"]
                default: counts.missing = row["n"]
                }
            }
            return counts
        }
    }

    /// Numbers of the runs that have no result yet; one that failed is tried again.
    package func unfinished() throws(Refusal) -> [Int] {
        try read { db in try Int.fetchAll(db, sql: "SELECT run FROM runs WHERE status <> 'done' ORDER BY run")
        }
    }

    /// The first failure, as `run N (…): why`.
    package func firstFailure() throws(Refusal) -> String? {
        try read { db in
            try Row.fetchOne(
                db,
                sql:
                    "SELECT point, seed, algorithm, error FROM runs WHERE status = 'failed' ORDER BY run LIMIT 1"
            ).map { row in
                let values = try Row.fetchAll(
                    db,
                    sql: "SELECT name, text FROM points JOIN axes USING (axis) WHERE point = ? ORDER BY axis",
                    arguments: [row["point"] as Int])
                let place =
                    values.map { "\($0["name"] as String) = \($0["text"] as String)" }
                    + ["seed \(row["seed"] as Int64)", row["algorithm"] as String]
                return place.joined(separator: ", ") + ": " + (row["error"] as String? ?? "")
            }
        }
    }

    /// Keeps what became of some runs, all or none of it.
    func record(_ outcomes: [SweepOutcome]) throws(Refusal) {
        guard !outcomes.isEmpty else { return }
        try write { db in
            var metrics: [String: Int64] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT metric, name FROM metrics") {
                metrics[row["name"]] = row["metric"]
            }
            let finish = try db.makeStatement(sql: "UPDATE runs SET status = ?, error = ? WHERE run = ?")
            let insert = try db.makeStatement(sql: "INSERT OR REPLACE INTO figures VALUES (?, ?, ?)")
            for outcome in outcomes {
                switch outcome.result {
                case .failure(let refusal):
                    try finish.execute(arguments: ["failed", Self.text(refusal), outcome.run])
                case .success(let figures):
                    try finish.execute(arguments: ["done", nil, outcome.run])
                    for figure in figures {
                        let metric = try metrics[figure.name] ?? Self.addMetric(db, figure)
                        metrics[figure.name] = metric
                        try insert.execute(arguments: [outcome.run, metric, figure.value])
                    }
                }
            }
        }
    }

    private static func addMetric(_ db: Database, _ figure: SweepFigure) throws -> Int64 {
        try db.execute(
            sql: "INSERT INTO metrics (name, unit) VALUES (?, ?)", arguments: [figure.name, figure.unit])
        return db.lastInsertedRowID
    }

    private static func text(_ refusal: Refusal) -> String {
        [refusal.text, refusal.reason].compactMap { $0 }.joined(separator: ": ")
    }
}
