import ControlAPI
import Glibc
import NIOCore
import NIOPosix
import Registry

/// Changes of the registry: in the book and on disk before anybody is told.
extension Broker {
    /// Takes a change into the book and stores it. What cannot be stored is taken out of the book again.
    func keep(_ change: RegistryChange) -> EventLoopFuture<Void> {
        payDebt()
        let undo = book.apply(change)
        return storage.commit(change).flatMapErrorThrowing { [self] error in
            book.apply(undo)
            throw error
        }
    }

    /// Stores what has happened, whether or not it can be stored: an ejection, a quarantine, a registration that is no
    /// longer loaded. The book has it from now on; a disk that fails gets it later.
    /// - Returns: fails if it is not on disk yet.
    @discardableResult
    func keepUnasked(_ change: RegistryChange) -> EventLoopFuture<Void> {
        guard !change.isEmpty else { return loop.makeSucceededVoidFuture() }
        book.apply(change)
        return store(unasked: change)
    }

    @discardableResult
    private func store(unasked change: RegistryChange) -> EventLoopFuture<Void> {
        let stored = storage.commit(change)
        stored.whenFailure { [self] error in
            if debt.isEmpty {
                journal.say(
                    "a change of the registry could not be stored, which is tried again: \(error)",
                    priority: .error)
            }
            debt.ids.formUnion(change.removed + change.put.map(\.id))
            debt.objects.merge(change.objects) { $1 }
        }
        return stored
    }

    /// Stores what the disk has not taken before, as the book has it by now. What a call is changing waits: the book has
    /// that already, and it may be refused.
    func payDebt() {
        let ids = debt.ids.filter { changing[$0] == nil }.sorted()
        guard !ids.isEmpty else { return }
        let change = RegistryChange(
            put: ids.compactMap { book.entries[$0] }, removed: ids.filter { book.entries[$0] == nil },
            objects: debt.objects.filter { book.uses($0.key) })
        debt.ids.subtract(ids)
        if debt.isEmpty { debt.objects = [:] }
        store(unasked: change)
    }

    /// What has happened to the registry and is not on disk.
    struct Debt {
        var ids: Set<UInt32> = []
        var objects: [String: [UInt8]] = [:]
        var isEmpty: Bool { ids.isEmpty }
    }

    // MARK: Register and update

    /// The runtime has done what it was asked: acknowledged only once it is stored.
    func changed(_ pending: PendingCall, _ reply: Reply, added: [Registration], removed: [UInt32]) {
        // What ends with a connection is not stored, nor is what replaces it.
        if removed.contains(where: { watch.transient[$0] != nil }) {
            return transientChanged(pending, reply, added: added, removed: removed)
        }
        let file = pending.call.parameters["file"]?.string
        var change = RegistryChange(
            put: added.map { RegistryEntry($0, uid: pending.peer.uid, file: file) },
            removed: removed.filter { book.entries[$0] != nil })
        if let sha256 = added.first?.objectSha256 {
            let text = pending.call.parameters["object"]?.string ?? ""
            change.objects[sha256] = pending.object ?? Base64.decode(text)
        }
        let replaced = change.removed.compactMap { book.entries[$0] }
        let held = hold(added, pending)
        guard let new = added.first, new.trial != nil, let old = replaced.first else {
            return store(change, pending, reply, added: added, replaced: replaced, held: held)
        }
        let death = supervisor.restarts
        prepareTrial(of: new, old).whenComplete { [self, change] result in
            let refusal: Refusal
            switch result {
            case .success(let object) where supervisor.restarts == death:
                return store(
                    change, pending, reply, added: added, replaced: replaced, held: held,
                    fallback: RegistrationWatch.Fallback(entry: old, object: object))
            case .success:
                refusal = Refusal("runtime", errno: Int(EIO), "the runtime died, and the update with it")
            case .failure(let error):
                refusal = Refusal(of: error)
            }
            let end = { [self] in
                records.remove(.trials, [new.id])
                notStored(pending, refusal)
                letGo(held)
            }
            // A runtime that was started meanwhile knows nothing of it.
            guard supervisor.restarts == death else { return end() }
            takeBack(added, restoring: replaced, since: death, done: end)
        }
    }

    /// Reads and keeps what is being replaced on trial, before its registration goes from the disk, which may take it along.
    private func prepareTrial(of new: Registration, _ old: RegistryEntry) -> EventLoopFuture<[UInt8]> {
        storage.object(old.registration.objectSha256).flatMap { [self] object in
            keepTrial(of: new, old, object: object).map { object }
        }
    }

    /// Until a change is stored nobody may build another one on it.
    private func hold(_ added: [Registration], _ pending: PendingCall) -> [UInt32] {
        let replaced = pending.holds
        pending.holds = nil
        for registration in added where changing[registration.id] == nil { changing[registration.id] = [] }
        return [replaced].compactMap { $0 } + added.map(\.id)
    }

    private func store(
        _ change: RegistryChange, _ pending: PendingCall, _ reply: Reply, added: [Registration],
        replaced: [RegistryEntry], held: [UInt32], fallback: RegistrationWatch.Fallback? = nil
    ) {
        // A registration is not listed before it is stored; of an update something must be.
        let hidden = replaced.isEmpty ? Set(added.map(\.id)) : []
        let death = supervisor.restarts
        unstored.formUnion(hidden)
        keep(change).whenComplete { [self] result in
            switch result {
            case .success:
                unstored.subtract(hidden)
                if let new = added.first, let old = replaced.first {
                    registrationMoved(from: old.id, to: new, fallback)
                }
                pending.finish(reply)
                letGo(held)
            case .failure(let error):
                takeBack(added, restoring: replaced, since: death) { [self] in
                    if fallback != nil { records.remove(.trials, added.map(\.id)) }
                    unstored.subtract(hidden)
                    notStored(pending, error)
                    letGo(held)
                }
            }
        }
    }

    private func letGo(_ ids: [UInt32]) {
        for id in ids { release(id) }
        notifier.status(statusLine)
    }

    func notStored(_ pending: PendingCall, _ error: any Error) {
        let refusal = Refusal(of: error)
        record(
            HostEvent("refuse", errno: refusal.errno, reason: refusal.reason, text: refusal.text),
            peer: pending.peer, priority: .error)
        pending.finish(Reply(refusal))
    }

    // MARK: Unregister and detach

    /// Ends the registration that a call means. It is taken from the disk first: were it the runtime's turn first, a disk
    /// that fails would leave us with one that cannot be brought back while flows still hold it.
    func unregister(_ pending: PendingCall) {
        let found: [RegistryEntry]
        if pending.method == .linkDetach {
            let link = pending.call.parameters["id"]?.integer.flatMap { UInt32(exactly: $0) }
            found = link.flatMap { book.entry(ofLink: $0) }.map { [$0] } ?? []
        } else {
            let selector: Selector? = try? pending.call.parameters.decode()
            found = selector.flatMap { $0.isEmpty ? nil : book.select($0) } ?? []
        }
        // The runtime knows best what is wrong with a call that names nothing.
        guard let entry = found.first else { return submit(pending) }
        guard found.count == 1 else { return ambiguous(pending, found) }
        guard waitsForNobody(pending, entry.id) else { return }
        let death = supervisor.restarts
        keep(RegistryChange(removed: [entry.id])).whenComplete { [self] result in
            switch result {
            case .success where entry.failure == nil:
                pending.removal = entry
                submit(pending)
            case .success:
                // The runtime knows nothing of it.
                unregistered(pending, entry.asFailed)
                release(entry.id)
            case .failure(let error):
                // A runtime that was started meanwhile was not given it back.
                if supervisor.restarts != death {
                    supervisor.renew("id \(entry.id) was being unregistered when it began, which failed")
                }
                notStored(pending, error)
                release(entry.id)
            }
        }
    }

    private func ambiguous(_ pending: PendingCall, _ found: [RegistryEntry]) {
        let ids = found.map { String($0.id) }.joined(separator: ", ")
        pending.finish(
            Reply(
                Refusal(
                    "ambiguous", errno: Int(EINVAL),
                    "name '\(found[0].registration.name)' matches \(found.count) registrations",
                    reason: "their ids are \(ids)", suggestion: "say which one by 'id N'")))
    }

    private func unregistered(_ pending: PendingCall, _ registration: Registration) {
        record(
            HostEvent(
                "unregister", id: registration.id, name: registration.name,
                subsystem: registration.kernelStructOps, objectSha256: registration.objectSha256,
                text:
                    "unregistered \(registration.kernelStructOps) \(registration.name) id \(registration.id)"),
            peer: pending.peer)
        pending.finish(Reply(RegistrationsReply([registration]).json))
    }

    /// The runtime has answered the end of a registration that is stored already.
    func removed(_ entry: RegistryEntry, _ pending: PendingCall, _ reply: Reply) {
        defer { release(entry.id) }
        let refusal = reply.error.map { Refusal(wireError: $0, reply.parameters) }
        switch refusal?.errno {
        case nil:
            registrationEnded(entry, by: pending)
            pending.finish(reply)
        // A runtime that was started since did not get it back: it knows neither the registration nor the link.
        case Int(ENOENT), Int(EBADF), Int(ENOLINK): removedByDeath(entry, pending)
        default:
            // It is off the disk, and so must be out of use.
            supervisor.renew("it does not end id \(entry.id): \(refusal?.text ?? "")")
            removedByDeath(entry, pending)
        }
        notifier.status(statusLine)
    }

    func removedByDeath(_ entry: RegistryEntry, _ pending: PendingCall) {
        registrationEnded(entry, by: pending)
        if pending.method == .linkDetach { return pending.finish(Reply([:])) }
        unregistered(pending, entry.registration)
    }

    // MARK: One change of a registration at a time

    /// - Returns: false: another change of it is under way, and the call is taken up again when that is over.
    private func waitsForNobody(_ pending: PendingCall, _ id: UInt32) -> Bool {
        guard changing[id] == nil else {
            changing[id]?.append(pending)
            return false
        }
        changing[id] = []
        return true
    }

    func release(_ id: UInt32) {
        for pending in changing.removeValue(forKey: id) ?? [] { answer(pending) }
    }

    /// An update of what is being unregistered, or updated, waits.
    func update(_ pending: PendingCall) {
        let selector: Selector? = try? pending.call.parameters.decode()
        let found = selector.flatMap { $0.isEmpty ? nil : book.select($0) } ?? []
        guard found.count == 1, let entry = found.first else { return submit(pending) }
        guard waitsForNobody(pending, entry.id) else { return }
        pending.holds = entry.id
        submit(pending)
    }

    // MARK: Lists

    /// The runtime knows what is in use; what is kept but failed, we know. Its list is taken apart only where something is
    /// to be added or hidden, and not on the loop.
    func list(_ pending: PendingCall, _ reply: Reply) {
        guard !unstored.isEmpty || book.hasFailed,
            let selector: Selector = try? pending.call.parameters.decode()
        else { return pending.finish(reply) }
        let failed = book.select(selector).filter { $0.failure != nil }.map(\.asFailed)
        guard !unstored.isEmpty || !failed.isEmpty else { return pending.finish(reply) }
        let unstored = unstored
        pool.runIfActive(eventLoop: loop) {
            Broker.listed(reply.parsed(), selector, hiding: unstored, adding: failed)
        }.whenComplete { pending.finish((try? $0.get()) ?? reply) }
    }

    private static func listed(
        _ reply: Reply, _ selector: Selector, hiding unstored: Set<UInt32>, adding failed: [Registration]
    ) -> Reply {
        let live: RegistrationsReply? = reply.error == nil ? try? reply.parameters.decode() : nil
        let all = (live?.registrations ?? []).filter { !unstored.contains($0.id) } + failed
        guard !all.isEmpty || selector.isEmpty else {
            return reply.error != nil ? reply : Reply(.notFound(selector))
        }
        return Reply(text: Reply(RegistrationsReply(all.sorted { $0.id < $1.id }).json).json.utf8())
    }
}

extension Refusal {
    fileprivate static func notFound(_ selector: Selector) -> Refusal {
        Refusal("not-found", errno: Int(ENOENT), "there is no registration with \(selector.description)")
    }
}
