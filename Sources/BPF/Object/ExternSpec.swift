/// A symbol that the object expects from its surroundings.
package struct ExternSpec: Sendable {
    package enum Kind: Equatable, Sendable {
        /// A value of the kernel's configuration, at `offset` of the `.kconfig` map.
        case kconfig(KconfigType, offset: Int, byteCount: Int)
        /// A kernel variable; `type` nil when declared `void` (only its address counts).
        case variable(type: TypeID?)
        /// A kfunc.
        case function(prototype: TypeID)
    }

    package var name: String
    /// VAR or FUNC in the object's BTF.
    package var id: TypeID
    package var kind: Kind
    /// May stay unresolved: reads as zero, and calls of it are poisoned.
    package var isWeak: Bool

    /// Name in the kernel: without the flavour (`foo___v2` → `foo`).
    package var essentialName: String { essential(name) }
}

/// How the text of a configuration value becomes bytes. libbpf: `enum kcfg_type`.
package enum KconfigType: Equatable, Sendable {
    case bool
    case char(isSigned: Bool)
    case integer(byteCount: Int, isSigned: Bool)
    case tristate
    case text(byteCount: Int)
}

/// A name up to its flavour, which begins at the last `___` that is followed by something.
/// Source: libbpf `bpf_core_essential_name_len`.
package func essential(_ name: String) -> String {
    let bytes = Array(name.utf8)
    guard bytes.count >= 5 else { return name }
    for index in stride(from: bytes.count - 5, through: 0, by: -1)
    where bytes[index] != 0x5f && bytes[index + 1] == 0x5f && bytes[index + 2] == 0x5f
        && bytes[index + 3] == 0x5f && bytes[index + 4] != 0x5f
    {
        return String(decoding: bytes[...index], as: UTF8.self)
    }
    return name
}
