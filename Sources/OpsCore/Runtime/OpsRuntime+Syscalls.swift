package import BPF
package import JIT
package import Verifier

/// What a `bpf(2)` front end would stand on. Maps and links are named by id; creating one gives a handle, which `close`
/// drops, as closing its descriptor would.
extension OpsRuntime {
    package func createMap(_ spec: StructOpsMapSpec) throws(OpsError) -> UInt32 {
        try core.createMap(spec).id
    }

    package func updateElement(
        map id: UInt32, key: UInt32 = 0, value: [UInt8], flags: UInt64 = 0
    ) throws(OpsError) {
        try structOpsMap(id).update(key: key, value: value, flags: flags)
    }

    package func lookupElement(map id: UInt32, key: UInt32 = 0) throws(OpsError) -> [UInt8] {
        try structOpsMap(id).lookup(key: key)
    }

    package func deleteElement(map id: UInt32, key: UInt32 = 0) throws(OpsError) {
        try structOpsMap(id).delete(key: key)
    }

    package func nextKey(map id: UInt32, after key: UInt32?) throws(OpsError) -> UInt32 {
        try structOpsMap(id).nextKey(after: key)
    }

    package func freeze(map id: UInt32) throws(OpsError) { try structOpsMap(id).freeze() }

    /// One more handle.
    package func open(map id: UInt32) throws(OpsError) {
        guard try structOpsMap(id).open() else { throw badMap(id) }
    }

    package func close(map id: UInt32) throws(OpsError) { try structOpsMap(id).close() }

    package func createLink(map id: UInt32, uid: UInt32 = 0) throws(OpsError) -> UInt32 {
        try core.createLink(map: id, uid: uid).id
    }

    package func updateLink(
        _ id: UInt32, map newID: UInt32, expected: UInt32? = nil, flags: UInt32 = 0
    ) throws(OpsError) {
        try core.updateLink(id, map: newID, expected: expected, flags: flags)
    }

    /// Ends the attachment, whoever holds the link.
    public func detach(link id: UInt32) throws(OpsError) { try core.detachLink(id) }

    package func close(link id: UInt32) throws(OpsError) {
        guard let link = core.link(id) else {
            throw OpsError("not-found", errno: OpsError.ebadf, "there is no link \(id)")
        }
        link.close()
    }

    /// Reads or writes a map of an object's own instance (see `PrimeInstance`).
    /// - Throws: ENOENT for an unknown map; what `body` throws.
    package func withMap<Result: Sendable>(
        _ id: UInt32, _ body: (RuntimeMap) throws(OpsError) -> Result
    ) throws(OpsError) -> Result {
        guard let map = core.withTables({ $0.dataMaps[id] }) else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no map \(id)")
        }
        return try map.object.prime.with { instance throws(OpsError) in try body(instance.maps[map.index]) }
    }

    /// A loaded program as it was verified, for `prog dump`. Its object is verified again: nobody else needs the result.
    package func program(_ id: UInt32) throws(OpsError) -> VerifiedProgram {
        guard let program = core.program(id) else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no program \(id)")
        }
        let verified = try core.verified(program.object.prepared)
        guard verified.indices.contains(program.index) else {
            throw OpsError("internal", errno: OpsError.efault, "program \(id) cannot be verified again")
        }
        return verified[program.index]
    }

    /// The types of a loaded object. - Throws: ENOENT.
    package func types(ofObject id: UInt32) throws(OpsError) -> BTF? {
        guard let object = core.withTables({ $0.objects[id] }) else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no object \(id)")
        }
        return object.prepared.types
    }

    package func compiledProgram(_ id: UInt32) throws(OpsError) -> CompiledProgram {
        guard let program = core.program(id) else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no program \(id)")
        }
        return program.prepared.compiled
    }

    /// Links every program of an object, each on its own, without loading anything: for `prog run`.
    package func link(_ bytes: [UInt8], name: String) throws(OpsError) -> LinkedObject {
        let spec = try Preparation.parse(bytes, name: name)
        let target = try core.target(for: spec, profile: nil, wanted: [])
        return try OpsCore.link(
            spec,
            options: target.linkOptions(kconfig: [:], globals: [:], selection: .everything, keepsGoing: true))
    }

    private func structOpsMap(_ id: UInt32) throws(OpsError) -> StructOpsMap {
        guard let map = core.map(id) else { throw badMap(id) }
        return map
    }

    private func badMap(_ id: UInt32) -> OpsError {
        OpsError("not-found", errno: OpsError.ebadf, "there is no map \(id)")
    }
}
