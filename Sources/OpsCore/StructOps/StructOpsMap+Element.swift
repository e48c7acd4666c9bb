import Synchronization

extension StructOpsMap {
    /// The user's copy, with state and users filled in; zeros while nothing is set.
    /// - Throws: ENOENT for a key that is not 0.
    package func lookup(key: UInt32 = 0) throws(OpsError) -> [UInt8] {
        guard key == 0 else { throw error("not-found", OpsError.enoent, "there is no key \(key)") }
        let state = state
        guard state != .initial else { return [UInt8](repeating: 0, count: type.value.byteCount) }
        var value = uvalue.bytes(0..<type.value.byteCount)
        let users = UInt32(clamping: users)
        for byte in 0..<4 {
            value[type.value.refcntOffset + byte] = UInt8(truncatingIfNeeded: users >> (8 * UInt32(byte)))
            value[type.value.stateOffset + byte] = UInt8(
                truncatingIfNeeded: state.rawValue >> (8 * UInt32(byte)))
        }
        return value
    }

    /// - Throws: ENOENT after key 0, the only one.
    package func nextKey(after key: UInt32?) throws(OpsError) -> UInt32 {
        guard key == 0 else { return 0 }
        throw error("not-found", OpsError.enoent, "there is no key after 0")
    }

    /// Ends the registration of a map without links.
    /// - Throws: EOPNOTSUPP for a map with links; ENOENT if nothing is set; EINPROGRESS if it was deleted before.
    package func delete(key: UInt32 = 0) throws(OpsError) {
        guard !isLink else {
            throw error("unsupported", OpsError.eopnotsupp, "a map with links ends with its links")
        }
        try core.attach.run { () throws(OpsError) in
            switch state {
            case .initial: throw error("not-found", OpsError.enoent, "nothing is set")
            case .toBeFree, .ready:
                throw error("busy", OpsError.einprogress, "it is already going away, \(users) still use it")
            case .inUse: endRegistration()
            }
        }
    }

    /// INUSE → TOBEFREE. With the attach lock held.
    func endRegistration() {
        publish(.toBeFree)
        owner.subsystem.unregister(self, link: nil)
        put()
    }

    /// Kernel: `freeze` and `mmap` of a struct_ops map.
    package func freeze() throws(OpsError) {
        throw error("unsupported", OpsError.enotsupp, "a struct_ops map cannot be frozen")
    }

    /// One more handle ("file descriptor"); false if the map is gone.
    package func open() -> Bool {
        guard references.get() else { return false }
        handles.add(1, ordering: .relaxed)
        return true
    }

    /// Drops a handle. The map lives on while it is registered, linked or used.
    package func close() {
        handles.subtract(1, ordering: .relaxed)
        put()
    }
}
