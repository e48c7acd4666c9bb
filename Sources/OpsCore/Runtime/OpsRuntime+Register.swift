extension OpsRuntime {
    /// Loads an object and registers its struct_ops variables (those of `options.maps`, or all that are not in a `?`
    /// section), all or nothing. The registrations keep the object.
    public func register(
        _ bytes: [UInt8], name: String, options: LoadOptions = LoadOptions(), ids: [String: RestoredIDs] = [:]
    ) throws(OpsError) -> [RegistrationInfo] {
        var options = options
        options.keepGoing = false
        let object = try load(bytes, name: name, options: options)
        defer { try? close(object: object.id) }
        return try register(object: object.id, ids: ids)
    }

    /// Registers struct_ops variables of a loaded object (nil: all it was loaded with), all or nothing.
    ///
    /// - Parameter ids: ids to give the maps and their links, by variable, when a registration is restored.
    /// - Throws: ENOENT for an unknown object or variable, or if there is none; what the failing one says.
    public func register(
        object id: UInt32, maps: [String]? = nil, ids: [String: RestoredIDs] = [:]
    ) throws(OpsError) -> [RegistrationInfo] {
        let object = try core.openObject(id)
        defer { object.put() }
        var registered: [StructOpsMap] = []
        do throws(OpsError) {
            for name in try object.variables(maps) {
                registered.append(
                    try core.measure(.update) { () throws(OpsError) in
                        try core.register(name, of: object, ids: ids[name])
                    })
            }
        } catch {
            let error = error.located(in: object)
            for map in registered.reversed() { core.withdraw(map) }
            core.report(
                OpsEvent(
                    kind: .refuse, name: error.location.map, objectSHA256: object.prepared.sha256,
                    error: error,
                    reason: error.text))
            throw error
        }
        for map in registered { core.report(core.event(.register, map)) }
        return registered.map(core.info)
    }

    /// As `register`, but keeps what succeeded and says why the rest failed.
    public func registerKeepingGoing(
        object id: UInt32, maps: [String]? = nil
    ) throws(OpsError) -> (registered: [RegistrationInfo], failed: [OpsError]) {
        let object = try core.openObject(id)
        defer { object.put() }
        var registered: [RegistrationInfo] = []
        var failed: [OpsError] = []
        for name in try object.variables(maps) {
            do throws(OpsError) {
                let map = try core.register(name, of: object, ids: nil)
                core.report(core.event(.register, map))
                registered.append(core.info(map))
            } catch {
                let error = error.located(in: object)
                core.report(
                    OpsEvent(
                        kind: .refuse, name: name, objectSHA256: object.prepared.sha256, error: error,
                        reason: error.text))
                failed.append(error)
            }
        }
        return (registered, failed)
    }

    /// Ends a registration of either kind: deletes the element, or detaches its links and lets them go.
    ///
    /// - Returns: as it was before.
    /// - Throws: ENOENT; EINVAL for a name that matches several, with their ids; EINPROGRESS if already TOBEFREE.
    @discardableResult
    public func unregister(_ selector: RegistrationSelector) throws(OpsError) -> RegistrationInfo {
        let map = try core.select(selector)
        let before = core.info(map)
        if map.isLink {
            let links = core.links(to: map)
            guard !links.isEmpty else {
                throw map.error("not-found", OpsError.enoent, "it is not attached")
            }
            for link in links { try core.detachAndRelease(link) }
        } else {
            try map.delete()
        }
        core.report(core.event(.unregister, map))
        return before
    }

    /// Moves a registration's link to a map of another object.
    ///
    /// - Parameters:
    ///   - map: the variable; nil if the object has one of the type.
    ///   - expected: id that the current map must have, else EPERM.
    ///   - newID: id to give the new map, when an update is replayed.
    ///   - onTrial: if the new map is ejected before `endTrial`, the old one takes its place again.
    /// - Returns: the old one as it was, and the new one.
    /// - Throws: EINVAL for a registration without link; what struct_ops.md §1.8 says about link update. The old map
    ///   stays attached.
    public func update(
        _ selector: RegistrationSelector, object id: UInt32, map name: String? = nil,
        expected: UInt32? = nil, newID: UInt32? = nil, onTrial: Bool = false
    ) throws(OpsError) -> (old: RegistrationInfo, new: RegistrationInfo) {
        let old = try core.select(selector)
        let before = core.info(old)
        let links = core.links(to: old)
        guard old.isLink, let link = links.first, links.count == 1 else {
            throw old.error(
                "update", OpsError.einval,
                old.isLink
                    ? "it has \(links.count) links, one is needed" : "it is not registered through a link",
                reason: "only SEC(\".struct_ops.link\") can be updated")
        }
        let object = try core.openObject(id)
        defer { object.put() }
        let variable = try object.variable(named: name, of: old.type)
        guard variable.isLink else {
            throw old.error(
                "update", OpsError.einval,
                "'\(variable.name)' was not made for links (SEC(\".struct_ops.link\"))")
        }
        let new: StructOpsMap
        do { new = try core.makeMap(variable, of: object, id: newID) } catch {
            throw error.located(in: object)
        }
        defer { new.close() }
        try core.updateLink(
            link.id, map: new.id, expected: expected, flags: expected == nil ? 0 : RuntimeCore.replaceFlag,
            onTrial: onTrial)
        core.report(core.event(.update, new))
        return (before, core.info(new))
    }

    /// A map that was put in place on trial stays, and what it has replaced goes.
    /// - Returns: whether it was on trial: false if it has been ejected, replaced or detached since.
    @discardableResult
    public func endTrial(of id: UInt32) -> Bool {
        guard let map = core.map(id) else { return false }
        let ended = try? core.attach.run { () throws(OpsError) in
            core.links(to: map).count { $0.endTrial(of: map) } > 0
        }
        return ended ?? false
    }
}

extension OpsError {
    /// The same, with the object's name where none is known.
    func located(in object: LoadedObject) -> OpsError {
        var error = self
        error.location.object = error.location.object ?? object.prepared.name
        return error
    }
}
