/// The `BPF_LINK_*` commands for struct_ops. Objects are named by id; an unknown id is what a bad descriptor is to the
/// kernel (EBADF).
extension RuntimeCore {
    /// `BPF_F_REPLACE`.
    static let replaceFlag: UInt32 = 1 << 2
    /// What a link is charged.
    static let linkBytes = 256

    /// - Parameter id: nil: the next one. A restored registration's link gets its old one.
    /// - Returns: an attached link with one handle.
    /// - Throws: EBADF for an unknown map; EEXIST for an id that is taken; EINVAL for one that is not READY, or not a struct_ops map with links; what the
    ///   subsystem's `register` says.
    func createLink(map mapID: UInt32, uid: UInt32, id: UInt32? = nil) throws(OpsError) -> StructOpsLink {
        let map = try readyMap(mapID)
        do throws(OpsError) {
            try memory.charge(Self.linkBytes, to: uid, for: "a link to struct_ops map '\(map.name)'")
        } catch {
            map.put()
            throw error
        }
        do throws(OpsError) {
            return try attach.run { () throws(OpsError) in
                let link = StructOpsLink(id: try linkID(wanted: id), map: map, uid: uid)
                try link.attach(map)
                withTables { $0.links[link.id] = link }
                return link
            }
        } catch {
            memory.refund(Self.linkBytes, to: uid)
            map.put()
            throw error
        }
    }

    private func linkID(wanted: UInt32?) throws(OpsError) -> UInt32 {
        guard let wanted else { return try ids.next(.link) }
        guard link(wanted) == nil else { throw linkError(wanted, OpsError.eexist, "there is one already") }
        ids.reserve(.link, upTo: wanted)
        return wanted
    }

    /// - Parameters:
    ///   - expected: id of the map that must be the current one; needs `flags` F_REPLACE.
    ///   - onTrial: the current map takes its place again if the new one is ejected before `endTrial`.
    /// - Throws: as struct_ops.md §1.8 says, in that order.
    func updateLink(
        _ id: UInt32, map newID: UInt32, expected: UInt32? = nil, flags: UInt32 = 0, onTrial: Bool = false
    ) throws(OpsError) {
        guard flags & ~Self.replaceFlag == 0 else {
            throw linkError(id, OpsError.einval, "flags 0x\(String(flags, radix: 16)) are not allowed")
        }
        guard let link = link(id) else { throw linkError(id, OpsError.ebadf, "there is none") }
        guard expected == nil || flags & Self.replaceFlag != 0 else {
            throw linkError(id, OpsError.einval, "an expected map needs the flag F_REPLACE")
        }
        if let expected, map(expected) == nil {
            throw linkError(id, OpsError.ebadf, "there is no map \(expected), expected to be its current one")
        }
        let new = try readyMap(newID)
        do throws(OpsError) {
            guard link.type.descriptor.supportsUpdate else {
                throw linkError(id, OpsError.eopnotsupp, "\(link.type.name) has no update")
            }
            try attach.run { () throws(OpsError) in
                guard let old = link.map else { throw linkError(id, OpsError.enolink, "it is detached") }
                if let expected, expected != old.id {
                    throw linkError(id, OpsError.eperm, "its map is \(old.id), expected \(expected)")
                }
                guard old.type === new.type else {
                    throw linkError(
                        id, OpsError.einval,
                        "map \(newID) is a \(new.type.displayName), the link is one of \(old.type.displayName)"
                    )
                }
                try link.move(to: new, from: old, onTrial: onTrial)
            }
        } catch {
            new.put()
            throw error
        }
    }

    /// Always succeeds for a link that exists; detaching twice is nothing.
    func detachLink(_ id: UInt32) throws(OpsError) {
        guard let link = link(id) else { throw linkError(id, OpsError.ebadf, "there is none") }
        try attach.run { () throws(OpsError) in link.detach() }
    }

    /// The map with a reference taken.
    private func readyMap(_ id: UInt32) throws(OpsError) -> StructOpsMap {
        guard let map = map(id), map.get() else {
            let isOther = withTables { $0.dataMaps[id] != nil }
            throw OpsError(
                "not-found", errno: isOther ? OpsError.einval : OpsError.ebadf,
                isOther ? "map \(id) is not a struct_ops map" : "there is no map \(id)")
        }
        guard map.isLink, map.state == .ready else {
            map.put()
            throw map.error(
                "link", OpsError.einval,
                map.isLink
                    ? "its value is not set (state \(map.state.name))"
                    : "it was not made for links (SEC(\".struct_ops.link\"))")
        }
        return map
    }

    private func linkError(_ id: UInt32, _ errno: CInt, _ text: String) -> OpsError {
        OpsError("link", errno: errno, "link \(id): \(text)")
    }
}

extension RegisteredType {
    /// With the BTF, since another subsystem or profile may have one of that name.
    var displayName: String { "\(name) (\(btf.owner), kernel \(btf.profile.name))" }
}
