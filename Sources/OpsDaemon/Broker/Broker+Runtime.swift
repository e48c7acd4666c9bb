import ControlAPI
import Glibc
import NIOCore

/// Calls that the runtime answers, and what happens to them when it dies.
extension Broker {
    /// Calls that wait for a runtime, over all clients.
    private static let queueMax = 4096
    /// A call that two runtimes died of is not tried on a third.
    private static let deathsMax = 2

    func submit(_ pending: PendingCall) {
        guard supervisor.phase == .up, let connection = supervisor.connection else {
            guard queue.count < Self.queueMax else {
                return pending.finish(
                    Reply(
                        Refusal(
                            "busy", errno: Int(EAGAIN),
                            "the runtime is being restarted and too many wait for it")))
            }
            queue.append(pending)
            return
        }
        var serial: Int64 = 0
        serial = connection.send(
            pending.method.rawValue, pending.call.parameters, object: pending.object, uid: pending.peer.uid,
            isOwnerOnly: pending.method.access == .owner && !rules.access.isAdministrator(pending.peer)
        ) { [self] reply, added, removed in
            guard !reply.continues else {
                if pending.method == .mapFollow {
                    pending.client?.stream(reply)
                } else {
                    progress(pending, reply)
                }
                return
            }
            underWay[serial] = nil
            answered(pending, reply, added: added, removed: removed)
        }
        underWay[serial] = pending
    }

    /// A client that has gone need not be told a verdict, and what was not verified is not registered.
    func abandonVerification(of client: ClientConnection) {
        for (serial, pending) in underWay where pending.client === client && !pending.call.oneway {
            guard [.registryRegister, .registryUpdate].contains(pending.method) else { continue }
            supervisor.connection?.send(RuntimeVerb.cancel.rawValue, ["serial": .integer(serial)]) {
                _, _, _ in
            }
        }
    }

    private func answered(_ pending: PendingCall, _ reply: Reply, added: [Registration], removed: [UInt32]) {
        // Whose something is, only the runtime knows; a load that it refuses it has told us of already.
        if pending.method.access == .owner, let refusal: Refusal = try? reply.parameters.decode(),
            refusal.errno == Int(EPERM)
        {
            recordRefusal(refusal, pending.peer)
        }
        switch pending.method {
        case .simulationRun: return endRun(pending, reply)
        case .registryList: return pending.finish(withFailed(reply, pending))
        default: break
        }
        guard !added.isEmpty || !removed.isEmpty else { return pending.finish(reply) }
        // Acknowledged only once it is stored.
        let file = pending.call.parameters["file"]?.string
        for id in removed { book.remove(id) }
        for registration in added { book.add(registration, file: file) }
        storage.save(
            book, object: pending.call.parameters["object"]?.string, sha256: added.first?.objectSha256
        ).whenComplete { [self] result in
            switch result {
            case .success: pending.finish(reply)
            case .failure(let error): storeFailed(pending, added: added, error)
            }
            notifier.status(statusLine)
        }
    }

    /// What could not be stored is not in use either: the runtime takes it back.
    private func storeFailed(_ pending: PendingCall, added: [Registration], _ error: any Error) {
        let refusal = (error as? Refusal) ?? Refusal("io", errno: Int(EIO), "\(error)")
        for registration in added {
            book.remove(registration.id)
            supervisor.connection?.send(
                Method.registryUnregister.rawValue, ["id": .integer(Int64(registration.id))]
            ) { _, _, _ in }
        }
        record(
            HostEvent("refuse", errno: refusal.errno, reason: refusal.reason, text: refusal.text),
            peer: pending.peer,
            priority: .error)
        pending.finish(Reply(refusal))
    }

    /// Stores what changed without a client that waits for it.
    func save() {
        storage.save(book, object: nil, sha256: nil).whenFailure { [self] error in
            journal.say("the registry could not be stored: \(error)", priority: .error)
        }
    }

    /// The runtime knows what is in use; what is kept but failed, we know.
    private func withFailed(_ reply: Reply, _ pending: PendingCall) -> Reply {
        guard let selector: Selector = try? pending.call.parameters.decode() else { return reply }
        let failed = book.failedRegistrations(selector)
        guard !failed.isEmpty else { return reply }
        let live: RegistrationsReply? = reply.error == nil ? try? reply.parameters.decode() : nil
        let all = (live?.registrations ?? []) + failed
        return Reply(RegistrationsReply(all.sorted { $0.id < $1.id }).json)
    }

    /// Unregisters what is kept as FAILED, of which the runtime knows nothing.
    /// - Returns: whether the call meant one of those.
    func unregisterFailed(_ pending: PendingCall) -> Bool {
        guard let selector: Selector = try? pending.call.parameters.decode(), !selector.isEmpty else {
            return false
        }
        let failed = book.failedRegistrations(selector)
        guard let first = failed.first else { return false }
        if let name = selector.name {
            let named = book.entries.values.filter { $0.registration.name == name }
            guard named.count == 1 else {
                let ids = named.map { String($0.registration.id) }.sorted().joined(separator: ", ")
                pending.finish(
                    Reply(
                        Refusal(
                            "ambiguous", errno: Int(EINVAL),
                            "name '\(name)' matches \(named.count) registrations",
                            reason: "their ids are \(ids)", suggestion: "say which one by 'id N'")))
                return true
            }
        }
        book.remove(first.id)
        storage.save(book, object: nil, sha256: nil).whenComplete { [self] result in
            switch result {
            case .success:
                record(
                    HostEvent(
                        "unregister", id: first.id, name: first.name, subsystem: first.kernelStructOps,
                        objectSha256: first.objectSha256,
                        text: "unregistered \(first.kernelStructOps) \(first.name) id \(first.id)"),
                    peer: pending.peer)
                pending.finish(Reply(RegistrationsReply([first]).json))
            case .failure(let error): storeFailed(pending, added: [], error)
            }
        }
        return true
    }

    // MARK: Restoring

    func restorePlan() -> [RuntimeSupervisor.RestorePlan] {
        book.restorable.map { group in
            RuntimeSupervisor.RestorePlan(ids: group.items.map(\.id)) { [self] in
                storage.object(group.sha256).map { [self] object in
                    try? JSONValue(
                        encoding: RestoreParameters(
                            object: object, file: group.file, items: group.items, reserve: book.lastID))
                }.flatMapErrorThrowing { [self] error in
                    let reason = (error as? Refusal)?.reason ?? "\(error)"
                    for item in group.items { fail(item.id, reason: reason) }
                    return nil
                }
            }
        }
    }

    func restored(_ reply: RestoreReply) {
        for registration in reply.restored {
            record(
                HostEvent(
                    "restore", id: registration.id, name: registration.name,
                    subsystem: registration.kernelStructOps,
                    objectSha256: registration.objectSha256,
                    text:
                        "restored \(registration.kernelStructOps) \(registration.name) id \(registration.id)")
            )
        }
        for failure in reply.failures { fail(failure.id, reason: failure.error.text) }
    }

    private func fail(_ id: UInt32, reason: String) {
        guard let entry = book.entries[id] else { return }
        book.fail(id, reason: reason, quarantined: false)
        save()
        let registration = entry.registration
        record(
            HostEvent(
                "restore", id: id, name: registration.name, subsystem: registration.kernelStructOps,
                objectSha256: registration.objectSha256, errno: Int(EIO), reason: reason,
                text:
                    "could not restore \(registration.kernelStructOps) \(registration.name) id \(id): \(reason)"
            ),
            priority: .error)
    }

    func quarantine(_ ids: [UInt32], reason: String) {
        for id in ids {
            guard let entry = book.entries[id] else { continue }
            let registration = entry.registration
            book.fail(id, reason: "quarantined: the runtime was \(reason) over it", quarantined: true)
            record(
                HostEvent(
                    "quarantine", id: id, name: registration.name, subsystem: registration.kernelStructOps,
                    objectSha256: registration.objectSha256, reason: reason,
                    text: "quarantined \(registration.kernelStructOps) \(registration.name) id \(id)"))
        }
        save()
    }

    // MARK: Death

    func runtimeDied(_ reason: String) {
        let interrupted = underWay.sorted { $0.key < $1.key }.map(\.value)
        underWay = [:]
        let work =
            interrupted.isEmpty
            ? ""
            : "; under way: "
                + Set(interrupted.map(\.method.rawValue)).sorted()
                .joined(separator: ", ")
        record(
            HostEvent(
                "restore", reason: "the runtime process was \(reason)\(work)",
                text: "the runtime process was \(reason) and is restarted"), priority: .error)
        let isAlone = interrupted.count == 1
        for pending in interrupted { interruptedByDeath(pending, reason, isAlone: isAlone) }
    }

    private func interruptedByDeath(_ pending: PendingCall, _ reason: String, isAlone: Bool) {
        pending.deaths += 1
        let mayRepeat = pending.method.isIdempotent && pending.deaths < Self.deathsMax
        guard !mayRepeat else {
            queue.append(pending)
            return
        }
        if isAlone, let run = pending.run, !run.uses.isEmpty { quarantine(run.uses, reason: reason) }
        let changes = pending.method.isIdempotent ? nil : "nothing was changed"
        let refusal = Refusal(
            "runtime", errno: Int(EIO), "the runtime died while it worked on '\(pending.method.rawValue)'",
            reason: "its process was \(reason)" + (pending.deaths > 1 ? ", for the second time" : ""),
            suggestion: [changes, "'journalctl -u opsd' has the record"].compactMap { $0 }.joined(
                separator: "; "))
        if pending.run != nil { endRun(pending, Reply(refusal)) } else { pending.finish(Reply(refusal)) }
    }
}
