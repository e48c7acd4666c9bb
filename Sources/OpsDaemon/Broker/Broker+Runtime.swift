import ControlAPI
import Glibc
import NIOCore
import Registry

/// Calls that the runtime answers, and what happens to them when it dies.
extension Broker {
    /// Calls that wait for a runtime, over all clients.
    private static let queueMax = 4096
    /// A call that two runtimes died of is not tried on a third.
    private static let deathsMax = 2

    func submit(_ pending: PendingCall) {
        let phase = supervisor.phase
        guard let connection = supervisor.connection,
            phase == .up || (phase == .restoring && isAvailable(pending))
        else {
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
            pending.method.rawValue, pending.runtimeParameters ?? pending.call.parameters,
            object: pending.object, draft: pending.draft, uid: pending.peer.uid,
            isOwnerOnly: pending.method.access == .owner && !rules.access.isAdministrator(pending.peer)
        ) { [self] reply, added, removed in
            guard !reply.continues else {
                if pending.method.isFollower {
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
        // Calls that wait for this one find the book as it leaves it.
        defer { if let id = pending.holds { release(id) } }
        // Whose something is, only the runtime knows; a load that it refuses it has told us of already.
        if pending.method.access == .owner, let refusal: Refusal = try? reply.parameters.decode(),
            refusal.errno == Int(EPERM)
        {
            recordRefusal(refusal, pending.peer)
        }
        switch pending.method {
        case .simulationRun: return endRun(pending, reply)
        case .registryList: return list(pending, reply)
        default: break
        }
        if let entry = pending.removal { return self.removed(entry, pending, reply) }
        guard !pending.method.isIdempotent || added.isEmpty && removed.isEmpty else {
            // Nothing changes by being looked at: code that ran in the runtime has damaged it, and is at the registry.
            pending.finish(Reply(Refusal("runtime", errno: Int(EIO), "the runtime gave no sensible answer")))
            return supervisor.endDamaged()
        }
        guard !added.isEmpty || !removed.isEmpty else { return pending.finish(reply) }
        if isTransient(pending) { return beginTransient(pending, reply, added) }
        changed(pending, reply, added: added, removed: removed)
    }

    // MARK: Death

    /// What else than a restore it can have died of: of a run that its thread's crash tells of, or maybe of one beside it.
    func otherCause(_ end: RuntimeEnd) -> RuntimeSupervisor.OtherCause {
        if let request = end.request { return underWay[request]?.run == nil ? .none : .certain }
        return underWay.values.contains { $0.run != nil } ? .possible : .none
    }

    /// - Parameter isRestoring: it was being filled, and so may have died of that, too.
    func runtimeDied(_ end: RuntimeEnd, isRestoring: Bool) {
        let reason = end.text
        rollBackTrials(reason)
        transientsDied(reason)
        abortImport()
        finishTakeBacks()
        let interrupted = underWay.sorted { $0.key < $1.key }
        underWay = [:]
        let work =
            interrupted.isEmpty
            ? ""
            : "; under way: "
                + Set(interrupted.map(\.value.method.rawValue)).sorted()
                .joined(separator: ", ")
        record(
            HostEvent(
                "restore", reason: "the runtime process was \(reason)\(work)",
                text: "the runtime process was \(reason) and is restarted"), priority: .error)
        // A list that waits beside a run says nothing of it: listing runs nobody's code.
        let workers = interrupted.count { $0.value.method != .registryList } + (isRestoring ? 1 : 0)
        let isAnyStuck = interrupted.contains { $0.value.isStuck }
        for (serial, pending) in interrupted {
            // A thread that crashes says what it worked on, and over what we killed it we know. A death that tells nothing
            // falls on a call that was alone.
            let part: DeathPart =
                if isAnyStuck {
                    pending.isStuck ? .cause : .witness
                } else {
                    switch end.request {
                    case serial: .cause
                    case nil: workers == 1 ? .alone : .unknown
                    default: .witness
                    }
                }
            interruptedByDeath(pending, end, part)
        }
    }

    /// What a call had to do with the death of its runtime.
    private enum DeathPart { case cause, alone, unknown, witness }

    private func interruptedByDeath(_ pending: PendingCall, _ end: RuntimeEnd, _ part: DeathPart) {
        if let id = pending.holds { release(id) }
        // It is off the disk, so the next runtime does not get it back.
        if let entry = pending.removal {
            removedByDeath(entry, pending)
            return release(entry.id)
        }
        if part != .witness { pending.deaths += 1 }
        let uses = pending.run?.uses ?? []
        let isSuspect = (part == .cause || part == .alone) && !uses.isEmpty
        // A run that crashed its runtime or hung, as far as anybody can tell, is not tried on another.
        let isGuilty = isSuspect && (pending.isStuck || !end.isFromOutside)
        let isSpent = isGuilty || pending.deaths >= Self.deathsMax
        let isWanted = pending.run?.isCancelled != true
        let mayRepeat = pending.method.isIdempotent && !isSpent && isWanted
        guard !mayRepeat else {
            queue.append(pending)
            return
        }
        if isSuspect && isSpent {
            quarantine(uses, reason: pending.isStuck ? "killed after a run had hung" : end.text)
        }
        let changes = pending.method.isIdempotent ? nil : "nothing was changed"
        let refusal = Refusal(
            "runtime", errno: Int(EIO), "the runtime died while it worked on '\(pending.method.rawValue)'",
            reason: "its process was \(end.text)" + (pending.deaths > 1 ? ", for the second time" : ""),
            suggestion: [changes, "'journalctl -u opsd' has the record"].compactMap { $0 }.joined(
                separator: "; "))
        if pending.run != nil { endRun(pending, Reply(refusal)) } else { pending.finish(Reply(refusal)) }
    }
}
