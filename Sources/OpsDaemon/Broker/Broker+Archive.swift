import ControlAPI
import Glibc
import NIOCore
import NIOPosix
import Registry

/// An import on its way through the runtime.
final class RegistryImport: @unchecked Sendable {  // Confined to the broker's loop.
    let pending: PendingCall
    let archive: RegistryArchive
    /// Loads that the runtime has yet to make.
    var groups: ArraySlice<RegistryBook.Group> = []
    /// What the runtime has made so far.
    var restored: [Registration] = []
    /// The runtime has all of it, and so does the book: its death changes nothing any more.
    var isStoring = false

    init(_ pending: PendingCall, _ archive: RegistryArchive) {
        self.pending = pending
        self.archive = archive
    }
}

/// The registry as one file, out and in again, and a look at what is kept.
extension Broker {
    /// In parts, each of which is made when the client has taken the one before.
    func export(_ pending: PendingCall) {
        guard pending.call.more else { return pending.finish(Reply(.expectedMore)) }
        storage.export().whenSuccess { [self] in exportNext($0, pending) }
    }

    private func exportNext(_ archive: RegistryArchiveWriter, _ pending: PendingCall) {
        storage.nextPart(of: archive).whenComplete { [self] result in
            let reply = Reply(result.map { ["archive": .string($0.text)] })
            guard case .success(let part) = result, !part.isLast, let client = pending.client else {
                return pending.finish(reply)
            }
            client.stream(Reply(reply.parameters, continues: true)) { [self] in exportNext(archive, pending) }
        }
    }

    func verify(_ pending: PendingCall) {
        storage.verify().whenComplete { result in
            pending.finish(
                Reply(result.flatMap { found in Result { try JSONValue(encoding: found) } }))
        }
    }

    // MARK: Import

    /// Of archives on their way in, together.
    private static let uploadBytesMax = 1 << 30

    /// An archive whose last part has not come yet.
    struct Upload {
        let reader = RegistryArchiveReader()
        /// Of all parts so far.
        var byteCount = 0
    }

    /// All of an archive or nothing: what the runtime has taken is given back if a later part is refused, by it or by the
    /// disk.
    func importArchive(_ pending: PendingCall) {
        guard let parameters: ArchiveParameters = try? pending.call.parameters.decode() else {
            return pending.finish(Reply(.invalidParameter("archive")))
        }
        guard !rules.configuration.requiresSignature else {
            return pending.finish(
                Reply(
                    Refusal(
                        "permission", errno: Int(EPERM), "an archive has no signatures",
                        reason: "'require-signature' is set",
                        suggestion: "register its objects with their signatures")))
        }
        guard let connection = pending.client, isConnected(connection) else {
            return pending.finish(Reply([:]))
        }
        let client = ObjectIdentifier(connection)
        var upload = uploads[client] ?? Upload()
        upload.byteCount += parameters.archive.utf8.count
        let isLast = parameters.continues != true
        uploads[client] = isLast ? nil : upload
        guard
            uploads.values.reduce(isLast ? upload.byteCount : 0, { $0 + $1.byteCount }) <= Self.uploadBytesMax
        else {
            uploads[client] = nil
            return pending.finish(
                Reply(
                    Refusal(
                        "too-long", errno: Int(EMSGSIZE), "the archive is too large",
                        reason: "\(Self.uploadBytesMax >> 20) MiB may be on their way in at once")))
        }
        let reader = upload.reader
        pool.runIfActive(eventLoop: loop) { () throws -> RegistryArchive? in
            try reader.add(parameters.archive)
            return try isLast ? reader.finish() : nil
        }.whenComplete { [self] (result: Result<RegistryArchive?, any Error>) in
            switch result {
            case .success(let archive?): begin(archive, pending)
            case .success(.none): pending.finish(Reply(RegistrationsReply([]).json))
            case .failure(let error):
                uploads[client] = nil
                notStored(pending, error)
            }
        }
    }

    private func begin(_ archive: RegistryArchive, _ pending: PendingCall) {
        do {
            try checkConflicts(archive)
            let job = RegistryImport(pending, archive)
            importing = job
            var book = RegistryBook()
            book.apply(RegistryChange(put: archive.entries))
            job.groups = book.restorable[...]
            unstored.formUnion(archive.entries.map(\.id))
            // Its ids are not given to anybody else meanwhile.
            supervisor.configure()
            importNext(job)
        } catch {
            notStored(pending, error)
        }
    }

    private func checkConflicts(_ archive: RegistryArchive) throws(Refusal) {
        func refused(_ errno: CInt, _ reason: String) -> Refusal {
            Refusal("import", errno: Int(errno), "the archive was not imported", reason: reason)
        }
        guard supervisor.phase == .up, importing == nil else {
            throw refused(
                EAGAIN, importing == nil ? "the runtime is being restarted" : "another import is under way")
        }
        for entry in archive.entries {
            if let taken = book.entries[entry.id] {
                throw refused(EEXIST, "id \(entry.id) belongs to '\(taken.registration.name)' already")
            }
            if let link = entry.registration.linkID, book.entry(ofLink: link) != nil {
                throw refused(EEXIST, "link id \(link) is taken already")
            }
        }
    }

    private func importNext(_ job: RegistryImport) {
        guard importing === job, let connection = supervisor.connection else { return }
        guard let group = job.groups.popFirst() else { return keepImport(job) }
        let parameters = try? JSONValue(
            encoding: RestoreParameters(file: group.file, uid: group.uid, items: group.items))
        connection.send(
            RuntimeVerb.restore.rawValue, parameters ?? [:], object: job.archive.objects[group.sha256]
        ) { [self] reply, _, _ in
            let answer = RestoreReply(reply, ids: group.ids)
            job.restored += answer.restored
            guard let failure = answer.failures.first else { return importNext(job) }
            var refusal = failure.error
            refusal.reason =
                "id \(failure.id) of the archive is refused"
                + (refusal.reason.map { ": \($0)" } ?? "")
            endImport(job, refusal)
        }
    }

    private func keepImport(_ job: RegistryImport) {
        var change = RegistryChange(put: job.archive.entries, objects: job.archive.objects)
        job.isStoring = true
        change.reserved = (job.archive.lastID, job.archive.lastLinkID)
        keep(change).whenComplete { [self] result in
            guard case .failure(let error) = result else {
                supervisor.configure()
                return endImport(job, nil)
            }
            endImport(job, error)
        }
    }

    private func endImport(_ job: RegistryImport, _ error: (any Error)?) {
        importing = nil
        unstored.subtract(job.archive.entries.map(\.id))
        guard let error else {
            for registration in job.restored {
                record(
                    HostEvent(
                        "register", id: registration.id, name: registration.name,
                        subsystem: registration.kernelStructOps, objectSha256: registration.objectSha256,
                        text:
                            "imported \(registration.kernelStructOps) \(registration.name) id \(registration.id)"
                    ),
                    peer: job.pending.peer)
            }
            let failed = job.archive.entries.filter { $0.failure != nil }.map(\.asFailed)
            let all = (job.restored + failed).sorted { $0.id < $1.id }
            return job.pending.finish(Reply(RegistrationsReply(all).json))
        }
        for registration in job.restored {
            supervisor.connection?.send(
                Method.registryUnregister.rawValue, ["id": .integer(Int64(registration.id))]
            ) { _, _, _ in }
        }
        notStored(job.pending, error)
    }

    /// The runtime has died, and what it had of the import with it.
    func abortImport() {
        guard let job = importing, !job.isStoring else { return }
        job.restored = []
        endImport(
            job,
            Refusal(
                "runtime", errno: Int(EIO), "the runtime died during the import",
                suggestion: "nothing was changed"))
    }
}
