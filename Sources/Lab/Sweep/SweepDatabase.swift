package import ControlAPI
import Foundation
import GRDB

/// The results of one sweep: an SQLite file, described in docs/laboratory.md. Every run has a row from the start, so that what
/// is missing is a question to the file alone. It holds no times and no names of machines.
///
/// Batches of results are transactions: a process that is killed loses the batch that it was collecting, nothing else.
package final class SweepDatabase: Sendable {
    package static let format = 1

    package let path: String
    let queue: DatabaseQueue

    private init(path: String, isReadOnly: Bool) throws(Refusal) {
        self.path = path
        var configuration = Configuration()
        configuration.busyMode = .timeout(60)
        configuration.prepareDatabase { db in
            // A reader is no `readonly` connection: that could not take back the batch that a killed sweep had begun to write,
            // and would refuse the file. For a writer: a power cut may cost the last batches, a kill nothing.
            try db.execute(sql: isReadOnly ? "PRAGMA query_only = ON" : "PRAGMA synchronous = NORMAL")
        }
        queue = try Self.refusing(path) { try DatabaseQueue(path: path, configuration: configuration) }
    }

    /// A database that exists.
    ///
    /// - Throws: ENOENT; EINVAL for a file that is something else or of another format.
    package static func open(_ path: String, isReadOnly: Bool = true) throws(Refusal) -> SweepDatabase {
        guard FileManager.default.fileExists(atPath: path) else {
            throw Refusal("io", errno: 2, "there is no sweep database '\(path)'")
        }
        let database = try SweepDatabase(path: path, isReadOnly: isReadOnly)
        let format = try database.read { db in
            do {
                return try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'opsd_sweep_format'")
            } catch let error as DatabaseError
                where [.SQLITE_NOTADB, .SQLITE_ERROR].contains(error.resultCode)
            {
                return nil  // no SQLite file, or without that table
            }
        }
        guard let format else {
            throw Refusal("database", errno: 22, "'\(path)' is no sweep database")
        }
        guard format == String(Self.format) else {
            throw Refusal(
                "database", errno: 22, "'\(path)' is a sweep database of format \(format)",
                reason: "this opsctl knows format \(Self.format)")
        }
        return database
    }

    /// The database of a sweep: made if there is none, else the one to go on with.
    ///
    /// - Throws: EEXIST for that of another sweep, with what differs; EINVAL for a file that is no sweep database.
    package static func open(
        _ path: String, for sweep: Sweep, _ inputs: SweepInputs
    ) throws(Refusal) -> SweepDatabase {
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size == 0 else {
            let database = try open(path, isReadOnly: false)
            try database.requireSame(sweep, inputs)
            return database
        }
        let database = try SweepDatabase(path: path, isReadOnly: false)
        try database.write { db in try create(db, sweep, inputs) }
        return database
    }

    private func requireSame(_ sweep: Sweep, _ inputs: SweepInputs) throws(Refusal) {
        let own = try self.inputs()
        let differences = inputs.differences(from: own)
        guard !differences.isEmpty else { return }
        let name = try meta("name")
        throw Refusal(
            "exists", errno: 17, "'\(path)' holds the sweep '\(name)', not this '\(sweep.name)'",
            reason: "not the same: " + differences.joined(separator: ", "),
            suggestion: "give another file with -o")
    }

    // MARK: Making it

    private static func create(_ db: Database, _ sweep: Sweep, _ inputs: SweepInputs) throws {
        try db.execute(sql: schema)
        let meta = [
            "opsd_sweep_format": String(format), "name": sweep.name, "inputs_sha256": inputs.sha256,
            "opsd_version": Product.version,
        ]
        for (key, value) in meta {
            try db.execute(sql: "INSERT INTO meta VALUES (?, ?)", arguments: [key, value])
        }
        for file in inputs.files {
            try db.execute(
                sql: "INSERT INTO inputs VALUES (?, ?, ?, ?)",
                arguments: [file.kind.rawValue, file.name, file.sha256, Data(file.bytes)])
        }
        for (number, axis) in sweep.axes.enumerated() {
            try db.execute(
                sql: "INSERT INTO axes VALUES (?, ?, ?)", arguments: [number, axis.name, axis.unit])
        }
        let value = try db.makeStatement(sql: "INSERT INTO points VALUES (?, ?, ?, ?)")
        for (number, point) in sweep.points.enumerated() {
            for (axis, index) in point.enumerated() {
                let entry = sweep.axes[axis].values[index]
                try value.execute(arguments: [number, axis, entry.text, entry.number])
            }
        }
        let run = try db.makeStatement(
            sql: "INSERT INTO runs (run, point, seed, algorithm) VALUES (?, ?, ?, ?)")
        for number in 0..<sweep.runCount {
            let entry = sweep.run(number)
            try run.execute(
                arguments: [entry.number, entry.point, Int64(clamping: entry.seed), entry.algorithm])
        }
    }

    private static let schema = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
        CREATE TABLE inputs (
            kind TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, bytes BLOB NOT NULL,
            PRIMARY KEY (kind, name));
        CREATE TABLE axes (axis INTEGER PRIMARY KEY, name TEXT NOT NULL, unit TEXT);
        CREATE TABLE points (
            point INTEGER NOT NULL, axis INTEGER NOT NULL, text TEXT NOT NULL, number REAL,
            PRIMARY KEY (point, axis)) WITHOUT ROWID;
        CREATE TABLE runs (
            run INTEGER PRIMARY KEY, point INTEGER NOT NULL, seed INTEGER NOT NULL, algorithm TEXT NOT NULL,
            status TEXT NOT NULL DEFAULT 'missing' CHECK (status IN ('missing', 'done', 'failed')), error TEXT);
        CREATE TABLE metrics (metric INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL);
        CREATE TABLE figures (
            run INTEGER NOT NULL, metric INTEGER NOT NULL, value REAL NOT NULL,
            PRIMARY KEY (run, metric)) WITHOUT ROWID;
        CREATE VIEW results AS
            SELECT run, point, seed, algorithm, name AS figure, unit, value
            FROM figures JOIN runs USING (run) JOIN metrics USING (metric);
        """

    // MARK: Access

    func read<Value>(_ body: (Database) throws -> Value) throws(Refusal) -> Value {
        try Self.refusing(path) { try queue.read(body) }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws(Refusal) -> Value {
        try Self.refusing(path) { try queue.write(body) }
    }

    /// A database of the same content, in a file that does not exist.
    func copy(to path: String) throws(Refusal) {
        try Self.refusing(self.path) {
            // Not inside a transaction.
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "VACUUM INTO ?", arguments: [path])
            }
        }
    }

    private static func refusing<Value>(_ path: String, _ body: () throws -> Value) throws(Refusal) -> Value {
        do { return try body() } catch let refusal as Refusal { throw refusal } catch {
            let code = (error as? DatabaseError)?.resultCode
            throw Refusal(
                "database", errno: code == .SQLITE_BUSY ? 16 : code == .SQLITE_FULL ? 28 : 5,
                "'\(path)' cannot be used", reason: "\((error as? DatabaseError)?.message ?? "\(error)")")
        }
    }

    func meta(_ key: String) throws(Refusal) -> String {
        try read { db in
            try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]) ?? ""
        }
    }

    /// What the results depend on, as it was when the database was made.
    package func inputs() throws(Refusal) -> SweepInputs {
        let files = try read { db in
            try Row.fetchAll(db, sql: "SELECT kind, name, bytes FROM inputs").compactMap { row in
                SweepInputs.Kind(rawValue: row["kind"]).map { kind in
                    SweepInputs.File(kind, name: row["name"], bytes: [UInt8](row["bytes"] as Data))
                }
            }
        }
        return SweepInputs(files)
    }
}
