import BPF
import Verifier

/// Loads, stores, and the two-slot immediates.
extension X86Generator {
    mutating func emitLoad(_ insn: Instruction, at pc: Int) throws(JITError) {
        let isSigned = insn.mode == Opcode.modeMemSX
        guard insn.mode == Opcode.modeMem || isSigned else { throw malformed(pc) }
        let dst = machine(insn.dst)
        if let argument = contextUse?.loads[pc] {
            return emitArgument(argument.slot, insn.size, dst, isInRegister: argument.source == .register)
        }
        guard facts[pc].isProbed else {
            return emitLoad(insn.size, isSigned: isSigned, dst, Memory(machine(insn.src), Int32(insn.offset)))
        }
        // A pointer that was walked to may hold anything: read 0 unless it points into the arena. The arena is followed
        // by readable bytes, so only the first byte is compared.
        needs.insert(.block)
        let address = RegisterMap.scratch1, distance = RegisterMap.scratch2
        assembler.loadAddress(address, Memory(machine(insn.src), Int32(insn.offset)))
        assembler.move(.b64, distance, address)
        assembler.alu(.sub, .b64, distance, BlockField.arenaBase)
        assembler.alu(.cmp, .b64, distance, BlockField.arenaSize)
        let outside = assembler.makeLabel(), done = assembler.makeLabel()
        assembler.jump(.aboveOrEqual, outside)
        emitLoad(insn.size, isSigned: isSigned, dst, Memory(address))
        assembler.bind(done)
        coldPaths.append(ColdPath(entry: outside, action: .clear(dst), exit: done))
    }

    private mutating func emitLoad(_ size: AccessSize, isSigned: Bool, _ dst: Register, _ source: Memory) {
        if isSigned {
            assembler.loadSigned(size.width, dst, source)
        } else {
            assembler.load(size.width, dst, source)
        }
    }

    /// What a load of a context slot has become. Arguments hold nothing above their widths, so a wider load is a move too.
    private mutating func emitArgument(_ slot: Int, _ size: AccessSize, _ dst: Register, isInRegister: Bool) {
        let source = RegisterMap.argument[slot]
        if isInRegister {
            if size != .double || dst != source { assembler.zeroExtend(size.width, dst, source) }
        } else if let place = frame.place(ofArgument: slot) {
            assembler.load(size.width, dst, place)
        }
    }

    mutating func emitStoreImmediate(_ insn: Instruction, at pc: Int) throws(JITError) {
        guard insn.mode == Opcode.modeMem else { throw malformed(pc) }
        assembler.store(
            insn.size.width, Memory(machine(insn.dst), Int32(insn.offset)), constant: insn.imm)
    }

    mutating func emitStore(_ insn: Instruction, at pc: Int) throws(JITError) {
        switch insn.mode {
        case Opcode.modeMem:
            assembler.store(
                insn.size.width, Memory(machine(insn.dst), Int32(insn.offset)), machine(insn.src))
        case Opcode.modeAtomic: try emitAtomic(insn, at: pc)
        default: throw malformed(pc)
        }
    }

    mutating func emitWideLoad(_ insn: Instruction, at pc: Int) throws(JITError) {
        guard insn.isWideLoad, pc + 1 < insns.count else {
            throw .unsupported(insn: pc, what: "a packet load (BPF_ABS, BPF_IND)")
        }
        let dst = machine(insn.dst), upper = insns[pc + 1].imm
        switch insn.src {
        case PseudoLoad.constant:
            assembler.set(
                dst, UInt64(UInt32(bitPattern: upper)) << 32 | UInt64(UInt32(bitPattern: insn.imm)))
        case PseudoLoad.mapFD:
            assembler.load(.b64, dst, try blockMemory(try mapSlot(insn, at: pc).handleOffset, at: pc))
            needs.insert(.block)
        case PseudoLoad.mapValue:
            guard let data = try mapSlot(insn, at: pc).dataOffset else {
                throw .unsupported(insn: pc, what: "the address of a value of a map that is not in the block")
            }
            assembler.loadAddress(dst, try blockMemory(data + Int(upper), at: pc))
            needs.insert(.block)
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

    func blockMemory(_ offset: Int, at pc: Int) throws(JITError) -> Memory {
        guard let displacement = Int32(exactly: offset), displacement >= 0 else {
            throw .unsupported(insn: pc, what: "an instance block of more than 2 GiB")
        }
        return Memory(RegisterMap.block, displacement)
    }
}

extension AccessSize {
    var width: Width {
        switch self {
        case .byte: .b8
        case .half: .b16
        case .word: .b32
        case .double: .b64
        }
    }
}
