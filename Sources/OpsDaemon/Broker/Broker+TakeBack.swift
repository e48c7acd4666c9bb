import ControlAPI
import NIOCore
import Registry

/// A change that the runtime has made, that could not be stored, and that is being taken back from it.
final class TakeBack: @unchecked Sendable {  // Confined to the broker's loop.
    /// Answers that are missing.
    fileprivate var missing: Int
    fileprivate let done: () -> Void

    fileprivate init(_ missing: Int, _ done: @escaping () -> Void) {
        self.missing = missing
        self.done = done
    }
}

/// What could not be stored is not in use either, and what it replaced is again, when the client hears of it.
extension Broker {
    /// - Parameters:
    ///   - death: the number of runtimes that had died when this one made the change.
    ///   - done: called when nothing of the change is left.
    func takeBack(
        _ added: [Registration], restoring replaced: [RegistryEntry], since death: Int,
        done: @escaping () -> Void
    ) {
        var book = RegistryBook()
        book.apply(RegistryChange(put: replaced))
        let groups = book.restorable
        guard let connection = supervisor.connection else {
            // The next runtime is filled from the book, which knows nothing of the change any more.
            return done()
        }
        guard supervisor.phase == .up, supervisor.restarts == death else {
            // What this runtime was filled with may be the change, or what was before it.
            supervisor.renew("a change that could not be stored was under way when it began")
            return done()
        }
        let job = TakeBack(added.count + groups.count, done)
        guard job.missing > 0 else { return done() }
        takeBacks[ObjectIdentifier(job)] = job
        for registration in added {
            connection.send(
                Method.registryUnregister.rawValue, ["id": .integer(Int64(registration.id))]
            ) { [self] _, _, _ in oneLess(job) }
        }
        for group in groups {
            restoreRequest(group).whenSuccess { [self] request in
                guard takeBacks[ObjectIdentifier(job)] != nil else { return }
                guard let request else { return oneLess(job) }
                connection.send(
                    RuntimeVerb.restore.rawValue, request.parameters, object: request.object
                ) { [self] reply, _, _ in
                    if !RestoreReply(reply, ids: group.ids).failures.isEmpty {
                        // A run still holds what had been replaced, under the id that it is to have again.
                        supervisor.renew("what an update replaced could not be put back into it")
                    }
                    oneLess(job)
                }
            }
        }
    }

    private func oneLess(_ job: TakeBack) {
        job.missing -= 1
        guard job.missing == 0, takeBacks.removeValue(forKey: ObjectIdentifier(job)) != nil else { return }
        job.done()
    }

    /// The runtime died, and the change with it.
    func finishTakeBacks() {
        let jobs = takeBacks.values
        takeBacks = [:]
        for job in jobs { job.done() }
    }
}
