/// The same numbers as `BPF.Opcode`, which a test holds them to: constants of another module are not constants to the
/// optimiser but calls, and the passes here look at dozens for every instruction.
enum Opcode {
    // Modes of loads and stores.
    static let modeImm: UInt8 = 0x00
    static let modeAbs: UInt8 = 0x20
    static let modeInd: UInt8 = 0x40
    static let modeMem: UInt8 = 0x60
    static let modeMemSX: UInt8 = 0x80
    static let modeAtomic: UInt8 = 0xc0

    // Operations of arithmetic instructions.
    static let add: UInt8 = 0x00
    static let sub: UInt8 = 0x10
    static let mul: UInt8 = 0x20
    static let div: UInt8 = 0x30
    static let or: UInt8 = 0x40
    static let and: UInt8 = 0x50
    static let lsh: UInt8 = 0x60
    static let rsh: UInt8 = 0x70
    static let neg: UInt8 = 0x80
    static let mod: UInt8 = 0x90
    static let xor: UInt8 = 0xa0
    static let mov: UInt8 = 0xb0
    static let arsh: UInt8 = 0xc0
    static let end: UInt8 = 0xd0

    // Operations of jumps.
    static let ja: UInt8 = 0x00
    static let jeq: UInt8 = 0x10
    static let jgt: UInt8 = 0x20
    static let jge: UInt8 = 0x30
    static let jset: UInt8 = 0x40
    static let jne: UInt8 = 0x50
    static let jsgt: UInt8 = 0x60
    static let jsge: UInt8 = 0x70
    static let jlt: UInt8 = 0xa0
    static let jle: UInt8 = 0xb0
    static let jslt: UInt8 = 0xc0
    static let jsle: UInt8 = 0xd0
    /// `BPF_JCOND`, used by `may_goto` (imm 0). Kernel extension, not in RFC 9669.
    static let jcond: UInt8 = 0xe0

    // Whole opcodes.
    static let loadImm64: UInt8 = 0x18
    static let call: UInt8 = 0x85
    static let callx: UInt8 = 0x8d
    static let exit: UInt8 = 0x95
    static let mayGoto: UInt8 = 0xe5
    /// Unconditional jump by `offset` (`BPF_JMP | BPF_JA`).
    static let gotoShort: UInt8 = 0x05
    /// Unconditional jump by `imm` (`BPF_JMP32 | BPF_JA`, "gotol").
    static let gotoLong: UInt8 = 0x06

    // `imm` of atomics.
    static let atomicFetch: Int32 = 0x01
    static let atomicXchg: Int32 = 0xe1
    static let atomicCmpxchg: Int32 = 0xf1
    static let atomicLoadAcquire: Int32 = 0x100
    static let atomicStoreRelease: Int32 = 0x110
}
