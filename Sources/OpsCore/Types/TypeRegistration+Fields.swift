import BPF
import Verifier

extension TypeRegistration {
    /// Writable fields as offsets. A field that this profile hides is left out.
    func resolveWritable() throws(OpsError) -> [ProgramContext.WritableField] {
        var fields: [ProgramContext.WritableField] = []
        for field in descriptor.writable {
            guard let (id, _) = btf.types.composite(named: field.structure) else {
                throw refused(
                    OpsError.einval, "lists writable fields of the unknown struct '\(field.structure)'")
            }
            guard let found = btf.types.field(path: field.path, in: id), found.bitFieldSize == 0 else {
                if btf.profile.hiddenMembers.contains("\(field.structure).\(field.path)") { continue }
                throw refused(
                    OpsError.einval, "lists the unknown writable field '\(field.structure).\(field.path)'")
            }
            fields.append(
                ProgramContext.WritableField(
                    structure: id, offset: found.byteOffset, byteCount: found.byteCount,
                    allowsInnerOffsets: field.allowsInnerOffsets))
        }
        return fields
    }

    func resolvePromotions() throws(OpsError) -> [TypeID: TypeID] {
        var promotions: [TypeID: TypeID] = [:]
        for (from, to) in descriptor.promotions {
            guard let (fromID, _) = btf.types.composite(named: from),
                let (toID, _) = btf.types.composite(named: to)
            else {
                throw refused(OpsError.einval, "promotes '\(from)' to '\(to)', which the BTF does not have")
            }
            promotions[fromID] = toID
        }
        return promotions
    }
}
