package import ControlAPI

/// One registration as the registry keeps it: what was acknowledged, and what has become of it since.
package struct RegistryEntry: Equatable, Sendable {
    /// As it was when it was acknowledged. What only the runtime knows (references) is not kept.
    package var registration: Registration
    /// Who registered it, and so pays for its memory, also after a restart.
    package var uid: UInt32
    /// File name of the object, for messages.
    package var file: String?
    /// Why it is not in use; nil: it is.
    package var failure: String?
    /// It was being restored, or was used, when the runtime died.
    package var isQuarantined: Bool

    package init(
        _ registration: Registration, uid: UInt32 = 0, file: String? = nil, failure: String? = nil,
        isQuarantined: Bool = false
    ) {
        self.registration = registration
        self.registration.refs = 0
        self.registration.reason = nil
        self.uid = uid
        self.file = file
        self.failure = failure
        self.isQuarantined = isQuarantined
    }

    package var id: UInt32 { registration.id }

    /// As `show` lists it while it cannot be used.
    package var asFailed: Registration {
        var registration = registration
        registration.state = "FAILED"
        registration.refs = 0
        registration.linkID = nil
        registration.reason = failure
        return registration
    }
}

extension RegistryEntry {
    /// What the runtime is told to restore it.
    package var restoreItem: RestoreParameters.Item {
        RestoreParameters.Item(
            id: id, variable: registration.variable ?? registration.name, linkID: registration.linkID)
    }
}

/// The one text of an entry, equal for equal entries: in manifests, in exports, and under the database's digests.
extension RegistryEntry {
    package var json: JSONValue {
        [
            "id": .integer(Int64(id)), "name": .string(registration.name),
            "variable": .optional(registration.variable),
            "kernel_struct_ops": .string(registration.kernelStructOps),
            "ops_name": .string(registration.opsName), "state": .string(registration.state),
            "link_id": registration.linkID.map { .integer(Int64($0)) } ?? .null,
            "object_sha256": .string(registration.objectSha256), "uid": .integer(Int64(uid)),
            "file": .optional(file), "failure": .optional(failure), "quarantined": .bool(isQuarantined),
        ]
    }

    /// nil: it is no entry. Ids are at least 1, and the hash names a file, so it must look like one.
    package init?(json: JSONValue) {
        guard let id = json["id"]?.integer.flatMap({ UInt32(exactly: $0) }), id > 0,
            let name = json["name"]?.string, let type = json["kernel_struct_ops"]?.string,
            let opsName = json["ops_name"]?.string, let state = json["state"]?.string,
            let sha256 = json["object_sha256"]?.string, ObjectHash.isValid(sha256),
            let uid = json["uid"]?.integer.flatMap({ UInt32(exactly: $0) })
        else { return nil }
        var linkID: UInt32?
        if let number = json["link_id"]?.integer {
            guard let id = UInt32(exactly: number), id > 0 else { return nil }
            linkID = id
        }
        self.init(
            Registration(
                id: id, name: name, kernelStructOps: type, opsName: opsName, state: state, refs: 0,
                linkID: linkID, objectSha256: sha256, variable: json["variable"]?.string),
            uid: uid, file: json["file"]?.string, failure: json["failure"]?.string,
            isQuarantined: json["quarantined"]?.bool ?? false)
    }
}
