import BPF

/// Arithmetic. A 32-bit machine operation clears the upper half, as BPF's does.
extension A64Generator {
    mutating func emitALU(_ insn: Instruction, _ width: A64Width, at pc: Int) throws(JITError) {
        let dst = machine(insn.dst)
        switch insn.operation {
        case Opcode.add: emitSum(insn, width, sign: 1)
        case Opcode.sub: emitSum(insn, width, sign: -1)
        case Opcode.or: assembler.operate(.or, width, dst, dst, operand(insn, width))
        case Opcode.and: assembler.operate(.and, width, dst, dst, operand(insn, width))
        case Opcode.xor: assembler.operate(.xor, width, dst, dst, operand(insn, width))
        case Opcode.mul: assembler.multiply(width, dst, dst, operand(insn, width))
        case Opcode.div: try emitDivision(insn, width, isModulo: false, at: pc)
        case Opcode.mod: try emitDivision(insn, width, isModulo: true, at: pc)
        case Opcode.lsh, Opcode.rsh, Opcode.arsh: emitShift(insn, width)
        case Opcode.neg: assembler.operate(.sub, width, dst, .zero, dst)
        case Opcode.mov: try emitMove(insn, width, at: pc)
        case Opcode.end: try emitByteOrder(insn, at: pc)
        default: throw malformed(pc)
        }
    }

    /// The second operand in a register; an immediate goes into the first scratch register.
    mutating func operand(_ insn: Instruction, _ width: A64Width) -> A64Register {
        if insn.usesRegister { return machine(insn.src) }
        assembler.set(A64RegisterMap.scratch1, A64Generator.constant(insn.imm, width))
        return A64RegisterMap.scratch1
    }

    static func constant(_ imm: Int32, _ width: A64Width) -> UInt64 {
        width == .x ? UInt64(bitPattern: Int64(imm)) : UInt64(UInt32(bitPattern: imm))
    }

    private mutating func emitSum(_ insn: Instruction, _ width: A64Width, sign: Int64) {
        let dst = machine(insn.dst), value = sign * Int64(insn.imm)
        if !insn.usesRegister, A64Assembler.isAddImmediate(value) {
            assembler.add(width, dst, dst, immediate: Int32(value))
        } else {
            assembler.operate(sign > 0 ? .add : .sub, width, dst, dst, operand(insn, width))
        }
    }

    /// The machine divides as RFC 9669 wants: x / 0 = 0, and the smallest number by -1 is itself. So the remainder,
    /// x - x / y * y, comes out right too.
    private mutating func emitDivision(
        _ insn: Instruction, _ width: A64Width, isModulo: Bool, at pc: Int
    ) throws(JITError) {
        guard insn.offset == 0 || insn.offset == 1 else { throw malformed(pc) }
        let dst = machine(insn.dst), divisor = operand(insn, width)
        let operation: A64Operation = insn.offset == 1 ? .signedDivide : .unsignedDivide
        guard isModulo else { return assembler.operate(operation, width, dst, dst, divisor) }
        assembler.operate(operation, width, A64RegisterMap.scratch2, dst, divisor)
        assembler.multiplySubtract(width, dst, A64RegisterMap.scratch2, divisor, from: dst)
    }

    /// BPF and the machine both use the count modulo the width.
    private mutating func emitShift(_ insn: Instruction, _ width: A64Width) {
        let dst = machine(insn.dst)
        if insn.usesRegister {
            let operation: A64Operation =
                switch insn.operation {
                case Opcode.lsh: .shiftLeft
                case Opcode.rsh: .shiftRight
                default: .shiftRightSigned
                }
            return assembler.operate(operation, width, dst, dst, machine(insn.src))
        }
        let count = UInt32(bitPattern: insn.imm) & (width.bitCount - 1)
        switch insn.operation {
        case Opcode.lsh: assembler.shiftLeft(width, dst, dst, count: count)
        case Opcode.rsh: assembler.shiftRight(width, dst, dst, count: count)
        default: assembler.shiftRightSigned(width, dst, dst, count: count)
        }
    }

    private mutating func emitMove(_ insn: Instruction, _ width: A64Width, at pc: Int) throws(JITError) {
        let dst = machine(insn.dst), src = machine(insn.src)
        guard insn.usesRegister else {
            return assembler.set(dst, A64Generator.constant(insn.imm, width))
        }
        switch insn.offset {
        case 0: assembler.move(width, dst, src)
        case 8, 16: assembler.signExtend(width, dst, src, from: UInt32(insn.offset))
        case 32 where width == .x: assembler.signExtend(.x, dst, src, from: 32)
        default: throw .unsupported(insn: pc, what: "a move with offset \(insn.offset)")
        }
    }

    /// `le`, `be` (to that byte order; data is little endian) and `bswap`.
    private mutating func emitByteOrder(_ insn: Instruction, at pc: Int) throws(JITError) {
        let dst = machine(insn.dst)
        let swaps = insn.instructionClass == .alu64 || insn.usesRegister
        switch (insn.imm, swaps) {
        case (16, false): assembler.zeroExtend(dst, dst, from: 16)
        case (32, false): assembler.move(.w, dst, dst)
        case (64, false): break
        case (16, true):
            assembler.reverseBytesOfHalves(dst, dst)
            assembler.zeroExtend(dst, dst, from: 16)
        case (32, true): assembler.reverseBytes(.w, dst, dst)
        case (64, true): assembler.reverseBytes(.x, dst, dst)
        default: throw malformed(pc)
        }
    }
}
