import ControlAPI
import Foundation
import GRDB

/// A shard is a database of the same sweep that has only some of its runs, all missing at first. Whoever fills it needs
/// nothing else.
extension SweepDatabase {
    /// Splits what is missing into so many shards, run by run in turn, so that each gets its part of the long ones.
    func makeShards(_ paths: [String]) throws(Refusal) {
        let pending = try unfinished()
        for (index, path) in paths.enumerated() {
            try? FileManager.default.removeItem(atPath: path)
            try copy(to: path)
            let own = Set(
                pending.enumerated().lazy.filter { $0.offset % paths.count == index }.map(\.element))
            try SweepDatabase.open(path, isReadOnly: false).write { db in
                try db.execute(sql: "DELETE FROM figures; UPDATE runs SET status = 'missing', error = NULL")
                let remove = try db.makeStatement(sql: "DELETE FROM runs WHERE run = ?")
                for run in try Int.fetchAll(db, sql: "SELECT run FROM runs") where !own.contains(run) {
                    try remove.execute(arguments: [run])
                }
            }
        }
    }

    /// Takes over the ended runs of a shard.
    ///
    /// - Throws: EINVAL for a database of another sweep.
    func merge(shard path: String) throws(Refusal) {
        let shard = try SweepDatabase.open(path)
        guard try shard.meta("inputs_sha256") == meta("inputs_sha256") else {
            throw Refusal("database", errno: 22, "'\(path)' is no shard of '\(self.path)'")
        }
        let names = try shard.metrics()
        var outcomes: [SweepOutcome] = []
        try shard.forEachRow { row in
            let figures = row.figures.sorted { $0.key < $1.key }.map {
                SweepFigure(name: names[$0.key].name, unit: names[$0.key].unit, value: $0.value)
            }
            let result: Result<[SweepFigure], Refusal> =
                row.error.map { .failure(Refusal("run", errno: 1, $0)) } ?? .success(figures)
            outcomes.append(SweepOutcome(run: row.run, result: result))
        }
        try record(outcomes)
    }
}
