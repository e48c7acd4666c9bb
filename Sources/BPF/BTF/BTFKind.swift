/// Kind number of a type record. Source: Linux `Documentation/bpf/btf.rst`, section 2.2; `BTF_KIND_*`.
package enum BTFKind: UInt8, CaseIterable, Sendable {
    case int = 1, pointer, array, `struct`, union, enumeration, forward, typedef, volatile, const, restrict,
        function, prototype, variable, dataSection, float, declTag, typeTag, enum64

    /// As bpftool prints it: `FUNC_PROTO`.
    package var name: String {
        switch self {
        case .int: "INT"
        case .pointer: "PTR"
        case .array: "ARRAY"
        case .struct: "STRUCT"
        case .union: "UNION"
        case .enumeration: "ENUM"
        case .forward: "FWD"
        case .typedef: "TYPEDEF"
        case .volatile: "VOLATILE"
        case .const: "CONST"
        case .restrict: "RESTRICT"
        case .function: "FUNC"
        case .prototype: "FUNC_PROTO"
        case .variable: "VAR"
        case .dataSection: "DATASEC"
        case .float: "FLOAT"
        case .declTag: "DECL_TAG"
        case .typeTag: "TYPE_TAG"
        case .enum64: "ENUM64"
        }
    }

    /// A typedef, qualifier or type tag: a type that only refers to another.
    var isModifier: Bool {
        switch self {
        case .typedef, .volatile, .const, .restrict, .typeTag: true
        default: false
        }
    }

    /// Words after the three common ones: a fixed part, and so many for each of `vlen` items.
    var extraWords: (fixed: Int, each: Int) {
        switch self {
        case .int, .variable, .declTag: (1, 0)
        case .array: (3, 0)
        case .struct, .union, .enum64, .dataSection: (0, 3)
        case .enumeration, .prototype: (0, 2)
        case .pointer, .forward, .typedef, .volatile, .const, .restrict, .function, .float, .typeTag: (0, 0)
        }
    }
}

extension BTFType {
    /// nil for void, which has no record.
    package var kind: BTFKind? {
        switch self {
        case .void: nil
        case .int: .int
        case .pointer: .pointer
        case .array: .array
        case .composite(let type): type.isUnion ? .union : .struct
        case .enumeration(let type): type.is64 ? .enum64 : .enumeration
        case .forward: .forward
        case .typedef: .typedef
        case .volatile: .volatile
        case .const: .const
        case .restrict: .restrict
        case .function: .function
        case .prototype: .prototype
        case .variable: .variable
        case .dataSection: .dataSection
        case .float: .float
        case .declTag: .declTag
        case .typeTag: .typeTag
        }
    }
}
