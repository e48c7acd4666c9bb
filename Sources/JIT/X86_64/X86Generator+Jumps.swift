import BPF

/// Jumps, `may_goto`, exits.
extension X86Generator {
    mutating func emitJump(_ insn: Instruction, _ width: Width, at pc: Int) throws(JITError) {
        switch insn.opcode {
        case Opcode.gotoShort: try emitGoto(distance: Int(insn.offset), at: pc)
        case Opcode.gotoLong: try emitGoto(distance: Int(insn.imm), at: pc)
        case Opcode.call: try emitCall(insn, at: pc)
        case Opcode.exit: frame.emitReturn(&assembler)
        case Opcode.mayGoto: try emitMayGoto(insn, at: pc)
        default: try emitConditionalJump(insn, width, at: pc)
        }
    }

    private mutating func emitGoto(distance: Int, at pc: Int) throws(JITError) {
        let label = try target(of: pc, distance: distance)
        if distance != 0 { assembler.jump(label) }
    }

    private mutating func emitConditionalJump(_ insn: Instruction, _ width: Width, at pc: Int)
        throws(JITError)
    {
        guard let condition = Condition(jump: insn.operation) else { throw malformed(pc) }
        let label = try target(of: pc, distance: Int(insn.offset))
        let dst = machine(insn.dst)
        switch (insn.operation == Opcode.jset, insn.usesRegister) {
        case (true, true): assembler.test(width, dst, machine(insn.src))
        case (true, false): assembler.test(width, dst, constant: insn.imm)
        case (false, true): assembler.alu(.cmp, width, dst, machine(insn.src))
        // `test` is a byte shorter and sets the same flags as a comparison with 0.
        case (false, false) where insn.imm == 0: assembler.test(width, dst, dst)
        case (false, false): assembler.alu(.cmp, width, dst, constant: insn.imm)
        }
        assembler.jump(condition, label)
    }

    /// Goes on while there is fuel, each turn for one unit; jumps when there is none.
    private mutating func emitMayGoto(_ insn: Instruction, at pc: Int) throws(JITError) {
        drawFuel(orGoTo: try target(of: pc, distance: Int(insn.offset)))
    }

    /// Takes one unit of fuel, or leaves it at 0 and goes to `label`.
    mutating func drawFuel(orGoTo label: Label) {
        needs.formUnion([.block, .fuel])
        let empty = assembler.makeLabel()
        assembler.alu(.sub, .b64, BlockField.fuel, constant: 1)
        assembler.jump(.below, empty)
        coldPaths.append(ColdPath(entry: empty, action: .refillFuelToZero, exit: label))
    }
}

extension Condition {
    /// From bits 4–7 of a jump's opcode.
    fileprivate init?(jump operation: UInt8) {
        switch operation {
        case Opcode.jeq: self = .equal
        case Opcode.jne, Opcode.jset: self = .notEqual
        case Opcode.jgt: self = .above
        case Opcode.jge: self = .aboveOrEqual
        case Opcode.jlt: self = .below
        case Opcode.jle: self = .belowOrEqual
        case Opcode.jsgt: self = .greater
        case Opcode.jsge: self = .greaterOrEqual
        case Opcode.jslt: self = .less
        case Opcode.jsle: self = .lessOrEqual
        default: return nil
        }
    }
}
