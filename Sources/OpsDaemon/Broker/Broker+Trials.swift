import ControlAPI
import NIOCore
import Registry

/// Registrations on trial. What they have replaced is kept beside the registry until the trial's end, so that it goes on
/// for its rest when the daemon is started again.
extension Broker {
    /// One that an earlier daemon began, until it goes on in the runtime.
    struct KeptTrial {
        /// What was replaced.
        var fallback: RegistryEntry
        /// Seconds since 1970.
        var end: Double
        /// What was replaced could not be restored: the other one is, without a trial.
        var isVoid = false
    }

    /// On disk before the update is: were it the other way around, a crash between the two would forget the old one.
    func keepTrial(of new: Registration, _ old: RegistryEntry, object: [UInt8]) -> EventLoopFuture<Void> {
        let header: JSONValue = [
            "object_sha256": .string(new.objectSha256), "fallback": old.json,
            "end": .double(wallTime + (new.trial?.leftS ?? 0)),
        ]
        return records.put(.trials, new.id, header, body: object)
    }

    func takeOverTrial(_ record: RecordFolder.Record) {
        let id = record.number
        guard let fallback = record.header["fallback"].flatMap({ RegistryEntry(json: $0) }),
            let end = record.header["end"]?.double, end > wallTime,
            // The update was not stored, or the trial is over and rolled back.
            let entry = book.entries[id], entry.failure == nil,
            record.header["object_sha256"]?.string == entry.registration.objectSha256
        else { return records.remove(.trials, [id]) }
        keptTrials[id] = KeptTrial(fallback: fallback, end: end)
    }

    /// First what was replaced, under the link; then, over it, what is on trial.
    func trialPlan() -> [RuntimeSupervisor.RestorePlan] {
        keptTrials.sorted { $0.key < $1.key }.flatMap { id, trial in
            [
                RuntimeSupervisor.RestorePlan(ids: [trial.fallback.id], isFirstOfBatch: true) { [self] in
                    fallbackRequest(of: id)
                },
                RuntimeSupervisor.RestorePlan(ids: [id], isFirstOfBatch: true) { [self] in
                    trialRequest(of: id)
                },
            ]
        }
    }

    private func fallbackRequest(of id: UInt32) -> EventLoopFuture<RuntimeSupervisor.RestoreRequest?> {
        guard let trial = keptTrials[id], !trial.isVoid, book.entries[id] != nil else {
            return loop.makeSucceededFuture(nil)
        }
        return records.body(.trials, id).map { object in
            RuntimeSupervisor.RestoreRequest(RestoreParameters(trial.fallback), object)
        }.flatMapErrorThrowing { [self] error in
            trialNotRestored(trial.fallback.id, Refusal.reason(of: error))
            return nil
        }
    }

    private func trialRequest(of id: UInt32) -> EventLoopFuture<RuntimeSupervisor.RestoreRequest?> {
        guard let trial = keptTrials[id] else { return loop.makeSucceededFuture(nil) }
        guard let entry = book.entries[id] else {
            // It has been unregistered meanwhile, so what it had replaced does not come back either.
            endKeptTrial(id)
            supervisor.connection?.send(
                Method.registryUnregister.rawValue, ["id": .integer(Int64(trial.fallback.id))]
            ) { _, _, _ in }
            return loop.makeSucceededFuture(nil)
        }
        var parameters = RestoreParameters(entry)
        if trial.isVoid {
            endKeptTrial(id)
        } else {
            parameters.trial = .init(replaces: trial.fallback.id, leftS: max(0.001, trial.end - wallTime))
        }
        return storage.object(entry.registration.objectSha256).map { [parameters] object in
            RuntimeSupervisor.RestoreRequest(parameters, object)
        }.flatMapErrorThrowing { [self] error in
            fail(id, reason: Refusal.reason(of: error))
            return nil
        }
    }

    private func endKeptTrial(_ id: UInt32) {
        keptTrials[id] = nil
        records.remove(.trials, [id])
    }

    /// It goes on in the runtime.
    func trialRestored(_ id: UInt32) {
        guard let trial = keptTrials.removeValue(forKey: id) else { return }
        watch.beginTrial(of: id, instead: .init(entry: trial.fallback, object: nil))
        records.body(.trials, id).whenSuccess { [self] in watch.setFallbackObject($0, of: id) }
    }

    /// Of what is on trial, or of what it has replaced.
    /// - Returns: whether it was on trial, and is rolled back now.
    @discardableResult
    func trialNotRestored(_ id: UInt32, _ reason: String) -> Bool {
        if let trial = keptTrials.removeValue(forKey: id) {
            let fallback = RegistrationWatch.Fallback(
                entry: trial.fallback, object: try? records.bodyNow(.trials, id))
            rollBack(id, to: fallback, reason)
            return true
        }
        guard let (new, trial) = keptTrials.first(where: { $0.value.fallback.id == id }) else {
            return false
        }
        keptTrials[new]?.isVoid = true
        journal.say(
            "the trial of id \(new) is over: \(trial.fallback.registration.name) id \(id), which it has "
                + "replaced, could not be restored: \(reason)", priority: .error)
        return false
    }

    /// The runtime has ejected a registration.
    func ejected(_ ejection: EjectionRecord) {
        let (id, restored) = (ejection.id, ejection.restored)
        keepEjection(ejection)
        var change = RegistryChange(removed: book.entries[id] == nil ? [] : [id])
        let fallback = watch.endTrial(of: id)
        if restored != nil, let fallback {
            putBack(fallback, in: &change)
            watch.moveWaiting(from: id, to: fallback.entry.id)
        } else {
            registrationEnded(id, name: ejection.name, kind: "eject", reason: ejection.reason)
        }
        keepUnasked(change).whenSuccess { [self] in
            if fallback != nil { records.remove(.trials, [id]) }
        }
    }

    private func putBack(_ fallback: RegistrationWatch.Fallback, in change: inout RegistryChange) {
        change.put.append(fallback.entry)
        change.objects[fallback.entry.registration.objectSha256] = fallback.object
    }

    /// It stays: what it has replaced need not be kept any more.
    func trialOver(_ id: UInt32) {
        guard watch.endTrial(of: id) != nil else { return }
        records.remove(.trials, [id])
    }

    /// The runtime died: what was on trial is not tried again, and what it had replaced is restored.
    func rollBackTrials(_ reason: String) {
        for (id, fallback) in watch.fallbacks.sorted(by: { $0.key < $1.key }) {
            rollBack(id, to: fallback, "the runtime was \(reason) in its trial")
        }
    }

    /// What was on trial is kept as FAILED, and what it has replaced is in the book again.
    private func rollBack(_ id: UInt32, to fallback: RegistrationWatch.Fallback, _ reason: String) {
        let why = "rolled back to id \(fallback.entry.id): \(reason)"
        guard var entry = book.failing(id, reason: why, isQuarantined: true) else { return }
        // The link is the other one's again.
        entry.registration.linkID = nil
        var change = RegistryChange(put: [entry])
        putBack(fallback, in: &change)
        keepUnasked(change).whenSuccess { [self] in records.remove(.trials, [id]) }
        watch.moveWaiting(from: id, to: fallback.entry.id)
        _ = watch.endTrial(of: id)
        let registration = fallback.entry.registration
        record(
            HostEvent(
                "rollback", id: registration.id, name: registration.name,
                subsystem: registration.kernelStructOps, objectSha256: registration.objectSha256,
                reason: why, text: "\(registration.name) id \(id) is \(why)"), priority: .warning)
    }
}

extension RestoreParameters {
    /// One registration by itself.
    fileprivate init(_ entry: RegistryEntry) {
        self.init(
            file: entry.file, uid: entry.uid,
            items: [entry.restoreItem])
    }
}
