import Synchronization

extension LoadedObject {
    /// The variables to register. - Throws: ENOENT for one it was not loaded with, or if there is none.
    func variables(_ wanted: [String]?) throws(OpsError) -> [String] {
        let known = prepared.structOps.map(\.name)
        guard let wanted else {
            let all = known + prepared.mismatched.keys.sorted()
            guard !all.isEmpty else {
                throw OpsError(
                    "not-found", errno: OpsError.enoent, "no struct_ops found in '\(prepared.name)'",
                    at: OpsError.Location(object: prepared.name))
            }
            return all
        }
        for name in wanted where !known.contains(name) && prepared.mismatched[name] == nil {
            throw OpsError(
                "not-found", errno: OpsError.enoent, "no struct_ops map '\(name)' in '\(prepared.name)'",
                at: OpsError.Location(object: prepared.name, map: name),
                reason: "it was loaded with \(known.isEmpty ? "none" : known.joined(separator: ", "))")
        }
        return wanted
    }

    /// - Throws: ENOENT; EINVAL if no name is given and there are several of the type.
    func variable(named name: String?, of type: RegisteredType) throws(OpsError) -> PreparedStructOps {
        if let name {
            guard let found = prepared.structOps.first(where: { $0.name == name }) else {
                throw prepared.mismatched[name]
                    ?? OpsError(
                        "not-found", errno: OpsError.enoent,
                        "no struct_ops map '\(name)' in '\(prepared.name)'")
            }
            return found
        }
        let candidates = prepared.structOps.filter { $0.type.name == type.name }
        guard let only = candidates.first, candidates.count == 1 else {
            throw OpsError(
                candidates.isEmpty ? "not-found" : "ambiguous",
                errno: candidates.isEmpty ? OpsError.enoent : OpsError.einval,
                "'\(prepared.name)' has \(candidates.count) struct_ops maps of \(type.name), one is needed",
                reason: candidates.isEmpty ? nil : candidates.map(\.name).joined(separator: ", "))
        }
        return only
    }
}

extension RuntimeCore {
    /// Makes the map of a variable and attaches it the way its section says.
    func register(
        _ name: String, of object: LoadedObject, ids: RestoredIDs?
    ) throws(OpsError) -> StructOpsMap {
        if let error = object.prepared.mismatched[name] { throw error }
        guard let variable = object.prepared.structOps.first(where: { $0.name == name }) else {
            throw OpsError("not-found", errno: OpsError.enoent, "no struct_ops map '\(name)'")
        }
        let map = try makeMap(variable, of: object, id: ids?.map)
        // What attached it holds it from here on.
        defer { map.close() }
        // The link's one handle is what a pin is to the kernel: it stays until the registration is ended.
        if map.isLink { _ = try createLink(map: map.id, uid: object.uid, id: ids?.link) }
        return map
    }

    /// Creates and sets the map of a variable: INUSE, or READY for links. The caller holds its handle.
    func makeMap(
        _ variable: PreparedStructOps, of object: LoadedObject, id: UInt32?
    ) throws(OpsError) -> StructOpsMap {
        if let failure = variable.failure { throw failure }
        let type = variable.type
        let map = try createMap(
            StructOpsMapSpec(
                name: variable.name, valueSize: type.value.byteCount,
                flags: variable.isLink ? StructOpsMapSpec.linkFlag : 0, valueType: type.valueRef,
                uid: object.uid, id: id))
        var value = variable.value
        for member in variable.programs {
            let start = type.value.dataOffset + type.members[member.member].byteOffset
            let id = object.programIDs[member.program]
            for byte in 0..<4 { value[start + byte] = UInt8(truncatingIfNeeded: id >> (8 * UInt32(byte))) }
        }
        do throws(OpsError) {
            try map.update(value: value)
        } catch {
            map.close()
            throw error
        }
        return map
    }

    /// Undoes `register`.
    func withdraw(_ map: StructOpsMap) {
        if map.isLink {
            for link in links(to: map) { try? detachAndRelease(link) }
        } else {
            try? map.delete()
        }
    }

    /// The links that a map is attached by and that have a handle, by ascending id.
    func links(to map: StructOpsMap) -> [StructOpsLink] {
        let ids = map.linkIDs.withLock { $0.sorted() }
        return withTables { tables in ids.compactMap { tables.links[$0] } }
    }

    func detachAndRelease(_ link: StructOpsLink) throws(OpsError) {
        try attach.run { () throws(OpsError) in link.detach() }
        link.close()
    }

    /// The registration to change. A name means what is attached under it, not what an update has replaced and flows
    /// still use.
    /// - Throws: ENOENT; EINVAL for a name that matches several.
    func select(_ selector: RegistrationSelector) throws(OpsError) -> StructOpsMap {
        var found = selected(selector)
        if found.count > 1 {
            let attached = found.filter { $0.state == .inUse || !links(to: $0).isEmpty }
            if !attached.isEmpty { found = attached }
        }
        guard let first = found.first else { throw RuntimeCore.notFound(selector) }
        guard found.count == 1 else {
            let ids = found.map { String($0.id) }.joined(separator: ", ")
            throw OpsError(
                "ambiguous", errno: OpsError.einval,
                "\(selector.text) matches several registrations: id \(ids)",
                suggestion: "select one by its id")
        }
        return first
    }

    /// By ascending id.
    func selected(_ selector: RegistrationSelector?) -> [StructOpsMap] {
        switch selector {
        case nil: return withTables { Array($0.structOps.values) }.sorted { $0.id < $1.id }
        case .id(let id): return map(id).map { [$0] } ?? []
        case .name(let name):
            let cut = name.cut(toBytes: 15)
            return withTables { $0.structOps.values.filter { $0.name == cut } }.sorted { $0.id < $1.id }
        }
    }

    static func notFound(_ selector: RegistrationSelector) -> OpsError {
        OpsError("not-found", errno: OpsError.enoent, "there is no registration with \(selector.text)")
    }

    func event(_ kind: OpsEvent.Kind, _ map: StructOpsMap) -> OpsEvent {
        OpsEvent(
            kind: kind, id: map.id, name: map.name, type: map.typeName,
            objectSHA256: map.object?.prepared.sha256)
    }
}

extension RegistrationSelector {
    var text: String {
        switch self {
        case .id(let id): "id \(id)"
        case .name(let name): "name '\(name)'"
        }
    }
}

extension StructOpsMap {
    /// The object of its first program; nil before its value is set.
    var object: LoadedObject? { content.withLock { $0.programs.first?.program.object } }
}
