/// The shape of an x86-64 instruction: `[66|F0|F2|F3] [REX] [0F [38]] opcode ModRM [SIB] [displacement] [immediate]`.
extension Assembler {
    /// Opcode bytes, most significant first: 0x89, 0x0FAF, 0x0F38F0.
    typealias OpcodeBytes = UInt32

    /// An instruction with a register as its r/m operand. `reg` is a register's encoding or an opcode's /digit.
    ///
    /// - Parameters:
    ///   - byteReg, byteRM: that operand is an 8-bit register, so that encodings 4–7 need a REX prefix to mean spl, bpl,
    ///     sil, dil rather than ah, ch, dh, bh (SDM vol. 2, 3.1.1.1).
    mutating func encode(
        _ width: Width, _ opcode: OpcodeBytes, reg: UInt8, rm: Register, byteReg: Bool = false,
        byteRM: Bool = false
    ) {
        putPrefixes(
            width, opcode, reg: reg, index: 0, base: rm.rawValue,
            forceREX: (byteReg && reg >= 4) || (byteRM && rm.rawValue >= 4))
        put(0xc0 | (reg & 7) << 3 | rm.rawValue & 7)
    }

    /// An instruction with a memory operand.
    mutating func encode(
        _ width: Width, _ opcode: OpcodeBytes, reg: UInt8, memory: Memory, byteReg: Bool = false
    ) {
        putPrefixes(
            width, opcode, reg: reg, index: memory.index?.rawValue ?? 0, base: memory.base.rawValue,
            forceREX: byteReg && reg >= 4)
        putMemory(reg: reg, memory)
    }

    private mutating func putPrefixes(
        _ width: Width, _ opcode: OpcodeBytes, reg: UInt8, index: UInt8, base: UInt8, forceREX: Bool
    ) {
        if width == .b16 { put(0x66) }
        let rex = (width == .b64 ? 8 : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3
        if rex != 0 || forceREX { put(0x40 | rex) }
        if opcode > 0xffff { put(UInt8(truncatingIfNeeded: opcode >> 16)) }
        if opcode > 0xff { put(UInt8(truncatingIfNeeded: opcode >> 8)) }
        put(UInt8(truncatingIfNeeded: opcode))
    }

    /// ModRM, SIB and the shortest displacement.
    private mutating func putMemory(reg: UInt8, _ memory: Memory) {
        let base = memory.base.rawValue & 7
        let displacement = memory.displacement
        // mod 00 with base 101 means rip-relative or no base, so rbp and r13 always carry a displacement.
        let mod: UInt8 =
            if displacement == 0, base != 0b101 {
                0
            } else if displacement == Int32(Int8(truncatingIfNeeded: displacement)) {
                1
            } else { 2 }
        if let index = memory.index {
            put(mod << 6 | (reg & 7) << 3 | 0b100)
            put(UInt8(memory.scale.trailingZeroBitCount) << 6 | (index.rawValue & 7) << 3 | base)
        } else {
            put(mod << 6 | (reg & 7) << 3 | base)
            // Base 100 announces a SIB byte, so rsp and r12 are written as a SIB without index.
            if base == 0b100 { put(0x24) }
        }
        switch mod {
        case 1: put(UInt8(truncatingIfNeeded: displacement))
        case 2: put32(displacement)
        default: break
        }
    }

    /// Whether an immediate may be written as one sign-extended byte.
    static func fitsByte(_ value: Int32) -> Bool { value == Int32(Int8(truncatingIfNeeded: value)) }
}
