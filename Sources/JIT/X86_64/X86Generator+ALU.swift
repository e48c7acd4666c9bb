import BPF

/// Arithmetic. A 32-bit machine operation clears the upper half, as BPF's does.
extension X86Generator {
    mutating func emitALU(_ insn: Instruction, _ width: Width, at pc: Int) throws(JITError) {
        let dst = machine(insn.dst), src = machine(insn.src)
        switch insn.operation {
        case Opcode.add: emitGroup1(.add, insn, width)
        case Opcode.sub: emitGroup1(.sub, insn, width)
        case Opcode.or: emitGroup1(.or, insn, width)
        case Opcode.and: emitGroup1(.and, insn, width)
        case Opcode.xor: emitGroup1(.xor, insn, width)
        case Opcode.mul:
            if insn.usesRegister {
                assembler.multiply(width, dst, src)
            } else {
                assembler.multiply(width, dst, dst, constant: insn.imm)
            }
        case Opcode.div: try emitDivision(insn, width, isModulo: false, at: pc)
        case Opcode.mod: try emitDivision(insn, width, isModulo: true, at: pc)
        case Opcode.lsh: emitShift(.shl, insn, width)
        case Opcode.rsh: emitShift(.shr, insn, width)
        case Opcode.arsh: emitShift(.sar, insn, width)
        case Opcode.neg: assembler.unary(.neg, width, dst)
        case Opcode.mov: try emitMove(insn, width, at: pc)
        case Opcode.end: try emitByteOrder(insn, at: pc)
        default: throw malformed(pc)
        }
    }

    private mutating func emitGroup1(_ operation: ALUOperation, _ insn: Instruction, _ width: Width) {
        if insn.usesRegister {
            assembler.alu(operation, width, machine(insn.dst), machine(insn.src))
        } else {
            assembler.alu(operation, width, machine(insn.dst), constant: insn.imm)
        }
    }

    private mutating func emitMove(_ insn: Instruction, _ width: Width, at pc: Int) throws(JITError) {
        let dst = machine(insn.dst), src = machine(insn.src)
        guard insn.usesRegister else {
            let value =
                width == .b64
                ? UInt64(bitPattern: Int64(insn.imm)) : UInt64(UInt32(bitPattern: insn.imm))
            return assembler.set(dst, value)
        }
        if contextUse?.moves.contains(pc) == true { return }
        switch insn.offset {
        case 0:
            // A 64-bit move to itself does nothing; a 32-bit one clears the upper half.
            if width == .b32 || dst != src { assembler.move(width, dst, src) }
        case 8: assembler.signExtend(from: .b8, to: width, dst, src)
        case 16: assembler.signExtend(from: .b16, to: width, dst, src)
        case 32 where width == .b64: assembler.signExtend(from: .b32, to: width, dst, src)
        default: throw .unsupported(insn: pc, what: "a move with offset \(insn.offset)")
        }
    }

    /// `le`, `be` (to that byte order; the machine is little endian) and `bswap`.
    private mutating func emitByteOrder(_ insn: Instruction, at pc: Int) throws(JITError) {
        let dst = machine(insn.dst)
        let swaps = insn.instructionClass == .alu64 || insn.usesRegister
        switch (insn.imm, swaps) {
        case (16, false): assembler.zeroExtend(.b16, dst, dst)
        case (32, false): assembler.zeroExtend(.b32, dst, dst)
        case (64, false): break
        case (16, true):
            assembler.shift(.ror, .b16, dst, count: 8)
            assembler.zeroExtend(.b16, dst, dst)
        case (32, true): assembler.swapBytes(.b32, dst)
        case (64, true): assembler.swapBytes(.b64, dst)
        default: throw malformed(pc)
        }
    }

    // MARK: Shifts

    /// BPF and the machine both use the count modulo the width.
    private mutating func emitShift(_ operation: ShiftOperation, _ insn: Instruction, _ width: Width) {
        let dst = machine(insn.dst)
        guard insn.usesRegister else {
            let count = UInt8(truncatingIfNeeded: insn.imm) & (width.rawValue - 1)
            if count != 0 {
                assembler.shift(operation, width, dst, count: count)
            } else if width == .b32 {
                assembler.move(.b32, dst, dst)
            }
            return
        }
        let count = machine(insn.src)
        if request.features.contains(.bmi2) {
            assembler.shiftExtended(operation, width, dst, dst, count: count)
        } else {
            emitShiftByCL(operation, width, dst, count)
        }
    }

    /// The baseline shifts by cl only, and rcx is R4.
    private mutating func emitShiftByCL(
        _ operation: ShiftOperation, _ width: Width, _ dst: Register, _ count: Register
    ) {
        let keep = RegisterMap.scratch1
        switch (dst == .rcx, count == .rcx) {
        case (false, true): assembler.shiftByCL(operation, width, dst)
        case (false, false):
            assembler.move(.b64, keep, .rcx)
            assembler.move(.b32, .rcx, count)
            assembler.shiftByCL(operation, width, dst)
            assembler.move(.b64, .rcx, keep)
        case (true, _):
            assembler.move(.b64, keep, .rcx)
            if count != .rcx { assembler.move(.b32, .rcx, count) }
            assembler.shiftByCL(operation, width, keep)
            assembler.move(.b64, .rcx, keep)
        }
    }
}
