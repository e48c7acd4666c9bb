import BPF
import Verifier

/// Loads, stores, and the two-slot immediates.
extension A64Generator {
    mutating func emitLoad(_ insn: Instruction, at pc: Int) throws(JITError) {
        let isSigned = insn.mode == Opcode.modeMemSX
        guard insn.mode == Opcode.modeMem || (isSigned && insn.size != .double) else { throw malformed(pc) }
        let dst = machine(insn.dst), size = insn.size.a64
        guard facts[pc].isProbed else {
            let (base, offset) = place(machine(insn.src), Int(insn.offset), size)
            return emitLoad(size, isSigned: isSigned, dst, base, offset)
        }
        // A pointer that was walked to may hold anything: read 0 unless it points into the arena. The arena is followed
        // by readable bytes, so only the first byte is compared.
        needs.insert(.block)
        let address = A64RegisterMap.scratch1, distance = A64RegisterMap.scratch2
        let limit = A64RegisterMap.scratch3
        loadAddress(address, machine(insn.src), Int(insn.offset))
        assembler.load(.double, distance, A64RegisterMap.block, BlockField.arenaBase.blockOffset)
        assembler.load(.double, limit, A64RegisterMap.block, BlockField.arenaSize.blockOffset)
        assembler.operate(.sub, .x, distance, address, distance)
        assembler.compare(.x, distance, limit)
        let outside = assembler.makeLabel(), done = assembler.makeLabel()
        branch(.unsignedHigherOrSame, outside)
        emitLoad(size, isSigned: isSigned, dst, address, 0)
        assembler.bind(done)
        missedLoads.append((outside, dst, done))
    }

    private mutating func emitLoad(
        _ size: A64Size, isSigned: Bool, _ dst: A64Register, _ base: A64Register, _ offset: Int
    ) {
        if isSigned {
            assembler.loadSigned(size, dst, base, offset)
        } else {
            assembler.load(size, dst, base, offset)
        }
    }

    /// A base and an offset that one instruction can hold. May use the first scratch register.
    private mutating func place(
        _ base: A64Register, _ offset: Int, _ size: A64Size
    ) -> (A64Register, Int) {
        if A64Assembler.isMemoryOffset(offset, size) { return (base, offset) }
        loadAddress(A64RegisterMap.scratch1, base, offset)
        return (A64RegisterMap.scratch1, 0)
    }

    mutating func emitStore(_ insn: Instruction, at pc: Int) throws(JITError) {
        if insn.instructionClass == .stx, insn.mode == Opcode.modeAtomic {
            return try emitAtomic(insn, at: pc)
        }
        guard insn.mode == Opcode.modeMem else { throw malformed(pc) }
        var value = machine(insn.src)
        if insn.instructionClass == .st {
            value = insn.imm == 0 ? .zero : A64RegisterMap.scratch2
            if insn.imm != 0 { assembler.set(value, A64Generator.constant(insn.imm, .x)) }
        }
        let size = insn.size.a64
        let (base, offset) = place(machine(insn.dst), Int(insn.offset), size)
        assembler.store(size, base, offset, value)
    }

    mutating func emitWideLoad(_ insn: Instruction, at pc: Int) throws(JITError) {
        guard insn.isWideLoad, pc + 1 < insns.count else {
            throw .unsupported(insn: pc, what: "a packet load (BPF_ABS, BPF_IND)")
        }
        let dst = machine(insn.dst), upper = UInt32(bitPattern: insns[pc + 1].imm)
        switch insn.src {
        case PseudoLoad.constant:
            assembler.set(dst, UInt64(upper) << 32 | UInt64(UInt32(bitPattern: insn.imm)))
        case PseudoLoad.mapFD:
            needs.insert(.block)
            let handle = try mapSlot(insn, at: pc).handleOffset
            let (base, offset) = place(A64RegisterMap.block, handle, .double)
            assembler.load(.double, dst, base, offset)
        case PseudoLoad.mapValue:
            guard let data = try mapSlot(insn, at: pc).dataOffset else {
                throw .unsupported(insn: pc, what: "the address of a value of a map that is not in the block")
            }
            needs.insert(.block)
            loadAddress(dst, A64RegisterMap.block, data + Int(upper))
        case PseudoLoad.function:
            let start = pc + 1 + Int(insn.imm)
            guard let index = shapes.firstIndex(where: { $0.range.lowerBound == start }),
                let thunk = thunkLabels[index]
            else { throw malformed(pc) }
            assembler.loadAddress(dst, of: thunk)
        case PseudoLoad.btfID: throw .unsupported(insn: pc, what: "the address of a kernel variable")
        default: throw malformed(pc)
        }
    }

    private func mapSlot(_ insn: Instruction, at pc: Int) throws(JITError) -> InstanceLayout.MapSlot {
        guard request.layout.slots.indices.contains(Int(insn.imm)) else { throw malformed(pc) }
        return request.layout.slots[Int(insn.imm)]
    }
}

extension AccessSize {
    var a64: A64Size {
        switch self {
        case .byte: .byte
        case .half: .half
        case .word: .word
        case .double: .double
        }
    }
}
