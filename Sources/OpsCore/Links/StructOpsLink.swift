import Synchronization

/// The attachment of a READY map, which can be moved to another map of the same type.
///
/// It holds one reference on its map, and none once detached. Kernel counterpart: `struct bpf_struct_ops_link`.
public final class StructOpsLink: Sendable {
    public let id: UInt32
    public let uid: UInt32
    let type: RegisteredType
    let core: RuntimeCore
    private let owner: RegisteredSubsystem
    private let references = ReferenceCount()
    /// Changed with the attach lock held; the mutex is for readers.
    private let current = Mutex(Current())

    private struct Current: Sendable {
        var map: StructOpsMap?
        /// What the map has replaced on trial, and takes its place again if it is ejected; with a reference.
        var fallback: StructOpsMap?
        var ejection: Ejection?
        var observers: [@Sendable (Ejection?) -> Void] = []
    }

    init(id: UInt32, map: StructOpsMap, uid: UInt32) {
        self.id = id
        self.uid = uid
        type = map.type
        core = map.core
        owner = map.owner
    }

    /// nil once detached.
    public var map: StructOpsMap? { current.withLock { $0.map } }

    /// Kernel counterpart: EPOLLHUP on the link's descriptor.
    public var isDetached: Bool { map == nil }

    /// Why the subsystem threw it out, if it did.
    public var ejection: Ejection? { current.withLock { $0.ejection } }

    /// What the present map has replaced on trial; nil outside a trial.
    public var fallback: StructOpsMap? { current.withLock { $0.fallback } }

    /// Calls `body` once, when the link is detached, with the subsystem's record if it was that; at once if it is
    /// detached already. It must not change registrations. Kernel counterpart: poll.
    public func whenDetached(_ body: @escaping @Sendable (Ejection?) -> Void) {
        let gone: Ejection?? = current.withLock { current in
            if current.map == nil { return .some(current.ejection) }
            current.observers.append(body)
            return nil
        }
        if let gone { body(gone) }
    }

    /// Registers with the subsystem. With the attach lock held; nothing is left behind by a failure.
    func attach(_ map: StructOpsMap) throws(OpsError) {
        current.withLock { $0.map = map }
        do {
            try owner.subsystem.register(map, link: self)
        } catch {
            current.withLock { $0.map = nil }
            throw map.located(error, nil)
        }
        map.linkIDs.withLock { $0.append(id) }
    }

    /// Moves to another map. `new` comes with a reference, which the link takes over. A trial that goes on is over. With
    /// the attach lock held.
    ///
    /// - Parameter onTrial: `old` takes its place again if `new` is ejected before `endTrial`.
    func move(to new: StructOpsMap, from old: StructOpsMap, onTrial: Bool = false) throws(OpsError) {
        do { try owner.subsystem.update(from: old, to: new, link: self) } catch {
            throw new.located(error, nil)
        }
        let dropped = current.withLock { current in
            let before = current.fallback
            current.map = new
            current.fallback = onTrial ? old : nil
            return before
        }
        old.forgetLink(id)
        new.linkIDs.withLock { $0.append(id) }
        dropped?.put()
        if !onTrial { old.put() }
    }

    /// The trial of `new` is over: it stays. Does nothing if another map is attached by now. With the attach lock held.
    /// - Returns: whether there was a trial.
    func endTrial(of new: StructOpsMap) -> Bool {
        let fallback = current.withLock { current in
            guard current.map === new else { return nil as StructOpsMap? }
            defer { current.fallback = nil }
            return current.fallback
        }
        fallback?.put()
        return fallback != nil
    }

    /// Puts back what the ejected map had replaced on trial. With the attach lock held.
    /// - Returns: false if it is not on trial, or the subsystem does not take the old one back: it is to be detached.
    func rollBack(_ ejection: Ejection) -> Bool {
        let (map, fallback) = current.withLock { ($0.map, $0.fallback) }
        guard let map, let fallback, fallback.get() else { return false }
        do throws(OpsError) {
            // Drops the fallback's own reference; the link keeps the one taken here.
            try move(to: fallback, from: map)
        } catch {
            fallback.put()
            return false
        }
        var ejection = ejection
        ejection.restoredID = fallback.id
        core.note(ejection)
        core.report(core.event(.rollback, fallback))
        return true
    }

    /// Ends the attachment; does nothing to a link that is detached. With the attach lock held.
    func detach(by ejection: Ejection? = nil) {
        guard let map else { return }
        owner.subsystem.unregister(map, link: self)
        let (observers, fallback) = current.withLock { current in
            defer {
                current.map = nil
                current.fallback = nil
                current.ejection = ejection
                current.observers = []
            }
            return (current.observers, current.fallback)
        }
        map.forgetLink(id)
        map.put()
        fallback?.put()
        if let ejection { core.note(ejection) }
        for observer in observers { observer(ejection) }
    }

    /// The subsystem throws this one attachment out; see `StructOpsMap.eject`.
    public func eject(kind: String, reason: String) {
        core.attach.enqueue { [self] in
            guard let map else { return }
            let record = map.record(kind, reason, link: self)
            if !rollBack(record) { detach(by: record) }
        }
    }

    // MARK: Handles

    /// One more handle ("file descriptor" or pin); false if the last is gone.
    package func open() -> Bool { references.get() }

    /// Drops a handle. The last one ends the attachment and the link.
    package func close() {
        guard references.put() else { return }
        core.withTables { $0.links[id] = nil }
        core.memory.refund(RuntimeCore.linkBytes, to: uid)
        core.attach.enqueue { self.detach() }
    }
}

extension StructOpsMap {
    fileprivate func forgetLink(_ id: UInt32) { linkIDs.withLock { $0.removeAll { $0 == id } } }
}
