package import BPF
package import Verifier

/// An object matched with a kernel's types: what the verifier, the JIT and the struct_ops core start from.
///
/// Pure value: it owns no memory and no ids. Programs share one index space of maps and one of kfuncs.
package struct LinkedObject: Sendable {
    package var name: String
    package var license: String
    package var isGPLCompatible: Bool
    package var btf: BTF?
    /// All maps of the object, in the order of `ObjectSpec.maps`; struct_ops maps are not among them.
    package var maps: [LinkedMap]
    /// kfuncs that the object's programs may call; selected by `imm` of a kfunc call.
    package var kfuncs: [KfuncPrototype]
    /// Those selected, in the object's order.
    package var programs: [LinkedProgram]
    /// Those selected and matched.
    package var structOps: [LinkedStructOps]
    /// With `LinkOptions.keepsGoing`: what was left out, and why.
    package var failures: [OpsError]
    /// What a user may want to know and nobody must act on, in libbpf's words.
    package var notes: [String]

    package func program(named name: String) -> LinkedProgram? { programs.first { $0.image.name == name } }
}

package struct LinkedMap: Sendable {
    package var description: MapDescription
    /// First contents of the one value of a data map; nil means zeros.
    package var contents: [UInt8]?
    /// Global variables inside.
    package var variables: [VariableSpec]
    /// Where it comes from: `.maps` or a data section.
    package var origin: MapSpec.Origin
    /// It cannot be made here, and why. Instructions that use it are poisoned; no such map needs to be created.
    package var unsupported: String?
}

package struct LinkedProgram: Sendable {
    /// Index into `ObjectSpec.functions`.
    package var function: Int
    package var image: ProgramImage
    /// The member it is verified for, from the struct_ops variables that name it; nil if none does.
    package var member: MemberReference?
    package var isSleepable: Bool
}

/// A function-pointer member of a kernel struct.
package struct MemberReference: Hashable, Sendable {
    package var structName: String
    package var memberName: String
    /// In the target BTF.
    package var structure: TypeID
    /// Position among the struct's members: the kernel's `expected_attach_type`.
    package var index: Int
    package var byteOffset: Int
}

/// A struct_ops variable matched with its kernel type.
package struct LinkedStructOps: Sendable {
    /// The C variable.
    package var name: String
    package var section: String
    /// Kernel struct, without flavour: `tcp_congestion_ops`.
    package var typeName: String
    package var isLink: Bool
    package var autocreate: Bool
    /// The kernel struct and its value struct `bpf_struct_ops_<name>`, in the target BTF.
    package var type: TypeID
    package var valueType: TypeID
    /// Of the struct inside the value struct, and of the value struct.
    package var dataOffset: Int
    package var valueByteCount: Int
    /// The struct in the kernel's layout: data members copied, function pointers zero.
    package var data: [UInt8]
    /// One row per member of the object's struct: how it was matched.
    package var members: [MemberMatch]
    /// Function pointers that are set; `program` indexes `LinkedObject.programs`.
    package var programs: [ProgramBinding]

    package struct ProgramBinding: Equatable, Sendable {
        package var member: MemberReference
        package var program: Int
    }
}

/// One row of the match table: a member of the object's struct and what became of it.
package struct MemberMatch: Equatable, Sendable {
    package enum Action: Equatable, Sendable {
        /// The named program goes into the kernel's function pointer.
        case program(String)
        /// Bytes were copied.
        case copied
        /// A pointer that is NULL stays NULL.
        case null
        /// The kernel has no such member, and it is zero here.
        case skipped
    }
    package var name: String
    package var kind: String
    package var localOffset: Int
    package var byteCount: Int
    package var kernelOffset: Int?
    package var action: Action
}
