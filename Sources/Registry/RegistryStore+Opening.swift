package import ControlAPI
import Glibc

/// What was found, and lost, when the directory was read.
package struct RecoveryReport: Equatable, Sendable {
    /// Sentences for the operator, each about one thing that was not as it had been left.
    package var findings: [String] = []
    /// Something that was acknowledged may be gone; else all of it could be put right.
    package var hasLost = false
    /// Why changes are refused; nil: they are not.
    package var readOnlyReason: String?
    /// Registrations whose restoring was interrupted, and how often.
    package var interrupted: [UInt32: Int] = [:]
}

extension RegistryStore {
    /// Reads the directory and mends it as far as it can be.
    ///
    /// - Throws: for a directory that cannot even be read, and one that a later version has written.
    package func open() throws(Refusal) -> (book: RegistryBook, report: RecoveryReport) {
        var report = RecoveryReport()
        defer { self.report = report }
        try makeFolder(&report)
        let found: FoundFiles
        do { found = try FoundFiles(folder) } catch { throw Self.unusable(directory.path, error.text) }
        let content = try readDatabase(&report)
        let later = found.manifests.filter { $0.generation > content.generation }
        let isDisowned = access(directory.path(of: Self.disowned), F_OK) == 0
        if !later.isEmpty, report.findings.isEmpty, report.readOnlyReason == nil {
            let why = isDisowned ? "put away after a commit that failed" : "missing"
            report.findings.append(
                content.generation == 0
                    ? "the database is \(why); the registry is rebuilt from \(later.count) manifests"
                    : "the database had lost its latest commits; they are in \(later.count) manifests")
        }
        book = Self.merged(content, later)
        let reserved = readReservedIDs(&report)
        book.reserve(id: reserved.id, linkID: reserved.linkID)
        generation = max(content.generation, found.manifests.map(\.generation).max() ?? 0)
        objects = found.objects
        for manifest in found.manifests where manifest.entries.isEmpty {
            emptyManifests[manifest.sha256] = manifest.generation
        }
        takeOverOldList(&report)
        guard let database else {
            unreadManifests = found.manifests
            return (book, report)
        }
        let hasDatabase = content.generation > 0
        tellLosses(found, hasDatabase: hasDatabase, isDisowned: isDisowned, &report)
        mend(database, found, content, knowsAll: hasDatabase || isDisowned, &report)
        report.interrupted = (try? database.marks()) ?? [:]
        return (book, report)
    }

    private static func unusable(_ path: String, _ reason: String) -> Refusal {
        Refusal("io", errno: 5, "cannot use the state directory '\(path)'", reason: reason)
    }

    private func makeFolder(_ report: inout RecoveryReport) throws(Refusal) {
        do { try folder.make() } catch {
            guard error.errno == EROFS || error.errno == ENOSPC || error.errno == EACCES else {
                throw Self.unusable(directory.path, error.text)
            }
            report.readOnlyReason = error.text
        }
    }

    /// Of generation 0 if there is nothing in it that can be used; the manifests count then.
    private func readDatabase(_ report: inout RecoveryReport) throws(Refusal) -> RegistryDatabase.Content {
        for isNew in [false, true] {
            do throws(RegistryDatabase.Failure) {
                let database = try RegistryDatabase(path: directory.path(of: RegistryDatabase.fileName))
                self.database = database
                return try database.load()
            } catch {
                closeDatabase()
                switch error {
                case .tooNew:
                    throw Self.unusable(directory.path, "it was written by a later version of opsd")
                case .unavailable(_, let reason):
                    report.readOnlyReason = reason
                    return RegistryDatabase.Content()
                case .damaged(let reason):
                    guard !isNew else { throw Self.unusable(directory.path, reason) }
                    report.findings.append(
                        "the database is damaged (\(reason)); the registry is rebuilt from the manifests")
                    setAside([RegistryDatabase.fileName, RegistryDatabase.fileName + "-wal"], in: directory)
                }
            }
        }
        return RegistryDatabase.Content()
    }

    /// What the database says, but for objects whose manifests are later. A link that moved has two claimants if only one
    /// of the two manifests is in place: the later registration has it.
    private static func merged(_ content: RegistryDatabase.Content, _ later: [Manifest]) -> RegistryBook {
        var book = RegistryBook()
        let newer = Set(later.map(\.sha256))
        let entries =
            content.entries.filter { !newer.contains($0.registration.objectSha256) }
            + later.sorted { $0.generation < $1.generation }.flatMap(\.entries)
        book.apply(RegistryChange(put: entries))
        let superseded = entries.filter { entry in
            entry.registration.linkID.flatMap { book.entry(ofLink: $0)?.id }.map { $0 > entry.id } ?? false
        }
        book.apply(RegistryChange(removed: superseded.map(\.id)))
        book.reserve(id: content.lastID, linkID: content.lastLinkID)
        for manifest in later { book.reserve(id: manifest.lastID, linkID: manifest.lastLinkID) }
        return book
    }

    /// - Parameter isDisowned: the database was put away on purpose: every registration has its manifest.
    private func tellLosses(
        _ found: FoundFiles, hasDatabase: Bool, isDisowned: Bool, _ report: inout RecoveryReport
    ) {
        for name in found.damaged {
            let sha256 = String(name.dropLast(Manifest.suffix.count))
            if hasDatabase {
                report.findings.append("the manifest '\(name)' was damaged; it is written anew")
            } else {
                report.hasLost = true
                report.findings.append(
                    "lost: the registrations of object \(sha256): its manifest is damaged")
            }
        }
        guard !hasDatabase, !isDisowned else { return }
        // An object alone does not tell which of its maps were registered, nor under which ids.
        let known = Set(found.manifests.map(\.sha256)).union(
            found.damaged.map { String($0.dropLast(Manifest.suffix.count)) })
        for sha256 in found.objects.subtracting(known).sorted() where !book.uses(sha256) {
            report.hasLost = true
            report.findings.append("lost: the registrations of object \(sha256): it has no manifest")
        }
    }

    /// Makes the database, the manifests and the objects agree with the book.
    /// - Parameter knowsAll: an object that is not in the book was never acknowledged, or has been removed.
    private func mend(
        _ database: RegistryDatabase, _ found: FoundFiles, _ content: RegistryDatabase.Content,
        knowsAll: Bool, _ report: inout RecoveryReport
    ) {
        setAside(found.damaged, in: folder)
        if !knowsAll {
            let unknown = found.objects.filter { !book.uses($0) }
            setAside(unknown.map { $0 + ".o" }, in: folder)
            objects.subtract(unknown)
        }
        let wanted = Set(book.objects)
        let stale = found.manifests.filter { $0.entries != book.entries(ofObject: $0.sha256) }.map(\.sha256)
        let missing = wanted.subtracting(found.manifests.map(\.sha256))
        do throws(Refusal) {
            // A new database gets a generation at once: else an object of a first commit that was never made would look
            // like one whose database is gone.
            if content.generation == 0 || content.entries != book.sorted || content.lastID != book.lastID
                || content.lastLinkID != book.lastLinkID || !stale.isEmpty || !missing.isEmpty
            {
                try rewrite(database, manifests: Set(stale).union(missing))
            }
        } catch {
            closeDatabase()
            staleManifests.formUnion(missing.union(stale))
            report.readOnlyReason = error.reason ?? error.text
            return
        }
        for sha256 in objects.subtracting(wanted) { folder.remove(sha256 + ".o") }
        objects.formIntersection(wanted)
        for draft in found.drafts { folder.remove(draft) }
        removeOldList()
        directory.remove(Self.disowned)
        if (try? database.checkpoint()) != nil { dropEmptyManifests() }
    }

    /// Writes the whole book into the database, and some manifests.
    private func rewrite(_ database: RegistryDatabase, manifests: Set<String>) throws(Refusal) {
        let next = generation + 1
        try writeManifests(manifests, generation: next) { () throws(Refusal) in
            do throws(RegistryDatabase.Failure) {
                try database.replaceAll(
                    with: RegistryDatabase.Content(
                        generation: next, lastID: book.lastID, lastLinkID: book.lastLinkID,
                        entries: book.sorted))
            } catch {
                throw error.refusal
            }
            generation = next
        }
    }

    /// Puts manifests in place, as the book has them.
    /// - Parameter decide: called when drafts of all of them are on disk.
    func writeManifests(
        _ manifests: Set<String>, generation written: Int64, decide: () throws(Refusal) -> Void
    ) throws(Refusal) {
        let files = manifests.sorted().map {
            (name: Manifest.fileName(of: $0), bytes: manifest(of: $0, generation: written).bytes)
        }
        do throws(Refusal) {
            if let failure = folder.writeDrafts(files).first { throw failure.refusal }
            try decide()
        } catch {
            for file in files { folder.dropDraft(file.name) }
            throw error
        }
        do throws(DurableFolder.Failure) {
            for file in files { try folder.publish(file.name) }
            if !files.isEmpty { try folder.sync() }
        } catch {
            throw error.refusal
        }
        for sha256 in manifests { emptyManifests[sha256] = book.uses(sha256) ? nil : written }
    }

    /// Moves what cannot be read out of the way.
    func setAside(_ names: [String], in folder: DurableFolder) {
        let damaged = DurableFolder(path: directory.path + "/damaged")
        for name in names { folder.setAside(name, to: damaged, as: name) }
    }

    /// The database of the next commit, after one that failed: made equal to the book first, for it may hold what was
    /// refused.
    func openedDatabase() throws(Refusal) -> RegistryDatabase {
        if let database { return database }
        do throws(DurableFolder.Failure) { try folder.make() } catch { throw error.refusal }
        let opened: RegistryDatabase
        do throws(RegistryDatabase.Failure) {
            do throws(RegistryDatabase.Failure) {
                opened = try RegistryDatabase(path: directory.path(of: RegistryDatabase.fileName))
            } catch {
                guard case .damaged = error else { throw error }
                setAside([RegistryDatabase.fileName, RegistryDatabase.fileName + "-wal"], in: directory)
                opened = try RegistryDatabase(path: directory.path(of: RegistryDatabase.fileName))
            }
        } catch {
            throw error.refusal
        }
        let content = try? opened.load()
        generation = max(generation, content?.generation ?? 0)
        do throws(Refusal) {
            try checkFirstReading(content)
            try rewrite(opened, manifests: [])
        } catch {
            opened.close()
            throw error
        }
        directory.remove(Self.disowned)
        database = opened
        return opened
    }

    /// A database that could not be read at the start may know more than the manifests did, if they could not be put in
    /// place: it must not be overwritten then.
    private func checkFirstReading(_ content: RegistryDatabase.Content?) throws(Refusal) {
        guard let manifests = unreadManifests else { return }
        if let content {
            let whole = Self.merged(content, manifests.filter { $0.generation > content.generation })
            guard whole.entries == book.entries, whole.lastID <= book.lastID,
                whole.lastLinkID <= book.lastLinkID
            else {
                throw .notKept(
                    errno: 16,
                    reason: "the database, unreadable at the start, has later changes: restart opsd")
            }
        }
        unreadManifests = nil
    }
}

/// What lies in the folder of objects.
private struct FoundFiles {
    var manifests: [Manifest] = []
    /// Hashes.
    var objects: Set<String> = []
    /// Names of manifests that cannot be read.
    var damaged: [String] = []
    var drafts: [String] = []

    init(_ folder: DurableFolder) throws(DurableFolder.Failure) {
        let names: [String]
        do { names = try folder.names() } catch {
            // It could not be made either, which has been told.
            guard error.errno == ENOENT else { throw error }
            return
        }
        for name in names.sorted() {
            if name.hasSuffix(DurableFolder.draftSuffix) {
                drafts.append(name)
            } else if name.hasSuffix(".o"), ObjectHash.isValid(String(name.dropLast(2))) {
                objects.insert(String(name.dropLast(2)))
            } else if name.hasSuffix(Manifest.suffix) {
                if let manifest = Manifest(parsing: (try? folder.read(name)) ?? []),
                    manifest.fileName == name
                {
                    manifests.append(manifest)
                } else {
                    damaged.append(name)
                }
            }
        }
    }
}
