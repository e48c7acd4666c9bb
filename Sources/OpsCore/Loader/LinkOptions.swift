package import BPF
package import Verifier

/// What an object is linked against.
package struct LinkOptions: Sendable {
    /// Which programs and struct_ops maps are wanted.
    package enum Selection: Equatable, Sendable {
        /// Every struct_ops variable outside `?` sections, with the programs it names.
        case automatic
        /// These struct_ops variables, `?` or not, with the programs they name.
        case named(Set<String>)
        /// Every program of the object, also those that nothing names, and every struct_ops variable.
        case everything
    }

    /// Types of the kernel that the object is relocated against; already the profile's view.
    package var target: BTF
    /// Identity of `target` in `BTFRef`s.
    package var targetID: UInt32
    package var kconfig: [String: KconfigValue]
    /// By name; they must resolve to FUNCs of `target`.
    package var kfuncs: [String: KfuncPrototype]
    /// Initial bytes of global variables, by name, in place of the object's.
    package var globals: [String: [UInt8]]
    package var selection: Selection
    /// Goes on where one map or program fails: its failure is in the result, and what is unresolved is poisoned.
    package var keepsGoing: Bool
    /// The result is judged, not run: maps that cannot be made here are described all the same.
    package var isForJudgement: Bool
    /// For messages: what the missing field "is not modelled by".
    package var targetName: String

    package init(
        target: BTF, targetID: UInt32 = 1, kconfig: [String: KconfigValue] = [:],
        kfuncs: [String: KfuncPrototype] = [:], globals: [String: [UInt8]] = [:],
        selection: Selection = .automatic, keepsGoing: Bool = false,
        isForJudgement: Bool = false,
        targetName: String = "this kernel profile"
    ) {
        self.target = target
        self.targetID = targetID
        self.kconfig = kconfig
        self.kfuncs = kfuncs
        self.globals = globals
        self.selection = selection
        self.keepsGoing = keepsGoing
        self.isForJudgement = isForJudgement
        self.targetName = targetName
    }
}

/// A value of the kernel's configuration, as `/proc/config.gz` has it.
package enum KconfigValue: Equatable, Sendable {
    case yes, module, no
    case number(UInt64)
    case text(String)

    /// The right side of a line `CONFIG_X=…`.
    package init?(parsing text: String) {
        switch text {
        case "y": self = .yes
        case "m": self = .module
        case "n": self = .no
        case _ where text.hasPrefix("\"") && text.hasSuffix("\"") && text.utf8.count >= 2:
            self = .text(String(text.dropFirst().dropLast()))
        case _ where text.hasPrefix("0x"):
            guard let value = UInt64(text.dropFirst(2), radix: 16) else { return nil }
            self = .number(value)
        case _ where text.hasPrefix("-"):
            guard let value = Int64(text) else { return nil }
            self = .number(UInt64(bitPattern: value))
        default:
            guard let value = UInt64(text) else { return nil }
            self = .number(value)
        }
    }
}
