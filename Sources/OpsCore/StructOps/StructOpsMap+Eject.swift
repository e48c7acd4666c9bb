extension StructOpsMap {
    /// The subsystem throws it out by itself: its registration ends as if it had been deleted, or every link to it
    /// detached, and the links' owners are told; one on trial goes back to what it has replaced. May be called from anywhere, also from inside an op or a callback: it
    /// is then done as soon as the control plane is free.
    ///
    /// - Parameter details: kept with the record as it is, for people: what the subsystem's objects looked like.
    public func eject(kind: String, reason: String, details: String? = nil) {
        core.attach.enqueue { [self] in
            for link in core.links(to: self) {
                let record = record(kind, reason, link: link, details)
                if !link.rollBack(record) { link.detach(by: record) }
            }
            if state == .inUse {
                let record = record(kind, reason, link: nil, details)
                endRegistration()
                core.note(record)
            }
        }
    }

    func record(
        _ kind: String, _ reason: String, link: StructOpsLink?, _ details: String? = nil
    ) -> Ejection {
        Ejection(
            kind: kind, reason: reason, mapID: id, linkID: link?.id, type: typeName, name: name,
            details: details)
    }
}

extension RuntimeCore {
    /// Keeps the record and tells the journal.
    func note(_ ejection: Ejection) {
        withTables { tables in
            tables.ejections.append(ejection)
            if tables.ejections.count > Self.ejectionCountMax { tables.ejections.removeFirst() }
        }
        report(
            OpsEvent(
                kind: .eject, id: ejection.mapID, name: ejection.name, type: ejection.type,
                reason: "\(ejection.kind): \(ejection.reason)", restored: ejection.restoredID,
                details: ejection.details))
    }
}
