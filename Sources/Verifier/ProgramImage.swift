package import BPF

/// One program as it would run: main function first, its subprogs after it, CO-RE applied, maps, kfuncs and global
/// data resolved to indices. What the loader makes and the verifier judges. Pure value; nothing in it is trusted.
package struct ProgramImage: Sendable {
    package var name: String
    /// ELF section of the main function, for example `struct_ops/cong_avoid`.
    package var section: String
    package var insns: [Instruction]
    /// Ascending by `start`; the first starts at 0 and is the main function.
    package var subprogs: [Subprog]
    /// Selected by the `imm` of `PseudoLoad.mapFD` and `.mapValue`.
    package var maps: [MapDescription]
    /// Selected by the `imm` of `PseudoCall.kfunc`.
    package var kfuncs: [KfuncPrototype]
    /// Instructions that must not be reached (unresolved CO-RE, missing map or kfunc), with the sentence that says why.
    package var poisons: [Int: String]
    /// Instructions that a CO-RE relocation has adjusted; their field offsets are those of the target BTF.
    package var relocated: Set<Int>
    /// The object's own types: function prototypes, and the layouts its uncovered accesses assume.
    package var btf: BTF?
    /// Ascending by `insn`: where that and those after it, up to the next record, come from.
    package var lines: [LineSpec]
    package var isGPLCompatible: Bool

    package init(
        name: String, section: String, insns: [Instruction], subprogs: [Subprog] = [],
        maps: [MapDescription] = [],
        kfuncs: [KfuncPrototype] = [], poisons: [Int: String] = [:], relocated: Set<Int> = [],
        btf: BTF? = nil,
        lines: [LineSpec] = [], isGPLCompatible: Bool = true
    ) {
        self.name = name
        self.section = section
        self.insns = insns
        self.subprogs = subprogs.isEmpty ? [Subprog(name: name, start: 0)] : subprogs
        self.maps = maps
        self.kfuncs = kfuncs
        self.poisons = poisons
        self.relocated = relocated
        self.btf = btf
        self.lines = lines
        self.isGPLCompatible = isGPLCompatible
    }

    /// A function inside the image; it ends where the next one starts.
    package struct Subprog: Equatable, Sendable {
        package var name: String
        package var start: Int
        /// FUNC in the object's BTF, from `.BTF.ext`.
        package var function: TypeID?
        package var isGlobal: Bool

        package init(name: String, start: Int, function: TypeID? = nil, isGlobal: Bool = false) {
            self.name = name
            self.start = start
            self.function = function
            self.isGlobal = isGlobal
        }
    }

    /// Where a line is from, and how it reads.
    package func file(of line: LineSpec) -> String { btf?.string(at: line.file) ?? "" }
    package func text(of line: LineSpec) -> String { btf?.string(at: line.text) ?? "" }
}

/// What the verifier must know about a map. Kernel counterpart: `struct bpf_map`.
package struct MapDescription: Equatable, Sendable {
    package var name: String
    package var type: MapType
    package var keySize: Int
    package var valueSize: Int
    package var maxEntries: Int
    package var flags: UInt32
    /// Value type in the object's BTF, for spin locks, timers, kptrs.
    package var valueType: TypeID?
    package var keyType: TypeID?
    /// Contents of a frozen map (`.rodata`, `.kconfig`): constants for the verifier.
    package var constants: [UInt8]?
    /// Of a map of maps, what each of its maps looks like; else empty. (An array, since a struct cannot hold itself.)
    package var inner: [MapDescription]
    /// Programs may not write it (`.rodata`, `.kconfig`, BPF_F_RDONLY_PROG).
    package var isReadOnly: Bool

    package init(
        name: String, type: MapType, keySize: Int, valueSize: Int, maxEntries: Int, flags: UInt32 = 0,
        valueType: TypeID? = nil, keyType: TypeID? = nil, constants: [UInt8]? = nil, isReadOnly: Bool = false,
        inner: MapDescription? = nil
    ) {
        self.name = name
        self.type = type
        self.keySize = keySize
        self.valueSize = valueSize
        self.maxEntries = maxEntries
        self.flags = flags
        self.valueType = valueType
        self.keyType = keyType
        self.constants = constants
        self.isReadOnly = isReadOnly
        self.inner = inner.map { [$0] } ?? []
    }

    /// Programs may not read its values: BPF_F_WRONLY_PROG.
    var isWriteOnly: Bool { flags & 1 << 8 != 0 }
}

/// A kfunc as a subsystem offers it: a FUNC of its BTF with flags. Kernel counterpart: `struct bpf_kfunc_desc`, `KF_*`.
package struct KfuncPrototype: Equatable, Sendable {
    package struct Flags: OptionSet, Sendable {
        package var rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let acquire = Flags(rawValue: 1 << 0)
        package static let release = Flags(rawValue: 1 << 1)
        package static let retNull = Flags(rawValue: 1 << 2)
        package static let trustedArgs = Flags(rawValue: 1 << 4)
        package static let sleepable = Flags(rawValue: 1 << 5)
        package static let destructive = Flags(rawValue: 1 << 6)
        package static let rcu = Flags(rawValue: 1 << 7)
        package static let iterNew = Flags(rawValue: 1 << 8)
        package static let iterNext = Flags(rawValue: 1 << 9)
        package static let iterDestroy = Flags(rawValue: 1 << 10)
        package static let rcuProtected = Flags(rawValue: 1 << 11)
        package static let fastcall = Flags(rawValue: 1 << 12)
        package static let arenaResult = Flags(rawValue: 1 << 13)
        package static let arenaArgument1 = Flags(rawValue: 1 << 14)
        package static let arenaArgument2 = Flags(rawValue: 1 << 15)
    }
    package var name: String
    /// FUNC in the BTF that offers it.
    package var function: BTFRef
    package var flags: Flags

    package init(name: String, function: BTFRef, flags: Flags = []) {
        self.name = name
        self.function = function
        self.flags = flags
    }
}
