import BPF

/// Division and remainder. BPF defines what the machine traps on: x / 0 = 0, x % 0 = x, and the smallest number divided
/// by -1 wraps to itself with remainder 0. RFC 9669, section 4.1.
extension X86Generator {
    mutating func emitDivision(_ insn: Instruction, _ width: Width, isModulo: Bool, at pc: Int)
        throws(JITError)
    {
        guard insn.offset == 0 || insn.offset == 1 else { throw malformed(pc) }
        let isSigned = insn.offset == 1
        if insn.usesRegister {
            emitDivisionByRegister(insn, width, isModulo: isModulo, isSigned: isSigned)
        } else {
            emitDivisionByConstant(insn, width, isModulo: isModulo, isSigned: isSigned)
        }
    }

    private mutating func emitDivisionByConstant(
        _ insn: Instruction, _ width: Width, isModulo: Bool, isSigned: Bool
    ) {
        let dst = machine(insn.dst)
        switch (insn.imm, isModulo) {
        case (0, false): assembler.clear(dst)
        case (0, true): if width == .b32 { assembler.move(.b32, dst, dst) }
        case (1, true): assembler.clear(dst)
        case (-1, true) where isSigned: assembler.clear(dst)
        case (1, false): if width == .b32 { assembler.move(.b32, dst, dst) }
        case (-1, false) where isSigned: assembler.unary(.neg, width, dst)
        default:
            if !isSigned, emitDivisionByPowerOfTwo(insn, width, isModulo: isModulo) { return }
            let divisor = RegisterMap.scratch1
            // Zero-extended or sign-extended to the width: the immediate of a 64-bit operation is signed.
            assembler.move(
                divisor,
                constant: width == .b64
                    ? UInt64(bitPattern: Int64(insn.imm)) : UInt64(UInt32(bitPattern: insn.imm)))
            emitDivide(dst, by: divisor, width, isModulo: isModulo, isSigned: isSigned)
        }
    }

    /// Unsigned only. Returns whether the immediate was a power of two.
    private mutating func emitDivisionByPowerOfTwo(_ insn: Instruction, _ width: Width, isModulo: Bool)
        -> Bool
    {
        guard insn.imm > 0, insn.imm & (insn.imm - 1) == 0 else { return false }
        let dst = machine(insn.dst)
        if isModulo {
            // The mask is below 2^30, so a 32-bit `and` also does for 64 bits.
            assembler.alu(.and, .b32, dst, constant: insn.imm - 1)
        } else {
            assembler.shift(.shr, width, dst, count: UInt8(insn.imm.trailingZeroBitCount))
        }
        return true
    }

    private mutating func emitDivisionByRegister(
        _ insn: Instruction, _ width: Width, isModulo: Bool, isSigned: Bool
    ) {
        let dst = machine(insn.dst), src = machine(insn.src)
        let done = assembler.makeLabel(), divisorIsZero = assembler.makeLabel()
        var divisor = src
        // rax and rdx are the dividend; the divisor must not be there.
        if src == .rax || src == .rdx {
            divisor = RegisterMap.scratch1
            assembler.move(.b64, divisor, src)
        }
        assembler.test(width, divisor, divisor)
        assembler.jump(.equal, divisorIsZero)
        if isSigned {
            let divide = assembler.makeLabel()
            assembler.alu(.cmp, width, divisor, constant: -1)
            assembler.jump(.notEqual, divide)
            if isModulo { assembler.clear(dst) } else { assembler.unary(.neg, width, dst) }
            assembler.jump(done)
            assembler.bind(divide)
        }
        emitDivide(dst, by: divisor, width, isModulo: isModulo, isSigned: isSigned)
        assembler.jump(done)
        assembler.bind(divisorIsZero)
        if !isModulo {
            assembler.clear(dst)
        } else if width == .b32 {
            assembler.move(.b32, dst, dst)
        }
        assembler.bind(done)
    }

    /// The bare division. `divisor` is not rax or rdx, not zero, and not -1 if signed.
    private mutating func emitDivide(
        _ dst: Register, by divisor: Register, _ width: Width, isModulo: Bool, isSigned: Bool
    ) {
        let keptRAX = RegisterMap.scratch2, keptRDX = RegisterMap.scratch3
        if dst != .rax {
            assembler.move(.b64, keptRAX, .rax)
            assembler.move(.b64, .rax, dst)
        }
        if dst != .rdx { assembler.move(.b64, keptRDX, .rdx) }
        if isSigned {
            assembler.signExtendAccumulator(width)
            assembler.unary(.idiv, width, divisor)
        } else {
            assembler.clear(.rdx)
            assembler.unary(.div, width, divisor)
        }
        let result = isModulo ? Register.rdx : .rax
        if dst != result { assembler.move(.b64, dst, result) }
        if dst != .rdx { assembler.move(.b64, .rdx, keptRDX) }
        if dst != .rax { assembler.move(.b64, .rax, keptRAX) }
    }
}
