import ControlAPI
import Glibc
import NIOCore
import Registry

/// A new runtime is filled from the book, under the same ids.
extension Broker {
    /// Groups whose marks go to disk together.
    private static let groupsPerMark = 256
    /// A registration whose restoring ended with the daemon itself this often, lastly alone, is left out.
    private static let attemptsMax = 4

    /// What a new runtime gets. Before a group's turn a mark on disk says so: should we end with the runtime, the next
    /// daemon restores one by one what was marked, and leaves out what that happens with again and again.
    func restorePlan() -> [RuntimeSupervisor.RestorePlan] {
        restoredIDs = []
        let groups = book.restorable.compactMap { $0.without(Set(keptTrials.keys)) }
        let suspects = groups.filter { group in group.ids.contains { interrupted[$0] != nil } }
        let others = groups.filter { group in !group.ids.contains { interrupted[$0] != nil } }
        var batches = suspects.map { [$0] }
        for start in stride(from: 0, to: others.count, by: Self.groupsPerMark) {
            batches.append(Array(others[start..<min(start + Self.groupsPerMark, others.count)]))
        }
        var ended: [UInt32] = []
        var plan: [RuntimeSupervisor.RestorePlan] = []
        for batch in batches {
            let ids = batch.flatMap(\.ids)
            let attempts = Dictionary(
                ids.map { ($0, (interrupted[$0] ?? 0) + 1) }, uniquingKeysWith: { first, _ in first })
            for (index, group) in batch.enumerated() {
                let before = ended
                plan.append(
                    RuntimeSupervisor.RestorePlan(ids: group.ids, isFirstOfBatch: index == 0) { [self] in
                        guard index == 0 else { return restoreRequest(group) }
                        return storage.markRestoring(attempts, ended: before).flatMap { [self] in
                            restoreRequest(group)
                        }
                    })
            }
            ended = ids
        }
        lastMarked = ended
        return plan + trialPlan()
    }

    /// Everything that can be is in use.
    func hasRestored() {
        interrupted = [:]
        _ = storage.markRestoring([:], ended: lastMarked)
    }

    /// What an earlier daemon left: FAILED ones get another chance, for this one may be a later version, or the disk mended.
    func takeOver(interrupted: [UInt32: Int]) {
        self.interrupted = interrupted
        for var entry in book.failed where !entry.isQuarantined {
            entry.failure = nil
            book.apply(RegistryChange(put: [entry]))
            retried.insert(entry.id)
        }
        let given = interrupted.filter { $0.value >= Self.attemptsMax }.keys.sorted()
        quarantine(given, because: "the daemon ended \(Self.attemptsMax) times while it was being restored")
    }

    /// Whether a call can be answered while registrations are still being restored: all that it names are back, or it is
    /// a simulation, which waits in the runtime for those that it names.
    func isAvailable(_ pending: PendingCall) -> Bool {
        if pending.run != nil { return !supervisor.isWary }
        guard [.registryList, .registryDump].contains(pending.method),
            let selector: Selector = try? pending.call.parameters.decode(), !selector.isEmpty
        else { return false }
        let found = book.select(selector)
        return !found.isEmpty && found.allSatisfy { $0.failure != nil || restoredIDs.contains($0.id) }
    }

    /// Reads the object; nil: it cannot be read, and its registrations are marked so.
    func restoreRequest(_ group: RegistryBook.Group) -> EventLoopFuture<RuntimeSupervisor.RestoreRequest?> {
        storage.object(group.sha256).map { object in
            RuntimeSupervisor.RestoreRequest(
                RestoreParameters(file: group.file, uid: group.uid, items: group.items), object)
        }.flatMapErrorThrowing { [self] error in
            let reason = Refusal.reason(of: error)
            for id in group.ids { fail(id, reason: reason) }
            return nil
        }
    }

    func restored(_ reply: RestoreReply) {
        for registration in reply.restored {
            restoredIDs.insert(registration.id)
            trialRestored(registration.id)
            if retried.remove(registration.id) != nil, let entry = book.entries[registration.id] {
                keepUnasked(RegistryChange(put: [entry]))
            }
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

    func fail(_ id: UInt32, reason: String) {
        guard !trialNotRestored(id, reason) else { return }
        guard let entry = book.failing(id, reason: reason, isQuarantined: false) else { return }
        keepUnasked(RegistryChange(put: [entry]))
        let registration = entry.registration
        registrationEnded(id, name: registration.name, kind: "failed", reason: reason)
        record(
            HostEvent(
                "restore", id: id, name: registration.name, subsystem: registration.kernelStructOps,
                objectSha256: registration.objectSha256, errno: Int(EIO), reason: reason,
                text:
                    "could not restore \(registration.kernelStructOps) \(registration.name) id \(id): \(reason)"
            ),
            priority: .error)
    }

    /// - Parameter reason: how the runtime ended.
    func quarantine(_ ids: [UInt32], reason: String) {
        quarantine(ids, because: "the runtime was \(reason) over it")
    }

    private func quarantine(_ ids: [UInt32], because reason: String) {
        let entries = ids.filter { !trialNotRestored($0, reason) }.compactMap {
            book.failing($0, reason: "quarantined: \(reason)", isQuarantined: true)
        }
        keepUnasked(RegistryChange(put: entries))
        for entry in entries {
            let registration = entry.registration
            registrationEnded(entry.id, name: registration.name, kind: "failed", reason: entry.failure)
            record(
                HostEvent(
                    "quarantine", id: entry.id, name: registration.name,
                    subsystem: registration.kernelStructOps, objectSha256: registration.objectSha256,
                    reason: reason,
                    text: "quarantined \(registration.kernelStructOps) \(registration.name) id \(entry.id)"))
        }
    }
}

extension RestoreReply {
    /// What the runtime answered; a refusal is one of every registration that was asked for.
    init(_ reply: Reply, ids: [UInt32]) {
        do throws(Refusal) {
            let parameters = try reply.result()
            do { self = try parameters.decode() } catch { throw Refusal("protocol", errno: 71, "\(error)") }
        } catch {
            self.init(restored: [], failures: ids.map { Failure(id: $0, error: error) })
        }
    }
}
