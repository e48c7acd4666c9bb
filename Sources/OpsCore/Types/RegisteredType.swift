package import BPF
package import JIT
package import Verifier

/// A struct_ops type as one profile of its subsystem's BTF has it: everything resolved to ids and offsets.
///
/// Kernel counterpart: `struct bpf_struct_ops_desc`.
package final class RegisteredType: Sendable {
    package let descriptor: StructOpsType
    package let btf: RegisteredBTF
    /// The struct itself, for example `tcp_congestion_ops`.
    package let structure: TypeID
    package let byteCount: Int
    package let value: ValueLayout
    /// By index in the struct; every offset below is from the start of the struct.
    package let members: [RegisteredMember]
    package let writable: [ProgramContext.WritableField]
    package let promotions: [TypeID: TypeID]

    /// The struct around it: `bpf_struct_ops_<name>`.
    package struct ValueLayout: Equatable, Sendable {
        package var id: TypeID
        package var byteCount: Int
        package var dataOffset: Int
        package var refcntOffset: Int
        package var stateOffset: Int
    }

    init(
        descriptor: StructOpsType, btf: RegisteredBTF, structure: TypeID, byteCount: Int, value: ValueLayout,
        members: [RegisteredMember], writable: [ProgramContext.WritableField], promotions: [TypeID: TypeID]
    ) {
        self.descriptor = descriptor
        self.btf = btf
        self.structure = structure
        self.byteCount = byteCount
        self.value = value
        self.members = members
        self.writable = writable
        self.promotions = promotions
    }

    package var name: String { descriptor.name }
    package var ref: BTFRef { BTFRef(btf: btf.id, id: structure) }
    package var valueRef: BTFRef { BTFRef(btf: btf.id, id: value.id) }

    package func member(named name: String) -> RegisteredMember? { members.first { $0.name == name } }

    /// The member that names or selects a registration, if the type has one.
    package var nameMember: RegisteredMember? {
        guard case .name(let name) = descriptor.attachment else { return nil }
        return member(named: name)
    }
    package var targetMember: RegisteredMember? {
        guard case .target(let name) = descriptor.attachment else { return nil }
        return member(named: name)
    }
}

/// One member of a struct_ops struct.
package struct RegisteredMember: Sendable {
    package var index: Int
    package var name: String
    package var type: TypeID
    package var byteOffset: Int
    package var byteCount: Int
    package var kind: Kind

    package enum Kind: Sendable {
        case data
        /// `struct module *`: users must leave it zero, the runtime puts its marker there.
        case module
        /// nil: no program may implement it.
        case function(FunctionMember?)
    }

    package var function: FunctionMember? {
        if case .function(let function) = kind { function } else { nil }
    }
}

/// A function-pointer member that programs may implement.
package struct FunctionMember: Sendable {
    package var rules: StructOpsType.Member
    /// FUNC_PROTO, as programs of this profile see it.
    package var prototype: TypeID
    /// FUNC whose parameter names carry the tags.
    package var stub: TypeID?
    /// What the host calls.
    package var model: FuncModel
    /// Set if programs of this profile see other arguments than the host passes: index of the host's argument for each.
    package var arguments: [Int]?
}

/// One BTF of a subsystem, in the view of one profile, with its identity in this runtime.
package final class RegisteredBTF: Sendable {
    /// Never reused; what `BTFRef.btf` holds.
    package let id: UInt32
    /// Name of the subsystem, and of the profile.
    package let owner: String
    package let profile: KernelProfile
    package let types: BTF
    /// Without the profile's view: what the host's own C sees. Same ids.
    package let superset: BTF
    package let kfuncs: [String: KfuncPrototype]

    init(
        id: UInt32, owner: String, profile: KernelProfile, types: BTF, superset: BTF,
        kfuncs: [String: KfuncPrototype]
    ) {
        self.id = id
        self.owner = owner
        self.profile = profile
        self.types = types
        self.superset = superset
        self.kfuncs = kfuncs
    }
}
