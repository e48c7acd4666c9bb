package import BPF
import Synchronization

/// What `BPF_MAP_CREATE` says about a struct_ops map.
package struct StructOpsMapSpec: Sendable {
    package static let linkFlag: UInt32 = 1 << 13
    /// `valueType` is a type of a subsystem's BTF. Here every type is; the flag is accepted and changes nothing.
    package static let typeFlag: UInt32 = 1 << 15

    package var name: String
    package var keySize: Int
    package var valueSize: Int
    package var maxEntries: Int
    package var flags: UInt32
    /// `bpf_struct_ops_<name>` in a subsystem's BTF.
    package var valueType: BTFRef
    package var uid: UInt32
    /// nil: the next one. A restored registration gets its old one.
    package var id: UInt32?

    package init(
        name: String, keySize: Int = 4, valueSize: Int, maxEntries: Int = 1, flags: UInt32 = 0,
        valueType: BTFRef, uid: UInt32 = 0, id: UInt32? = nil
    ) {
        self.name = name
        self.keySize = keySize
        self.valueSize = valueSize
        self.maxEntries = maxEntries
        self.flags = flags
        self.valueType = valueType
        self.uid = uid
        self.id = id
    }
}

extension RuntimeCore {
    /// Makes an empty map (state INIT) with one handle.
    ///
    /// - Throws: EINVAL, ENOTSUPP, ENOMEM as struct_ops.md §1.5 says; EEXIST for an id that is taken.
    func createMap(_ spec: StructOpsMapSpec) throws(OpsError) -> StructOpsMap {
        func refused(_ errno: CInt, _ reason: String) -> OpsError {
            OpsError(
                "map", errno: errno, "struct_ops map '\(spec.name)' refused: \(reason)",
                at: OpsError.Location(map: spec.name), reason: reason)
        }
        guard spec.keySize == 4 else { throw refused(OpsError.einval, "key size is \(spec.keySize), not 4") }
        guard spec.maxEntries == 1 else {
            throw refused(OpsError.einval, "max_entries is \(spec.maxEntries), not 1")
        }
        let unknown = spec.flags & ~(StructOpsMapSpec.linkFlag | StructOpsMapSpec.typeFlag)
        guard unknown == 0 else {
            throw refused(OpsError.einval, "flags 0x\(String(unknown, radix: 16)) are not allowed")
        }
        guard spec.valueType.id != .void else { throw refused(OpsError.einval, "it has no value type") }
        guard let (type, owner) = type(value: spec.valueType) else {
            throw refused(
                OpsError.enotsupp,
                "value type \(spec.valueType.id.rawValue) belongs to no registered struct_ops type")
        }
        guard spec.valueSize == type.value.byteCount else {
            throw refused(
                OpsError.einval,
                "value size is \(spec.valueSize), that of \(TypeRegistration.valuePrefix)\(type.name) is "
                    + "\(type.value.byteCount)")
        }
        let charge = StructOpsMap.bytesCharged(for: type)
        try memory.charge(charge, to: spec.uid, for: "struct_ops map '\(spec.name)'")
        do {
            let id = try mapID(wanted: spec.id)
            let map = StructOpsMap(
                id: id, variable: spec.name, uid: spec.uid,
                isLink: spec.flags & StructOpsMapSpec.linkFlag != 0, type: type, core: self, owner: owner)
            withTables { $0.structOps[id] = map }
            return map
        } catch {
            memory.refund(charge, to: spec.uid)
            throw error
        }
    }

    private func type(value ref: BTFRef) -> (RegisteredType, RegisteredSubsystem)? {
        types.withLock { table in
            guard let type = table.type(value: ref), let owner = table.subsystem(owning: type) else {
                return nil
            }
            return (type, owner)
        }
    }

    private func mapID(wanted: UInt32?) throws(OpsError) -> UInt32 {
        guard let wanted else { return try ids.next(.map) }
        let isTaken = withTables { $0.structOps[wanted] != nil || $0.dataMaps[wanted] != nil }
        guard wanted != 0, !isTaken else {
            throw OpsError("exists", errno: OpsError.eexist, "id \(wanted) is taken")
        }
        ids.reserve(.map, upTo: wanted)
        return wanted
    }
}

extension String {
    /// As the kernel cuts object names: at most that many bytes, never inside a character.
    func cut(toBytes limit: Int) -> String {
        var result = self
        while result.utf8.count > limit { result.removeLast() }
        return result
    }
}
