/// One 8-byte slot of BPF bytecode, as it stands in an object file (little endian).
///
/// A 64-bit immediate load (`isWideLoad`) takes two slots; the second has opcode 0 and carries the upper half in `imm`.
///
/// Source: RFC 9669, section 3. Kernel counterpart: `struct bpf_insn`.
package struct Instruction: Equatable, Hashable, Sendable {
    package var opcode: UInt8
    /// Bits 0–3 destination, bits 4–7 source register.
    package var registers: UInt8
    package var offset: Int16
    package var imm: Int32

    @inlinable
    package init(opcode: UInt8, dst: UInt8 = 0, src: UInt8 = 0, offset: Int16 = 0, imm: Int32 = 0) {
        self.opcode = opcode
        self.registers = (dst & 0xf) | (src << 4)
        self.offset = offset
        self.imm = imm
    }

    /// 0…10 in a valid instruction; up to 15 in hostile bytes.
    @inlinable package var dst: UInt8 {
        get { registers & 0xf }
        set { registers = (registers & 0xf0) | (newValue & 0xf) }
    }
    /// A register, or the `PseudoSource` of a wide load or call.
    @inlinable package var src: UInt8 {
        get { registers >> 4 }
        set { registers = (registers & 0x0f) | (newValue << 4) }
    }

    @inlinable package var instructionClass: InstructionClass {
        InstructionClass(rawValue: opcode & 0x07).unsafelyUnwrapped
    }
    /// Bits 3–4 of a load or store.
    @inlinable package var size: AccessSize { AccessSize(rawValue: opcode & 0x18).unsafelyUnwrapped }
    /// Bits 5–7 of a load or store.
    @inlinable package var mode: UInt8 { opcode & 0xe0 }
    /// Bits 4–7 of an arithmetic or jump instruction.
    @inlinable package var operation: UInt8 { opcode & 0xf0 }
    /// Whether the second operand is a register (`BPF_X`) rather than `imm` (`BPF_K`).
    @inlinable package var usesRegister: Bool { opcode & 0x08 != 0 }
    /// First slot of a two-slot 64-bit immediate load.
    @inlinable package var isWideLoad: Bool { opcode == Opcode.loadImm64 }
    @inlinable package var isCall: Bool { opcode == Opcode.call }
    @inlinable package var isExit: Bool { opcode == Opcode.exit }
}

/// Bits 0–2 of the opcode. RFC 9669, section 3.1.
package enum InstructionClass: UInt8, Sendable {
    case ld = 0, ldx, st, stx, alu, jmp, jmp32, alu64
}

/// Width of a memory access. RFC 9669, section 5.
package enum AccessSize: UInt8, Sendable {
    case word = 0x00
    case half = 0x08
    case byte = 0x10
    case double = 0x18

    @inlinable package var byteCount: Int {
        switch self {
        case .byte: 1
        case .half: 2
        case .word: 4
        case .double: 8
        }
    }
}

/// Numeric parts of opcodes, by their names in RFC 9669.
package enum Opcode {
    // Modes of loads and stores.
    package static let modeImm: UInt8 = 0x00
    package static let modeAbs: UInt8 = 0x20
    package static let modeInd: UInt8 = 0x40
    package static let modeMem: UInt8 = 0x60
    package static let modeMemSX: UInt8 = 0x80
    package static let modeAtomic: UInt8 = 0xc0

    // Operations of arithmetic instructions.
    package static let add: UInt8 = 0x00
    package static let sub: UInt8 = 0x10
    package static let mul: UInt8 = 0x20
    package static let div: UInt8 = 0x30
    package static let or: UInt8 = 0x40
    package static let and: UInt8 = 0x50
    package static let lsh: UInt8 = 0x60
    package static let rsh: UInt8 = 0x70
    package static let neg: UInt8 = 0x80
    package static let mod: UInt8 = 0x90
    package static let xor: UInt8 = 0xa0
    package static let mov: UInt8 = 0xb0
    package static let arsh: UInt8 = 0xc0
    package static let end: UInt8 = 0xd0

    // Operations of jumps.
    package static let ja: UInt8 = 0x00
    package static let jeq: UInt8 = 0x10
    package static let jgt: UInt8 = 0x20
    package static let jge: UInt8 = 0x30
    package static let jset: UInt8 = 0x40
    package static let jne: UInt8 = 0x50
    package static let jsgt: UInt8 = 0x60
    package static let jsge: UInt8 = 0x70
    package static let jlt: UInt8 = 0xa0
    package static let jle: UInt8 = 0xb0
    package static let jslt: UInt8 = 0xc0
    package static let jsle: UInt8 = 0xd0
    /// `BPF_JCOND`, used by `may_goto` (imm 0). Kernel extension, not in RFC 9669.
    package static let jcond: UInt8 = 0xe0

    // Whole opcodes.
    package static let loadImm64: UInt8 = 0x18
    package static let call: UInt8 = 0x85
    package static let callx: UInt8 = 0x8d
    package static let exit: UInt8 = 0x95
    package static let mayGoto: UInt8 = 0xe5
    /// Unconditional jump by `offset` (`BPF_JMP | BPF_JA`).
    package static let gotoShort: UInt8 = 0x05
    /// Unconditional jump by `imm` (`BPF_JMP32 | BPF_JA`, "gotol").
    package static let gotoLong: UInt8 = 0x06

    // `imm` of atomics.
    package static let atomicFetch: Int32 = 0x01
    package static let atomicXchg: Int32 = 0xe1
    package static let atomicCmpxchg: Int32 = 0xf1
    package static let atomicLoadAcquire: Int32 = 0x100
    package static let atomicStoreRelease: Int32 = 0x110
}

/// What `src` means in a wide load. Kernel counterpart: `BPF_PSEUDO_*`.
package enum PseudoLoad {
    package static let constant: UInt8 = 0
    /// `imm` selects a map. In an object: unset, a relocation names it. After linking: index into `ProgramImage.maps`.
    package static let mapFD: UInt8 = 1
    /// Address inside a map's first value: `imm` selects the map, the second slot's `imm` is the byte offset.
    package static let mapValue: UInt8 = 2
    /// Address of a kernel variable (typed ksym).
    package static let btfID: UInt8 = 3
    /// Address of a subprog, as a callback: `imm` is the distance to it in slots, counted from the next slot.
    package static let function: UInt8 = 4
}

/// What `src` means in a call. Kernel counterpart: `BPF_PSEUDO_CALL`, `BPF_PSEUDO_KFUNC_CALL`.
package enum PseudoCall {
    /// `imm` is a helper id.
    package static let helper: UInt8 = 0
    /// `imm` is the distance to the subprog in slots, counted from the next slot.
    package static let subprog: UInt8 = 1
    /// After linking: `imm` is an index into `ProgramImage.kfuncs`.
    package static let kfunc: UInt8 = 2
}
