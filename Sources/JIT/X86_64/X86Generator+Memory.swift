import BPF
import Verifier

/// Loads and the two-slot immediates.
extension X86Generator {
    // MARK: Loads

    mutating func emitLoad(_ insn: Decoded, at pc: Int) throws(JITError) {
        let isSigned = insn.mode == Opcode.modeMemSX
        guard insn.mode == Opcode.modeMem || isSigned else { throw malformed(pc) }
        guard facts[pc].isProbed else {
            makeWay(for: insn.dst, from: insn.src)
            var value = wantPlace(insn.src, insn.offset)
            value.kind = .load
            value.width = insn.width
            value.isSigned = isSigned && insn.width != .b64
            return define(insn.dst, value)
        }
        free(insn.dst)
        wantAddress(insn.src, insn.offset)
        emitProbedLoad(insn, isSigned: isSigned)
    }

    /// A pointer that was walked to may hold anything: read 0 unless it points into the arena. The arena is followed by
    /// readable bytes, so only the first byte is compared.
    private mutating func emitProbedLoad(_ insn: Decoded, isSigned: Bool) {
        needs.insert(.block)
        let address = RegisterMap.scratch1, distance = RegisterMap.scratch2
        let dst = machine(insn.dst)
        assembler.loadAddress(.b64, address, memory(insn.src, insn.offset))
        assembler.move(.b64, distance, address)
        assembler.alu(.sub, .b64, distance, BlockField.arenaBase)
        assembler.alu(.cmp, .b64, distance, BlockField.arenaSize)
        let outside = assembler.makeLabel(), done = assembler.makeLabel()
        assembler.jump(.aboveOrEqual, outside)
        if isSigned {
            assembler.loadSigned(insn.width, dst, Memory(address))
        } else {
            assembler.load(insn.width, dst, Memory(address))
        }
        assembler.bind(done)
        isSettled(insn.dst)
        coldPaths.append(ColdPath(entry: outside, action: .clear(dst), exit: done))
    }

    // MARK: Two-slot immediates

    mutating func emitWideLoad(_ insn: Decoded, at pc: Int) throws(JITError) {
        guard insn.isWideLoad, pc + 1 < insns.count else {
            throw .unsupported(insn: pc, what: "a packet load (BPF_ABS, BPF_IND)")
        }
        let upper = insns[pc + 1].imm
        switch insn.src {
        case PseudoLoad.constant:
            define(
                insn.dst,
                .constant(UInt64(UInt32(bitPattern: upper)) << 32 | UInt64(UInt32(bitPattern: insn.imm))))
        case PseudoLoad.mapFD:
            var handle = try blockAddress(try mapSlot(insn, at: pc).handleOffset, at: pc)
            handle.kind = .load
            define(insn.dst, handle)
        case PseudoLoad.mapValue:
            guard let data = try mapSlot(insn, at: pc).dataOffset else {
                throw .unsupported(insn: pc, what: "the address of a value of a map that is not in the block")
            }
            define(insn.dst, try blockAddress(data + Int(upper), at: pc))
        case PseudoLoad.function:
            let start = pc + 1 + Int(insn.imm)
            guard let index = shapes.firstIndex(where: { $0.range.lowerBound == start }),
                let thunk = thunkLabels[index]
            else { throw malformed(pc) }
            free(insn.dst)
            isSettled(insn.dst)
            assembler.loadAddress(machine(insn.dst), of: thunk)
        case PseudoLoad.btfID: throw .unsupported(insn: pc, what: "the address of a kernel variable")
        default: throw malformed(pc)
        }
    }

    private func mapSlot(_ insn: Decoded, at pc: Int) throws(JITError) -> InstanceLayout.MapSlot {
        guard request.layout.slots.indices.contains(Int(insn.imm)) else { throw malformed(pc) }
        return request.layout.slots[Int(insn.imm)]
    }

    private mutating func blockAddress(_ offset: Int, at pc: Int) throws(JITError) -> Pending {
        needs.insert(.block)
        var place = Pending.copy(of: Pending.blockRegister)
        place.displacement = try blockMemory(offset, at: pc).displacement
        return place
    }

    func blockMemory(_ offset: Int, at pc: Int) throws(JITError) -> Memory {
        guard let displacement = Int32(exactly: offset), displacement >= 0 else {
            throw .unsupported(insn: pc, what: "an instance block of more than 2 GiB")
        }
        return Memory(RegisterMap.block, displacement)
    }
}
