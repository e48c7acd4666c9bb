/// What one object file says, host-free: nothing in it has been matched with a kernel, and nothing is trusted.
///
/// Kernel counterpart: libbpf's `struct bpf_object` after open.
package struct ObjectSpec: Sendable {
    /// File name up to the first dot, as libbpf names objects; prefix of the names of data maps.
    package var name: String
    /// Last part of the path that the object was read from: where errors say the trouble lies.
    package var fileName: String
    package var btf: BTF?
    /// Contents of the `license` section; empty when there is none.
    package var license: String
    /// Every function of every executable section, ascending by (section index, offset).
    package var functions: [FunctionSpec]
    /// Indices into `functions` of the entry points: functions of executable sections other than `.text`.
    package var programs: [Int]
    /// Those of `.maps` in order of their offset, then data sections in file order, then `.kconfig`.
    package var maps: [MapSpec]
    package var structOps: [StructOpsSpec]
    package var externs: [ExternSpec]
    /// What was left out without harm, in libbpf's words: "elf: skipping unrecognized data section(7) .foo".
    package var notes: [String]

    /// The kernel's rule (`license_is_gpl_compatible`).
    package var isGPLCompatible: Bool {
        [
            "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
        ].contains(license)
    }
}

/// One function of an executable section, as compiled.
package struct FunctionSpec: Sendable {
    package var name: String
    package var section: String
    /// In bytes, from the start of the section.
    package var sectionOffset: Int
    package var insns: [Instruction]
    /// Ascending by `insn`; at most one per instruction.
    package var references: [InsnReference]
    /// FUNC in the object's BTF.
    package var function: TypeID?
    package var isGlobal: Bool
    /// Ascending by `insn`; relative to this function.
    package var lines: [LineSpec] = []
    /// In the order of the file; `insn` relative to this function.
    package var coreRelocations: [CORERelocation] = []

    /// The section name begins with `?`: not loaded unless a created map or the user asks.
    package var isOptional: Bool { section.hasPrefix("?") }
    /// Section name without the `?`.
    package var sectionDefinition: String { isOptional ? String(section.dropFirst()) : section }
    package var isStructOps: Bool {
        sectionDefinition == "struct_ops" || sectionDefinition.hasPrefix("struct_ops/")
            || sectionDefinition.hasPrefix("struct_ops.s")
    }
    package var isSleepable: Bool {
        let kind = sectionDefinition.prefix { $0 != "/" }
        return kind.hasSuffix(".s")
    }
}

/// An instruction whose operand the object leaves to the loader.
package struct InsnReference: Equatable, Sendable {
    package var insn: Int
    package var target: Reference

    package init(insn: Int, target: Reference) {
        self.insn = insn
        self.target = target
    }
}

/// Indices are those of the `ObjectSpec`.
package enum Reference: Equatable, Sendable {
    /// The map itself.
    case map(Int)
    /// The address of byte `offset` of the map's first value: global data.
    case mapValue(map: Int, offset: Int)
    /// The function called, or whose address is taken as a callback.
    case function(Int)
    /// The kfunc called, or the ksym or kfunc whose address is taken.
    case extern(Int)
}

/// A source line and the first instruction made from it.
package struct LineSpec: Equatable, Sendable {
    package var insn: Int
    /// Strings of the object's BTF (`BTF.string(at:)`), made when somebody wants to read them: most loads have thousands, and
    /// nobody does.
    package var file: UInt32
    package var text: UInt32
    package var line: Int
    package var column: Int
}
