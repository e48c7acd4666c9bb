import ControlAPI
import Foundation
import GRDB
import Glibc

/// The registry's SQLite database: one connection, write-ahead log, every commit synced.
///
/// The connection keeps its locks (`locking_mode=EXCLUSIVE`), so that the log needs no shared memory.
final class RegistryDatabase {
    static let fileName = "registry.db"

    /// What is in it.
    struct Content: Equatable {
        var generation: Int64 = 0
        var lastID: UInt32 = 0
        var lastLinkID: UInt32 = 0
        var entries: [RegistryEntry] = []
    }

    /// Why it cannot be used.
    enum Failure: Error, Equatable {
        /// What is in it is not what was written.
        case damaged(String)
        /// The disk, or the permission to use it; what is in it may be well.
        case unavailable(errno: Int, String)
        /// It was written by a later version of the daemon.
        case tooNew
    }

    private let queue: DatabaseQueue

    /// Opens or makes it, and brings it to the present schema.
    init(path: String) throws(Failure) {
        var configuration = Configuration()
        configuration.busyMode = .immediateError
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // Ours is `checkpoint`, which tells when it is done.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
        }
        queue = try RegistryDatabase.run { try DatabaseQueue(path: path, configuration: configuration) }
        let isSuperseded = try RegistryDatabase.run {
            try queue.read { try RegistryDatabase.migrator.hasBeenSuperseded($0) }
        }
        guard !isSuperseded else { throw .tooNew }
        try RegistryDatabase.run { try RegistryDatabase.migrator.migrate(queue) }
    }

    private static func run<Value>(_ body: () throws -> Value) throws(Failure) -> Value {
        Glibc.errno = 0
        do { return try body() } catch {
            // SQLite tells that a call failed, and leaves here why.
            let number = Int(Glibc.errno)
            if let failure = error as? Failure { throw failure }
            guard let error = error as? DatabaseError else { throw .damaged("\(error)") }
            let isCut = error.extendedResultCode == .SQLITE_IOERR_SHORT_READ
            guard !isCut else { throw .damaged(error.description) }
            let usual =
                switch error.resultCode {
                case .SQLITE_FULL: ENOSPC
                case .SQLITE_READONLY: EROFS
                case .SQLITE_IOERR, .SQLITE_CANTOPEN: EIO
                case .SQLITE_PERM, .SQLITE_AUTH: EACCES
                case .SQLITE_BUSY, .SQLITE_LOCKED: EBUSY
                case .SQLITE_NOMEM: ENOMEM
                default: throw .damaged(error.description)
                }
            throw .unavailable(errno: diskErrors.contains(number) ? number : Int(usual), error.description)
        }
    }

    /// What files fail with.
    private static let diskErrors = Set([ENOSPC, EDQUOT, EIO, EROFS, EACCES, EMFILE, ENFILE].map(Int.init))

    // MARK: Reading

    /// Everything, after a check of all that can be checked.
    /// - Throws: `damaged`, if the file's structure, a value or the number of registrations is not as it was written.
    func load() throws(Failure) -> Content {
        try RegistryDatabase.run {
            try queue.read { db in
                let complaints = try String.fetchAll(db, sql: "PRAGMA integrity_check(3)")
                guard complaints == ["ok"] else {
                    throw Failure.damaged(complaints.joined(separator: "; "))
                }
                guard let state = try Row.fetchOne(db, sql: "SELECT * FROM state") else {
                    let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM registration") ?? 0
                    guard count == 0 else { throw Failure.damaged("its state is missing") }
                    return Content()
                }
                var content = Content(
                    generation: try state.number("generation"), lastID: try state.number("last_id"),
                    lastLinkID: try state.number("last_link_id"))
                let count: Int = try state.number("registrations")
                guard state.text("digest") == content.digest(count: count) else {
                    throw Failure.damaged("its state does not match its digest")
                }
                let rows = try Row.fetchCursor(db, sql: "SELECT * FROM registration ORDER BY id")
                while let row = try rows.next() {
                    guard let entry = RegistryEntry(row), row.text("digest") == entry.digest else {
                        let id = Int64.fromDatabaseValue(row["id"]).map { "\($0)" } ?? "?"
                        throw Failure.damaged("registration \(id) does not match its digest")
                    }
                    content.entries.append(entry)
                }
                guard content.entries.count == count else {
                    throw Failure.damaged("it has \(content.entries.count) of \(count) registrations")
                }
                return content
            }
        }
    }

    // MARK: Writing

    /// One commit: on disk when it returns, and not there at all when it throws.
    ///
    /// - Parameter content: what holds afterwards, without its entries.
    func commit(
        removing removed: some Sequence<UInt32>, putting entries: some Sequence<RegistryEntry>,
        content: Content, count: Int
    ) throws(Failure) {
        try RegistryDatabase.run {
            try queue.write { db in
                let removal = try db.cachedStatement(sql: "DELETE FROM registration WHERE id = ?")
                for id in removed { try removal.execute(arguments: [Int64(id)]) }
                for entry in entries { try RegistryDatabase.put(entry, db) }
                try RegistryDatabase.put(content, count: count, db)
            }
        }
    }

    /// One commit that leaves nothing but `content`.
    func replaceAll(with content: Content) throws(Failure) {
        try RegistryDatabase.run {
            try queue.write { db in
                try db.execute(sql: "DELETE FROM registration")
                for entry in content.entries { try RegistryDatabase.put(entry, db) }
                try RegistryDatabase.put(content, count: content.entries.count, db)
            }
        }
    }

    private static func put(_ entry: RegistryEntry, _ db: Database) throws {
        let registration = entry.registration
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO registration (id, name, variable, kernel_struct_ops, ops_name, state,
                    link_id, object_sha256, uid, file, failure, quarantined, digest)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            Int64(entry.id), registration.name, registration.variable, registration.kernelStructOps,
            registration.opsName, registration.state, registration.linkID.map { Int64($0) },
            registration.objectSha256, Int64(entry.uid), entry.file, entry.failure, entry.isQuarantined,
            entry.digest,
        ])
    }

    private static func put(_ content: Content, count: Int, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO state (id, generation, last_id, last_link_id, registrations, digest)
                VALUES (0, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            content.generation, Int64(content.lastID), Int64(content.lastLinkID), count,
            content.digest(count: count),
        ])
    }

    /// Writes the log back into the database: nothing is in the log alone any more. The log keeps its length, so that a
    /// full disk does not stop the next commits.
    func checkpoint() throws(Failure) {
        try RegistryDatabase.run {
            _ = try queue.writeWithoutTransaction { try $0.checkpoint(.restart) }
        }
    }

    // MARK: Marks

    /// Sets the marks of some registrations, and takes away those of others.
    func mark(_ attempts: [UInt32: Int], ended: [UInt32]) throws(Failure) {
        try RegistryDatabase.run {
            try queue.write { db in
                let removal = try db.cachedStatement(sql: "DELETE FROM restoring WHERE id = ?")
                for id in ended { try removal.execute(arguments: [Int64(id)]) }
                let insertion = try db.cachedStatement(
                    sql: "INSERT OR REPLACE INTO restoring (id, attempts) VALUES (?, ?)")
                for (id, count) in attempts { try insertion.execute(arguments: [Int64(id), count]) }
            }
        }
    }

    /// How often each was begun and not ended.
    func marks() throws(Failure) -> [UInt32: Int] {
        try RegistryDatabase.run {
            try queue.read { db in
                var marks: [UInt32: Int] = [:]
                for row in try Row.fetchAll(db, sql: "SELECT id, attempts FROM restoring") {
                    marks[try row.number("id")] = try row.number("attempts")
                }
                return marks
            }
        }
    }

    /// Ends the connection. What fails now has been told before.
    func close() { try? queue.close() }
}

extension Row {
    /// A column's number. - Throws: `damaged` for what is none, or too large.
    fileprivate func number<Number: BinaryInteger>(_ name: String) throws -> Number {
        guard let wide = Int64.fromDatabaseValue(self[name]), let number = Number(exactly: wide) else {
            throw RegistryDatabase.Failure.damaged("'\(name)' is no number of its kind")
        }
        return number
    }

    fileprivate func text(_ name: String) -> String? { String.fromDatabaseValue(self[name]) }
}

extension RegistryEntry {
    fileprivate var digest: String { ObjectHash.of(json.utf8()) }

    fileprivate init?(_ row: Row) {
        guard let id: UInt32 = try? row.number("id"), let uid: UInt32 = try? row.number("uid"),
            let name = row.text("name"), let type = row.text("kernel_struct_ops"),
            let opsName = row.text("ops_name"), let state = row.text("state"),
            let sha256 = row.text("object_sha256"), ObjectHash.isValid(sha256),
            let isQuarantined = Bool.fromDatabaseValue(row["quarantined"])
        else { return nil }
        self.init(
            Registration(
                id: id, name: name, kernelStructOps: type, opsName: opsName, state: state, refs: 0,
                linkID: try? row.number("link_id"), objectSha256: sha256, variable: row.text("variable")),
            uid: uid, file: row.text("file"), failure: row.text("failure"), isQuarantined: isQuarantined)
    }
}

extension RegistryDatabase.Content {
    fileprivate func digest(count: Int) -> String {
        ObjectHash.of(Array("\(generation) \(lastID) \(lastLinkID) \(count)".utf8))
    }
}
