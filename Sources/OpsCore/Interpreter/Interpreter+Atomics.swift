import BPF

/// Stores of registers, and the atomic operations, which need no care for other threads: a world has one.
extension Interpreter {
    func storeRegister(_ insn: Instruction) throws(InterpreterFault) {
        switch insn.mode {
        case Opcode.modeMem:
            try store(
                register(insn.dst), offset: Int64(insn.offset), count: insn.size.byteCount, register(insn.src)
            )
        case Opcode.modeAtomic: try atomic(insn)
        default: throw badInstruction(insn)
        }
    }

    private func atomic(_ insn: Instruction) throws(InterpreterFault) {
        let count = insn.size.byteCount
        switch insn.imm {
        case Opcode.atomicLoadAcquire:
            try set(insn.dst, load(register(insn.src), offset: Int64(insn.offset), count: count))
            return
        case Opcode.atomicStoreRelease:
            return try store(register(insn.dst), offset: Int64(insn.offset), count: count, register(insn.src))
        default: break
        }
        guard count >= 4 else { throw badInstruction(insn) }
        let base = try register(insn.dst)
        let source = try register(insn.src)
        let mask: UInt64 = count == 8 ? .max : 0xffff_ffff
        let old = try load(base, offset: Int64(insn.offset), count: count).bits

        let new: UInt64
        switch insn.imm {
        case Opcode.atomicXchg: new = source.bits
        case Opcode.atomicCmpxchg: new = try register(0).bits & mask == old ? source.bits : old
        default:
            let operation = UInt8(truncatingIfNeeded: insn.imm & ~Opcode.atomicFetch)
            guard insn.imm & ~0xff == 0, [Opcode.add, Opcode.or, Opcode.and, Opcode.xor].contains(operation),
                let result = ALU.apply(operation, old, source.bits, isSigned: false)
            else { throw badInstruction(insn) }
            new = result
        }
        try store(base, offset: Int64(insn.offset), count: count, .scalar(new & mask))

        if insn.imm == Opcode.atomicCmpxchg {
            try set(0, .scalar(old))
        } else if insn.imm & Opcode.atomicFetch != 0 {
            try set(insn.src, .scalar(old))
        }
    }
}
