import BPF
import Verifier

extension TypeRegistration {
    /// Writable fields as offsets. A field that this profile hides is left out.
    ///
    /// A field of a struct that is embedded in one that arguments are promoted to is a field of that one: programs hold a
    /// `tcp_sock`, and `sock.sk_pacing_rate` lies in it.
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
            let (structure, offset) = holder(of: id)
            fields.append(
                ProgramContext.WritableField(
                    structure: structure, offset: offset + found.byteOffset, byteCount: found.byteCount,
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

    /// The promoted struct that holds `structure` by value, and where; itself if none does.
    private func holder(of structure: TypeID) -> (structure: TypeID, offset: Int) {
        for target in descriptor.promotions.values.sorted() {
            guard let (id, _) = btf.types.composite(named: target),
                let offset = offset(of: structure, in: id, depth: 0)
            else { continue }
            return (id, offset)
        }
        return (structure, 0)
    }

    /// By-value members only, so that the search ends; the depth is a bound on hostile nests.
    private func offset(of inner: TypeID, in outer: TypeID, depth: Int) -> Int? {
        if inner == outer { return 0 }
        guard depth < 16, case .composite(let composite) = btf.types[outer], !composite.isUnion else {
            return nil
        }
        for member in composite.members where member.bitFieldSize == 0 {
            if let offset = offset(of: inner, in: btf.types.resolve(member.type), depth: depth + 1) {
                return member.byteOffset + offset
            }
        }
        return nil
    }
}
