import ControlAPI
import Glibc
import NIOCore
import Registry

/// A new runtime is filled from the book, under the same ids.
extension Broker {
    func restorePlan() -> [RuntimeSupervisor.RestorePlan] {
        book.restorable.map { group in
            RuntimeSupervisor.RestorePlan(ids: group.ids) { [self] in restoreRequest(group) }
        }
    }

    /// Reads the object; nil: it cannot be read, and its registrations are marked so.
    func restoreRequest(_ group: RegistryBook.Group) -> EventLoopFuture<RuntimeSupervisor.RestoreRequest?> {
        storage.object(group.sha256).map { [self] object in
            let parameters = try? JSONValue(
                encoding: RestoreParameters(
                    file: group.file, uid: group.uid, items: group.items, reserve: book.lastID,
                    reserveLinks: book.lastLinkID))
            return parameters.map { RuntimeSupervisor.RestoreRequest(parameters: $0, object: object) }
        }.flatMapErrorThrowing { [self] error in
            let reason = (error as? Refusal)?.reason ?? "\(error)"
            for id in group.ids { fail(id, reason: reason) }
            return nil
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
        guard let entry = book.failing(id, reason: reason, isQuarantined: false) else { return }
        keepUnasked(RegistryChange(put: [entry]))
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
        let entries = ids.compactMap {
            book.failing($0, reason: "quarantined: the runtime was \(reason) over it", isQuarantined: true)
        }
        keepUnasked(RegistryChange(put: entries))
        for entry in entries {
            let registration = entry.registration
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
