import BPF
import JIT
import Synchronization

extension OpsRuntime {
    /// The struct_ops variables of an object, without loading anything.
    public func inspect(_ bytes: [UInt8], name: String) throws(OpsError) -> [ObjectInfo.StructOpsVariable] {
        let spec = try Preparation.parse(bytes, name: name)
        let types = core.types.withLock { $0.subsystems.flatMap { $0.profiles.first?.types ?? [] } }
        return spec.structOps.map { variable in
            let type = types.first { $0.name == variable.typeName.withoutFlavour }
            return ObjectInfo.StructOpsVariable(
                name: variable.name, type: variable.typeName.withoutFlavour,
                opsName: type?.nameMember.flatMap { variable.string(of: $0.name, in: spec.btf) },
                isLink: variable.isLink, autocreate: variable.autocreate)
        }
    }

    /// Parses, links, verifies and compiles; makes the object's maps. The caller holds one handle on it: see
    /// `close(object:)`.
    ///
    /// - Throws: what the failing step says, with the program, member, instruction and source line where known.
    public func load(
        _ bytes: [UInt8], name: String, options: LoadOptions = LoadOptions()
    ) throws(OpsError) -> ObjectInfo {
        do throws(OpsError) {
            let prepared = try Preparation(core: core, bytes: bytes, name: name, options: options).run()
            let info = try core.measure(.instantiate) { () throws(OpsError) in
                try core.load(prepared, options).info
            }
            core.report(OpsEvent(kind: .load, id: info.id, name: name, objectSHA256: info.sha256))
            return info
        } catch {
            var error = error
            error.location.object = error.location.object ?? name
            core.report(
                OpsEvent(
                    kind: .refuse, name: name, objectSHA256: sha256Hex(bytes), error: error,
                    reason: error.text))
            throw error
        }
    }

    /// Drops the handle that `load` gave. Registrations keep what they need.
    /// - Throws: ENOENT if there is no such object, or its handle was dropped before.
    public func close(object id: UInt32) throws(OpsError) {
        guard let object = core.withTables({ $0.objects[id] }), object.close() else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no object \(id)")
        }
        core.report(OpsEvent(kind: .unload, id: id, name: object.prepared.name))
    }

    public func objects() -> [ObjectInfo] {
        core.withTables { $0.objects.values.sorted { $0.id < $1.id } }.map(\.info)
    }
}

extension StructOpsSpec {
    /// A char array of the initialiser, up to its NUL.
    func string(of member: String, in btf: BTF?) -> String? {
        guard let field = btf?.field(named: member, in: type), field.byteCount > 0,
            field.byteOffset + field.byteCount <= bytes.count
        else { return nil }
        let text = bytes[field.byteOffset..<field.byteOffset + field.byteCount].prefix { $0 != 0 }
        return String(decoding: text, as: UTF8.self)
    }
}

extension LoadedObject {
    var info: ObjectInfo {
        ObjectInfo(
            id: id, name: prepared.name, sha256: prepared.sha256, profile: prepared.target.profile.name,
            license: prepared.license, programIDs: programIDs, mapIDs: mapIDs,
            structOps: prepared.structOps.map(\.info), uid: uid, loadedAt: loadedAt,
            codeBytes: prepared.code.codeByteCount)
    }
}

extension PreparedStructOps {
    var info: ObjectInfo.StructOpsVariable {
        var opsName: String?
        if let member = type.nameMember {
            let start = type.value.dataOffset + member.byteOffset
            let text = value[start..<start + member.byteCount].prefix { $0 != 0 }
            opsName = String(decoding: text, as: UTF8.self)
        }
        return ObjectInfo.StructOpsVariable(
            name: name, type: type.name, opsName: opsName, isLink: isLink, autocreate: autocreate)
    }
}
