import ControlAPI
import Glibc
import NIOCore
import Registry

/// Links and their owners: transient registrations, those who wait for an end.
extension Broker {
    // MARK: Waiting

    /// `Wait`: answered when the registration is not attached any more.
    func waitForEnd(_ pending: PendingCall) {
        guard let selector: Selector = try? pending.call.parameters.decode(), !selector.isEmpty else {
            return pending.finish(
                Reply(Refusal("invalid", errno: Int(EINVAL), "neither 'id' nor 'name' is given")))
        }
        let kept = book.select(selector)
        let transient = watch.transient.values.map(\.registration).filter {
            selector.id == $0.id || selector.name == $0.name
        }
        let found = kept.filter { $0.failure == nil }.map(\.registration) + transient
        if found.count == 1, let registration = found.first {
            return watch.wait(pending, for: registration.id)
        }
        if let failed = kept.first, found.isEmpty {
            let end = RegistrationEnd(
                id: failed.id, name: failed.registration.name, kind: "failed", reason: failed.failure)
            return pending.finish(Reply(["end": (try? JSONValue(encoding: end)) ?? [:]]))
        }
        pending.finish(Reply(refusal(selector, found)))
    }

    private func refusal(_ selector: Selector, _ found: [Registration]) -> Refusal {
        guard !found.isEmpty else {
            return Refusal(
                "not-found", errno: Int(ENOENT),
                "there is no attached registration with \(selector.description)")
        }
        let ids = found.map { String($0.id) }.sorted().joined(separator: ", ")
        return Refusal(
            "ambiguous", errno: Int(EINVAL),
            "\(selector.description) matches \(found.count) registrations", reason: "their ids are \(ids)",
            suggestion: "say which one by 'id N'")
    }

    /// Tells those who wait for it.
    func registrationEnded(_ id: UInt32, name: String, kind: String, reason: String?) {
        for (call, reply) in watch.end(RegistrationEnd(id: id, name: name, kind: kind, reason: reason)) {
            call.finish(reply)
        }
    }

    func registrationEnded(_ entry: RegistryEntry, by pending: PendingCall) {
        registrationEnded(
            entry.id, name: entry.registration.name,
            kind: pending.method == .linkDetach ? "detach" : "unregister", reason: nil)
    }

    /// An update is stored.
    func registrationMoved(
        from old: UInt32, to new: Registration, _ fallback: RegistrationWatch.Fallback?
    ) {
        watch.move(from: old, to: new)
        if let fallback { watch.beginTrial(of: new.id, instead: fallback) }
    }

    // MARK: Transient registrations

    /// Its registrations are to end with its connection.
    func isTransient(_ pending: PendingCall) -> Bool {
        pending.method == .registryRegister && pending.call.parameters["transient"] == .bool(true)
    }

    /// They live as long as the call, which goes on. Only their ids are stored, so that nobody gets them again.
    func beginTransient(_ pending: PendingCall, _ reply: Reply, _ added: [Registration]) {
        guard !added.isEmpty else { return pending.finish(reply) }
        let hidden = Set(added.map(\.id))
        let death = supervisor.restarts
        unstored.formUnion(hidden)
        reserve(added).whenComplete { [self] result in
            if case .failure(let error) = result {
                return takeBack(added, restoring: [], since: death) { [self] in
                    unstored.subtract(hidden)
                    notStored(pending, error)
                }
            }
            unstored.subtract(hidden)
            guard supervisor.restarts == death else {
                return pending.finish(
                    Reply(
                        Refusal("runtime", errno: Int(EIO), "the runtime died, and the registration with it"))
                )
            }
            for registration in added { watch.addTransient(registration, of: pending) }
            guard let client = pending.client, isConnected(client) else {
                return endTransient(added.map(\.id))
            }
            client.stream(Reply(reply.parameters, continues: true))
            // Nobody waits for its end but its client.
            let whenFinished = pending.whenFinished
            pending.whenFinished = nil
            whenFinished?(reply)
            notifier.status(statusLine)
        }
    }

    private func reserve(_ added: [Registration]) -> EventLoopFuture<Void> {
        var change = RegistryChange()
        change.reserved = (added.map(\.id).max() ?? 0, added.compactMap(\.linkID).max() ?? 0)
        return keep(change)
    }

    /// A call of whomever has changed one.
    func transientChanged(
        _ pending: PendingCall, _ reply: Reply, added: [Registration], removed: [UInt32]
    ) {
        for id in removed {
            guard let old = watch.transient[id]?.registration else { continue }
            if let new = added.first {
                watch.move(from: id, to: new)
            } else {
                registrationEnded(
                    id, name: old.name, kind: pending.method == .linkDetach ? "detach" : "unregister",
                    reason: nil)
            }
        }
        guard !added.isEmpty else { return pending.finish(reply) }
        let death = supervisor.restarts
        reserve(added).whenComplete { [self] result in
            guard case .failure(let error) = result else { return pending.finish(reply) }
            // An id that may come again must not stay in use. What it replaced is gone: nobody keeps its object.
            takeBack(added, restoring: [], since: death) { [self] in
                for new in added {
                    registrationEnded(
                        new.id, name: new.name, kind: "failed", reason: "its id could not be stored")
                }
                notStored(pending, error)
            }
        }
    }

    /// Their connection is gone. A runtime that is being restarted has forgotten them already.
    func endTransient(of client: ClientConnection) {
        endTransient(watch.transient(of: client))
        watch.forgetWaiting(of: client)
    }

    private func endTransient(_ ids: [UInt32]) {
        for id in ids {
            guard let registration = watch.transient[id]?.registration else { continue }
            supervisor.connection?.send(
                Method.registryUnregister.rawValue, ["id": .integer(Int64(id))]
            ) { [self] reply, _, _ in
                record(
                    HostEvent(
                        "unregister", id: id, name: registration.name,
                        subsystem: registration.kernelStructOps, objectSha256: registration.objectSha256,
                        reason: "its connection has ended",
                        text: "unregistered \(registration.kernelStructOps) \(registration.name) id \(id): "
                            + "its connection has ended"))
                registrationEnded(
                    id, name: registration.name, kind: "unregister", reason: "its connection has ended")
            }
        }
    }

    // MARK: Ejections

    func listEjections(_ pending: PendingCall) {
        let selector = (try? pending.call.parameters.decode(as: Selector.self)) ?? Selector()
        let found = watch.ejections.filter { ejection in
            selector.isEmpty || selector.id == ejection.id || selector.name == ejection.name
        }
        pending.finish(Reply((try? JSONValue(encoding: EjectionsReply(ejections: found))) ?? [:]))
    }

    // MARK: Death of the runtime

    /// A new runtime knows nothing of transient registrations.
    func transientsDied(_ reason: String) {
        for (id, entry) in watch.transient.sorted(by: { $0.key < $1.key }) {
            registrationEnded(
                id, name: entry.registration.name, kind: "failed", reason: "the runtime was \(reason)")
        }
    }
}
