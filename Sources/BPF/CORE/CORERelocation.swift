/// A place in a program that depends on how a type is laid out, or whether it exists, where the program will run.
///
/// Source: Linux `Documentation/bpf/llvm_reloc.rst`, "CO-RE Relocations". Kernel counterpart: `struct bpf_core_relo`.
package struct CORERelocation: Hashable, Sendable {
    /// Same raw values as `enum bpf_core_relo_kind`.
    package enum Kind: UInt32, CaseIterable, Sendable {
        case fieldByteOffset = 0, fieldByteSize, fieldExists, fieldSigned, fieldLeftShift, fieldRightShift
        case typeIDLocal, typeIDTarget, typeExists, typeSize
        case enumeratorExists, enumeratorValue
        case typeMatches

        /// As libbpf's log prints it.
        package var name: String {
            switch self {
            case .fieldByteOffset: "byte_off"
            case .fieldByteSize: "byte_sz"
            case .fieldExists: "field_exists"
            case .fieldSigned: "signed"
            case .fieldLeftShift: "lshift_u64"
            case .fieldRightShift: "rshift_u64"
            case .typeIDLocal: "local_type_id"
            case .typeIDTarget: "target_type_id"
            case .typeExists: "type_exists"
            case .typeSize: "type_size"
            case .enumeratorExists: "enumval_exists"
            case .enumeratorValue: "enumval_value"
            case .typeMatches: "type_matches"
            }
        }

        /// Which of the three forms the access string has.
        var subject: Subject {
            switch self {
            case .fieldByteOffset, .fieldByteSize, .fieldExists, .fieldSigned, .fieldLeftShift,
                .fieldRightShift:
                .field
            case .typeIDLocal, .typeIDTarget, .typeExists, .typeSize, .typeMatches: .type
            case .enumeratorExists, .enumeratorValue: .enumerator
            }
        }
    }

    enum Subject { case field, type, enumerator }

    /// Slot of the instruction to adjust, in its ELF section.
    package var insn: Int
    /// The root type, in the object's own BTF.
    package var type: TypeID
    /// `0:1:2`: for a field an index into an array of the root type, then member and element indices; for a type `0`;
    /// for an enumerator its index.
    package var access: String
    package var kind: Kind

    package init(insn: Int, type: TypeID, access: String, kind: Kind) {
        self.insn = insn
        self.type = type
        self.access = access
        self.kind = kind
    }
}

/// Why a relocation could not be resolved or applied. An unmodelled field is none: it poisons its instruction.
package enum COREError: Error, Equatable, Sendable {
    case badAccessString(access: String, reason: String)
    /// The root type is not what the kind needs.
    case badLocalType(type: String, kind: String)
    /// The access string does not fit the object's own type.
    case badLocalAccess(type: String, access: String, reason: String)
    /// Types of the same name in the target disagree.
    case ambiguous(subject: String, kind: String, candidates: [TypeID])
    case unsupportedField(subject: String, reason: String)
    case insnOutside(insn: Int, count: Int)
    case unsupportedInstruction(insn: Int, opcode: UInt8)
    /// The instruction does not hold the value that the object's own types give.
    case valueMismatch(insn: Int, found: Int64, expected: Int64, subject: String)
    case valueTooLarge(insn: Int, value: UInt64, subject: String)
}

extension COREError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badAccessString(let access, let reason): "CO-RE access string '\(access)' \(reason)"
        case .badLocalType(let type, let kind): "CO-RE \(kind) relocation against '\(type)'"
        case .badLocalAccess(let type, let access, let reason):
            "CO-RE access '\(access)' of '\(type)': \(reason)"
        case .ambiguous(let subject, let kind, let candidates):
            "CO-RE \(kind) of \(subject) is ambiguous: target types "
                + candidates.map { "[\($0.rawValue)]" }.joined(separator: ", ") + " disagree"
        case .unsupportedField(let subject, let reason): "CO-RE relocation of \(subject): \(reason)"
        case .insnOutside(let insn, let count): "CO-RE relocation at insn \(insn), the section has \(count)"
        case .unsupportedInstruction(let insn, let opcode):
            "CO-RE relocation at insn \(insn): opcode 0x\(String(opcode, radix: 16)) cannot be relocated"
        case .valueMismatch(let insn, let found, let expected, let subject):
            "CO-RE relocation of \(subject) at insn \(insn): it holds \(found), expected \(expected)"
        case .valueTooLarge(let insn, let value, let subject):
            "CO-RE relocation of \(subject) at insn \(insn): value \(value) does not fit"
        }
    }
}
