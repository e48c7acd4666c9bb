package import ControlAPI
import Foundation
import Glibc

/// The registry in a state directory.
///
/// ```
/// STATE/registry.db, registry.db-wal     SQLite: what is registered
/// STATE/objects/<sha256>.o               each object once
/// STATE/objects/<sha256>.json            its registrations again (`Manifest`)
/// STATE/ids.json                         the highest ids of transient registrations (`ReservedIDs`)
/// STATE/damaged/                         what could not be read, kept for a look
/// ```
/// A commit writes drafts of new objects and of the manifests it changes, commits the database, and then puts the
/// manifests in place. The database's commit decides: before it a failure leaves nothing behind, after it the change
/// holds. So while the database can be read it is right; and once it has lost something, be it only its latest commits,
/// manifests of a later generation tell what.
package final class RegistryStore: RegistryKeeper, @unchecked Sendable {  // Used by one thread at a time.
    let directory: DurableFolder
    let folder: DurableFolder
    /// Held as long as we live: a second daemon on one directory would give out the same ids.
    private let lock: CInt
    /// nil: it could not be opened, or a commit failed and what it left is not known. Opened again at the next commit.
    var database: RegistryDatabase?
    /// What the directory holds.
    package internal(set) var book = RegistryBook()
    var generation: Int64 = 0
    /// Hashes of the objects that lie in the folder.
    var objects: Set<String> = []
    /// Hashes of objects whose manifests could not be put in place. They come before the next commit, so that whenever
    /// the database is written the manifests alone tell all that holds.
    var staleManifests: Set<String> = []
    /// The database could not be read when we started: what we know is from these manifests.
    var unreadManifests: [Manifest]?
    /// Empty manifests: their objects lost the last registration in this generation.
    var emptyManifests: [String: Int64] = [:]
    /// What `open` has found.
    var report = RecoveryReport()
    private var rowsSinceCheckpoint = 0
    private static let rowsPerCheckpoint = 1000

    package var isDurable: Bool { true }

    /// Takes the directory, which is made if it is not there. `open` reads it.
    package init(directory path: String) throws(Refusal) {
        directory = DurableFolder(path: path)
        folder = DurableFolder(path: path + "/objects")
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Refusal(
                "io", errno: 5, "cannot use the state directory '\(path)'",
                reason: error.localizedDescription)
        }
        lock = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            if lock >= 0 { close(lock) }
            throw Refusal(
                "busy", errno: Int(number), "cannot use the state directory '\(path)'",
                reason: number == EWOULDBLOCK
                    ? "another opsd uses it" : String(cString: strerror(number)))
        }
    }

    deinit {
        database?.close()
        close(lock)
    }

    package func object(_ sha256: String) throws(Refusal) -> [UInt8] {
        let bytes: [UInt8]
        do { bytes = try folder.read(sha256 + ".o") } catch { throw .unreadable(error.text) }
        guard ObjectHash.of(bytes) == sha256 else {
            throw .unreadable("'\(folder.path(of: sha256)).o' is damaged: its hash is another")
        }
        return bytes
    }

    package func markRestoring(_ attempts: [UInt32: Int], ended: [UInt32]) {
        // Without a mark, what would crash both processes is not recognised: no reason to leave it out.
        try? database?.mark(attempts, ended: ended)
    }

    // MARK: Commits

    package func commit(_ changes: [RegistryChange]) -> [Refusal?] {
        var results: [Refusal?] = changes.map { _ in nil }
        let database: RegistryDatabase
        do throws(Refusal) {
            database = try openedDatabase()
            try settleManifests()
        } catch {
            return changes.map { _ in error }
        }

        var batch = Batch()
        for (index, change) in changes.enumerated() {
            do throws(Refusal) { try batch.addObjects(of: change, known: objects) } catch {
                results[index] = error
            }
        }
        for (index, change) in changes.enumerated() where results[index] == nil {
            batch.add(change, index: index, to: &book)
        }
        guard !batch.indices.isEmpty else { return results }
        do throws(Refusal) {
            if batch.ids.isEmpty { try writeReservedIDs() } else { try write(batch, database) }
        } catch {
            for undo in batch.undo.reversed() { book.apply(undo) }
            var error = error
            if self.database == nil {
                if disownLastCommit() {
                    for sha256 in batch.objects.keys where !book.uses(sha256) { folder.remove(sha256 + ".o") }
                } else {
                    error.suggestion = Self.inDoubt
                }
            }
            for index in batch.indices { results[index] = error }
        }
        return results
    }

    /// Changes that are committed together.
    private struct Batch {
        var indices: [Int] = []
        var undo: [RegistryChange] = []
        /// New objects, by hash.
        var objects: [String: [UInt8]] = [:]
        /// Objects whose registrations change.
        var touched: Set<String> = []
        var ids: Set<UInt32> = []

        /// The runtime's word for an object's hash is not taken on trust: it becomes the file's name.
        mutating func addObjects(of change: RegistryChange, known: Set<String>) throws(Refusal) {
            for (sha256, bytes) in change.objects where !known.contains(sha256) && objects[sha256] == nil {
                guard ObjectHash.of(bytes) == sha256 else {
                    throw .unreadable("the runtime calls it \(sha256), its hash is \(ObjectHash.of(bytes))")
                }
                objects[sha256] = bytes
            }
        }

        mutating func add(_ change: RegistryChange, index: Int, to book: inout RegistryBook) {
            for id in change.removed + change.put.map(\.id) {
                ids.insert(id)
                if let old = book.entries[id] { touched.insert(old.registration.objectSha256) }
            }
            for entry in change.put { touched.insert(entry.registration.objectSha256) }
            indices.append(index)
            undo.append(book.apply(change))
        }
    }

    private func write(_ batch: Batch, _ database: RegistryDatabase) throws(Refusal) {
        let next = generation + 1
        let wanted = batch.objects.filter { book.uses($0.key) }
        let manifests = batch.touched.sorted()
        let files =
            wanted.map { (name: $0.key + ".o", bytes: $0.value) }
            + manifests.map {
                (name: Manifest.fileName(of: $0), bytes: manifest(of: $0, generation: next).bytes)
            }
        do throws(DurableFolder.Failure) {
            if let failure = folder.writeDrafts(files).first { throw failure }
            for sha256 in wanted.keys { try folder.publish(sha256 + ".o") }
            // The database must not name an object whose name a power cut could take back.
            if !wanted.isEmpty { try folder.sync() }
        } catch {
            drop(files, objects: Array(wanted.keys))
            throw error.refusal
        }
        let changed = batch.ids.compactMap { book.entries[$0] }
        do throws(RegistryDatabase.Failure) {
            try database.commit(
                removing: batch.ids, putting: changed,
                content: RegistryDatabase.Content(
                    generation: next, lastID: book.lastID, lastLinkID: book.lastLinkID),
                count: book.count)
        } catch {
            // What a failed sync has left on the disk may be found by the next who opens it, and needs its objects then.
            drop(files, objects: [])
            closeDatabase()
            throw error.refusal
        }
        generation = next
        objects.formUnion(wanted.keys)
        putInPlace(manifests)
        removeUnused(batch.touched)
        checkpointIfDue(rows: batch.ids.count, database)
    }

    func manifest(of sha256: String, generation: Int64) -> Manifest {
        Manifest(
            generation: generation, lastID: book.lastID, lastLinkID: book.lastLinkID, sha256: sha256,
            entries: book.entries(ofObject: sha256))
    }

    private func drop(_ files: [(name: String, bytes: [UInt8])], objects: [String]) {
        for file in files { folder.dropDraft(file.name) }
        for sha256 in objects { folder.remove(sha256 + ".o") }
    }

    private func settleManifests() throws(Refusal) {
        guard !staleManifests.isEmpty else { return }
        try writeManifests(staleManifests, generation: generation) { () throws(Refusal) in }
        staleManifests = []
    }

    static let inDoubt = "the disk does not take it back either: a daemon that starts now may find the change"

    /// What a database is called that is not to count any more, though it may still be there.
    static let disowned = RegistryDatabase.fileName + ".disowned"

    /// A commit of the database has failed, and still the next who opens it may find it: its log may be whole, and only
    /// have failed to be synced. So the database is written anew. On a disk that refuses this too it is put away if the
    /// commit is in it, for the manifests have everything; and its name tells the next start that nothing was lost.
    /// - Returns: whether nothing of the commit is left.
    private func disownLastCommit() -> Bool {
        guard (try? openedDatabase()) == nil else { return true }
        closeDatabase()
        if let left = try? RegistryDatabase(path: directory.path(of: RegistryDatabase.fileName)) {
            let content = try? left.load()
            left.close()
            if let content, content.entries == book.sorted { return true }
        }
        return directory.rename(RegistryDatabase.fileName, to: Self.disowned)
            && directory.remove(RegistryDatabase.fileName + "-wal")
    }

    /// The change holds already; a manifest that is left behind is put right before the next commit, or by the next start.
    private func putInPlace(_ manifests: [String]) {
        for sha256 in manifests {
            do {
                try folder.publish(Manifest.fileName(of: sha256))
                emptyManifests[sha256] = book.uses(sha256) ? nil : generation
            } catch {
                staleManifests.insert(sha256)
            }
        }
        do { try folder.sync() } catch { staleManifests.formUnion(manifests) }
    }

    private func removeUnused(_ touched: Set<String>) {
        for sha256 in touched where !book.uses(sha256) && objects.remove(sha256) != nil {
            folder.remove(sha256 + ".o")
        }
    }

    /// Once the database itself holds everything, it cannot forget that an object has gone.
    private func checkpointIfDue(rows: Int, _ database: RegistryDatabase) {
        rowsSinceCheckpoint += rows
        guard rowsSinceCheckpoint >= Self.rowsPerCheckpoint, (try? database.checkpoint()) != nil else {
            return
        }
        rowsSinceCheckpoint = 0
        dropEmptyManifests()
    }

    /// All but the latest, which may be the only one left that knows the highest ids.
    func dropEmptyManifests() {
        for (sha256, written) in emptyManifests where written < generation {
            folder.remove(Manifest.fileName(of: sha256))
            emptyManifests[sha256] = nil
        }
    }

    func closeDatabase() {
        database?.close()
        database = nil
    }
}

extension RegistryDatabase.Failure {
    var refusal: Refusal {
        switch self {
        case .damaged(let reason): .notKept(errno: 117, reason: "the database is damaged: \(reason)")
        case .unavailable(let errno, let reason): .notKept(errno: errno, reason: reason)
        case .tooNew: .notKept(errno: 95, reason: "the database was written by a later version of opsd")
        }
    }
}
