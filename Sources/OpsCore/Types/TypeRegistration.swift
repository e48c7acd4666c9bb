import BPF
import JIT
import Verifier

/// Checks a type against its BTF, in the order and with the errno of the kernel's `bpf_struct_ops_desc_init`.
///
/// `module` members are known by the name of what they point to, so that the kernel's "module type unknown" has no
/// meaning here.
struct TypeRegistration {
    static let valuePrefix = "bpf_struct_ops_"
    static let valueNameBytesMax = 128
    static let memberCountMax = 64

    let descriptor: StructOpsType
    let btf: RegisteredBTF

    /// - Parameter prepare: the subsystem's last word, asked when all else is right.
    func run(
        known: [RegisteredType], prepare: (String) throws(OpsError) -> Void
    ) throws(OpsError) -> RegisteredType {
        let name = descriptor.name
        guard !known.contains(where: { $0.name == name && $0.btf === btf }) else {
            throw refused(OpsError.eexist, "already registered")
        }
        guard Self.valuePrefix.utf8.count + name.utf8.count < Self.valueNameBytesMax else {
            throw refused(
                OpsError.einval, "the name of its value does not fit in \(Self.valueNameBytesMax) bytes")
        }
        guard !descriptor.members.isEmpty else {
            throw refused(OpsError.einval, "offers no member that a program could implement")
        }
        guard let (id, structure) = btf.types.composite(named: name), !structure.isUnion else {
            throw refused(OpsError.einval, "struct '\(name)' is not in the BTF of \(btf.owner)")
        }
        guard structure.members.count <= Self.memberCountMax else {
            throw refused(
                OpsError.einval,
                "has \(structure.members.count) members, at most \(Self.memberCountMax) are supported")
        }
        let value = try valueLayout(of: id)
        let members = try registerMembers(of: structure)
        try checkNames(against: members)
        let type = RegisteredType(
            descriptor: descriptor, btf: btf, structure: id, byteCount: structure.byteCount, value: value,
            members: members, writable: try resolveWritable(), promotions: try resolvePromotions())
        do { try prepare(name) } catch {
            throw refused(OpsError.einval, "its subsystem refused it: \(error.text)")
        }
        return type
    }

    private func valueLayout(of structure: TypeID) throws(OpsError) -> RegisteredType.ValueLayout {
        let name = Self.valuePrefix + descriptor.name
        guard let (id, value) = btf.types.composite(named: name) else {
            throw refused(OpsError.einval, "struct '\(name)' is not in the BTF of \(btf.owner)")
        }
        guard value.members.count == 2,
            case .composite(let common) = btf.types.resolved(value.members[0].type),
            common.name == "bpf_struct_ops_common_value",
            let refcnt = common.members.first(where: { $0.name == "refcnt" }),
            let state = common.members.first(where: { $0.name == "state" }),
            btf.types.resolve(value.members[1].type) == structure
        else {
            throw refused(
                OpsError.einval,
                "struct '\(name)' must be a bpf_struct_ops_common_value followed by a \(descriptor.name)")
        }
        let start = value.members[0].byteOffset
        return RegisteredType.ValueLayout(
            id: id, byteCount: value.byteCount, dataOffset: value.members[1].byteOffset,
            refcntOffset: start + refcnt.byteOffset, stateOffset: start + state.byteOffset)
    }

    private func registerMembers(of structure: BTFComposite) throws(OpsError) -> [RegisteredMember] {
        var members: [RegisteredMember] = []
        for (index, member) in structure.members.enumerated() {
            guard !member.name.isEmpty else {
                throw refused(OpsError.eopnotsupp, "member \(index) is anonymous")
            }
            guard member.bitFieldSize == 0, member.bitOffset % 8 == 0,
                let byteCount = btf.types.byteCount(of: member.type)
            else {
                throw refused(OpsError.eopnotsupp, "is a bit field or has no size", member: member.name)
            }
            members.append(
                RegisteredMember(
                    index: index, name: member.name, type: member.type, byteOffset: member.byteOffset,
                    byteCount: byteCount, kind: try kind(of: member)))
        }
        return members
    }

    private func kind(of member: BTFMember) throws(OpsError) -> RegisteredMember.Kind {
        guard let target = btf.types.pointee(of: member.type) else { return .data }
        switch btf.types[target] {
        case .composite(let pointee) where pointee.name == "module" && !pointee.isUnion: return .module
        case .forward(name: "module", isUnion: false): return .module
        case .prototype(let prototype):
            guard let rules = descriptor.members[member.name] else { return .function(nil) }
            return .function(try functionMember(member.name, target, prototype, rules))
        default: return .data
        }
    }

    private func functionMember(
        _ name: String, _ id: TypeID, _ prototype: BTFPrototype, _ rules: StructOpsType.Member
    ) throws(OpsError) -> FunctionMember {
        do {
            let host = hostPrototype(of: name) ?? prototype
            let model = try FuncModel(prototype: host, in: btf.superset)
            let tags = ArgumentTags(btf: btf.types)
            guard
                let swap = btf.profile.prototypes.first(where: { $0.member == "\(descriptor.name).\(name)" })
            else {
                let stub = try rules.stub.map { stub throws(OpsError) in
                    try tags.checkStub(stub, against: prototype)
                }
                try tags.checkTags(of: prototype)
                return FunctionMember(rules: rules, prototype: id, stub: stub, model: model, arguments: nil)
            }
            let (function, seen) = try tags.checkSwap(swap, against: host)
            return FunctionMember(
                rules: rules, prototype: seen, stub: function, model: model, arguments: swap.arguments)
        } catch {
            throw refused(error.errno, error.reason ?? error.text, member: name)
        }
    }

    /// What the host calls, whatever programs of this profile see.
    private func hostPrototype(of member: String) -> BTFPrototype? {
        guard let (_, structure) = btf.superset.composite(named: descriptor.name),
            let type = structure.members.first(where: { $0.name == member })?.type,
            let target = btf.superset.pointee(of: type),
            case .prototype(let prototype) = btf.superset[target]
        else { return nil }
        return prototype
    }

    /// What the descriptor names must be in the struct: an unknown name would silently mean "unsupported".
    private func checkNames(against members: [RegisteredMember]) throws(OpsError) {
        let hidden = Set(
            btf.profile.hiddenMembers.filter { $0.hasPrefix(descriptor.name + ".") }
                .map { String($0.dropFirst(descriptor.name.count + 1)) })
        let functions = Set(
            members.filter { if case .function = $0.kind { true } else { false } }.map(\.name))
        for name in descriptor.members.keys.sorted()
        where !functions.contains(name) && !hidden.contains(name) {
            throw refused(OpsError.einval, "is no function-pointer member of it", member: name)
        }
        let known = Set(members.map(\.name)).union(hidden)
        var named = Set(descriptor.fields.keys).union(descriptor.required.joined())
        switch descriptor.attachment {
        case .none: break
        case .name(let member), .target(let member): named.insert(member)
        }
        for name in named.sorted() where !known.contains(name) {
            throw refused(OpsError.einval, "is no member of it", member: name)
        }
    }

    func refused(_ errno: CInt, _ reason: String, member: String? = nil) -> OpsError {
        let subject = member.map { "\(descriptor.name).\($0)" } ?? descriptor.name
        return OpsError(
            "type", errno: errno,
            "struct_ops type '\(descriptor.name)' of \(btf.owner) refused: \(subject) \(reason)",
            at: OpsError.Location(member: member), reason: reason)
    }
}
