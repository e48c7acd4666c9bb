import BPF
import Verifier

extension TypeRegistration {
    /// Writable fields as offsets. A field that this profile hides is left out.
    func resolveWritable() throws(OpsError) -> [ProgramContext.WritableField] {
        var fields: [ProgramContext.WritableField] = []
        for field in descriptor.writable {
            guard let (id, structure) = btf.types.composite(named: field.structure) else {
                throw refused(
                    OpsError.einval, "lists writable fields of the unknown struct '\(field.structure)'")
            }
            guard let (offset, byteCount) = locate(field.path.split(separator: "."), in: structure) else {
                if btf.profile.hiddenMembers.contains("\(field.structure).\(field.path)") { continue }
                throw refused(
                    OpsError.einval, "lists the unknown writable field '\(field.structure).\(field.path)'")
            }
            fields.append(
                ProgramContext.WritableField(
                    structure: id, offset: offset, byteCount: byteCount,
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

    /// Finds a field by its path; members of anonymous structs and unions count as the outer one's.
    private func locate(_ path: [Substring], in structure: BTFComposite) -> (offset: Int, byteCount: Int)? {
        guard let first = path.first else { return nil }
        for member in structure.members {
            if member.name == first, member.bitFieldSize == 0 {
                guard path.count > 1 else {
                    return btf.types.byteCount(of: member.type).map { (member.byteOffset, $0) }
                }
                return descend(path.dropFirst(), into: member)
            }
            if member.name.isEmpty, let found = descend(path[...], into: member) { return found }
        }
        return nil
    }

    private func descend(
        _ path: ArraySlice<Substring>, into member: BTFMember
    ) -> (offset: Int, byteCount: Int)? {
        guard case .composite(let inner) = btf.types.resolved(member.type),
            let (offset, byteCount) = locate(Array(path), in: inner)
        else { return nil }
        return (member.byteOffset + offset, byteCount)
    }
}
