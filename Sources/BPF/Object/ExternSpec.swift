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
    package var essentialName: String { name.withoutFlavour }
}

/// How the text of a configuration value becomes bytes. libbpf: `enum kcfg_type`.
package enum KconfigType: Equatable, Sendable {
    case bool
    case char(isSigned: Bool)
    case integer(byteCount: Int, isSigned: Bool)
    case tristate
    case text(byteCount: Int)
}
