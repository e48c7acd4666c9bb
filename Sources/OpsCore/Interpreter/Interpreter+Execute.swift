import BPF
import Verifier

/// Fetch, decode, execute. Arithmetic wraps and masks by definition; see `ALU`.
extension Interpreter {
    /// Calls a subprog and runs it to its exit. - Returns: its R0, which may be uninitialised.
    func call(subprog: Int, _ arguments: [Word]) throws(InterpreterFault) -> Word {
        let depth = frames.count
        guard depth < Self.framesMax else { throw fault(.stack, "more than \(Self.framesMax) frames") }
        guard image.subprogs.indices.contains(subprog) else {
            throw fault(.badInstruction, "no subprog \(subprog)")
        }
        let stackStart = stacks.address + UInt(depth * Frame.stackByteCount)
        // SAFETY: the frame's own part of `stacks`. Zeros, so that no run sees what another has left.
        unsafe UnsafeMutableRawPointer(bitPattern: stackStart)?.initializeMemory(
            as: UInt8.self, repeating: 0, count: Frame.stackByteCount)
        frames.append(
            Frame(
                subprog: subprog, serial: nextSerial, depth: depth, stackStart: stackStart,
                isStackCleared: clearedStacks.contains(subprog), arguments: arguments))
        nextSerial += 1
        let caller = pc
        defer {
            frames.removeLast()
            pc = caller
        }
        pc = image.subprogs[subprog].start
        while true {
            guard image.insns.indices.contains(pc) else {
                throw fault(.badInstruction, "beyond the program's end")
            }
            try beginStep(depth)
            let insn = image.insns[pc]
            if insn.isExit { return frames[depth].registers[0] }
            pc = try execute(insn, depth)
        }
    }

    /// Runs one instruction that is no exit. - Returns: the index of the next one.
    private func execute(_ insn: Instruction, _ depth: Int) throws(InterpreterFault) -> Int {
        guard insn.dst <= 10 else { throw badInstruction(insn) }
        switch insn.instructionClass {
        case .alu: try narrow(insn)
        case .alu64: try wide(insn)
        case .ld: return try loadImmediate(insn)
        case .ldx: try loadRegister(insn)
        case .st:
            guard insn.mode == Opcode.modeMem else { throw badInstruction(insn) }
            let bits = UInt64(bitPattern: Int64(insn.imm))
            try store(
                register(insn.dst), offset: Int64(insn.offset), count: insn.size.byteCount, .scalar(bits))
        case .stx: try storeRegister(insn)
        case .jmp, .jmp32: return try jump(insn)
        }
        return pc + 1
    }

    func badInstruction(_ insn: Instruction) -> InterpreterFault {
        fault(.badInstruction, "opcode 0x\(hex(UInt64(insn.opcode))), offset \(insn.offset), imm \(insn.imm)")
    }

    // MARK: Registers

    func register(_ number: UInt8) throws(InterpreterFault) -> Word {
        guard number <= 10 else { throw fault(.badInstruction, "register \(number)") }
        let word = frames[frames.count - 1].registers[Int(number)]
        guard word.origin != .uninitialised else { throw fault(.uninitialisedRegister, "R\(number)") }
        return word
    }

    func set(_ number: UInt8, _ word: Word) throws(InterpreterFault) {
        guard number < 10 else { throw fault(.badInstruction, "write to R\(number)") }
        frames[frames.count - 1].registers[Int(number)] = word
    }

    /// The second operand: a register, or the immediate extended to 64 bits.
    private func operand(_ insn: Instruction) throws(InterpreterFault) -> Word {
        insn.usesRegister ? try register(insn.src) : .scalar(UInt64(bitPattern: Int64(insn.imm)))
    }

    // MARK: Arithmetic

    private func wide(_ insn: Instruction) throws(InterpreterFault) {
        switch insn.operation {
        case Opcode.mov: try set(insn.dst, moved(insn, isWide: true))
        case Opcode.end:
            guard !insn.usesRegister, insn.offset == 0 else { throw badInstruction(insn) }
            try swap(insn, swaps: true)
        default:
            let a = try register(insn.dst)
            let b = insn.operation == Opcode.neg ? .scalar(0) : try operand(insn)
            guard let bits = ALU.apply(insn.operation, a.bits, b.bits, isSigned: try isSigned(insn)) else {
                throw badInstruction(insn)
            }
            try set(insn.dst, Word(bits: bits, origin: origin(of: insn.operation, a, b)))
        }
    }

    private func narrow(_ insn: Instruction) throws(InterpreterFault) {
        switch insn.operation {
        case Opcode.mov: try set(insn.dst, moved(insn, isWide: false))
        case Opcode.end:
            guard insn.offset == 0 else { throw badInstruction(insn) }
            // To big endian swaps, to little endian truncates, on the little-endian machines that this runs on.
            try swap(insn, swaps: insn.usesRegister)
        default:
            let a = UInt32(truncatingIfNeeded: try register(insn.dst).bits)
            let b = insn.operation == Opcode.neg ? .scalar(0) : try operand(insn)
            let right = UInt32(truncatingIfNeeded: b.bits)
            guard let bits = ALU.apply(insn.operation, a, right, isSigned: try isSigned(insn)) else {
                throw badInstruction(insn)
            }
            try set(insn.dst, .scalar(UInt64(bits)))
        }
    }

    /// Offset 1 selects signed division; no other operation has one.
    private func isSigned(_ insn: Instruction) throws(InterpreterFault) -> Bool {
        switch (insn.operation, insn.offset) {
        case (_, 0): return false
        case (Opcode.div, 1), (Opcode.mod, 1): return true
        default: throw badInstruction(insn)
        }
    }

    /// Plain and sign-extending moves.
    private func moved(_ insn: Instruction, isWide: Bool) throws(InterpreterFault) -> Word {
        let source = try operand(insn)
        guard insn.offset != 0 else {
            return isWide ? source : .scalar(source.bits & 0xffff_ffff)
        }
        guard insn.usesRegister, isWide || insn.offset != 32,
            let bits = ALU.signExtended(source.bits, bits: Int(insn.offset))
        else { throw badInstruction(insn) }
        return .scalar(isWide ? bits : bits & 0xffff_ffff)
    }

    private func swap(_ insn: Instruction, swaps: Bool) throws(InterpreterFault) {
        let value = try register(insn.dst).bits
        guard let bits = ALU.byteOrder(value, bits: insn.imm, swaps: swaps) else {
            throw badInstruction(insn)
        }
        try set(insn.dst, .scalar(bits))
    }

    /// Pointer ± number stays a pointer; everything else makes a number.
    private func origin(of operation: UInt8, _ a: Word, _ b: Word) -> Origin {
        switch operation {
        case Opcode.add where a.origin.isPointer && !b.origin.isPointer: a.origin
        case Opcode.add where b.origin.isPointer && !a.origin.isPointer: b.origin
        case Opcode.sub where a.origin.isPointer && !b.origin.isPointer: a.origin
        default: .scalar
        }
    }

    // MARK: Loads

    /// The two-slot load of a constant, a map, an address in a map, or a subprog.
    private func loadImmediate(_ insn: Instruction) throws(InterpreterFault) -> Int {
        guard insn.isWideLoad, image.insns.indices.contains(pc + 1), image.insns[pc + 1].opcode == 0 else {
            throw badInstruction(insn)
        }
        let high = image.insns[pc + 1].imm
        switch insn.src {
        case PseudoLoad.constant:
            let bits = UInt64(UInt32(bitPattern: insn.imm)) | UInt64(UInt32(bitPattern: high)) << 32
            try set(insn.dst, .scalar(bits))
        case PseudoLoad.mapFD:
            let map = try mapIndex(insn)
            try set(insn.dst, Word(bits: handle(of: map), origin: .map(map)))
        case PseudoLoad.mapValue:
            let map = try mapIndex(insn)
            guard let start = dataStart(of: map) else {
                throw fault(.badInstruction, "map '\(image.maps[map].name)' has no address for its values")
            }
            let bits = UInt64(start) &+ UInt64(UInt32(bitPattern: high))
            try set(insn.dst, Word(bits: bits, origin: .value(map: map, start: start)))
        case PseudoLoad.function:
            let target = pc + 1 + Int(insn.imm)
            guard let index = image.subprogs.firstIndex(where: { $0.start == target }) else {
                throw fault(.badInstruction, "no subprog at \(target)")
            }
            try set(insn.dst, Word(bits: UInt64(target), origin: .function(index)))
        default: throw badInstruction(insn)
        }
        return pc + 2
    }

    private func mapIndex(_ insn: Instruction) throws(InterpreterFault) -> Int {
        let index = Int(insn.imm)
        guard image.maps.indices.contains(index) else { throw fault(.badInstruction, "no map \(index)") }
        return index
    }

    private func loadRegister(_ insn: Instruction) throws(InterpreterFault) {
        let base = try register(insn.src)
        let count = insn.size.byteCount
        switch insn.mode {
        case Opcode.modeMem where facts.indices.contains(pc) && facts[pc].isProbed:
            try set(insn.dst, probed(base, insn))
        case Opcode.modeMem:
            try set(insn.dst, load(base, offset: Int64(insn.offset), count: count))
        case Opcode.modeMemSX:
            let isProbed = facts.indices.contains(pc) && facts[pc].isProbed
            let value =
                isProbed ? probed(base, insn) : try load(base, offset: Int64(insn.offset), count: count)
            guard let bits = ALU.signExtended(value.bits, bits: 8 * count) else { throw badInstruction(insn) }
            try set(insn.dst, .scalar(bits))
        default: throw badInstruction(insn)
        }
    }

    /// A load through a pointer that may be anything: 0 unless its first byte lies in the arena.
    private func probed(_ base: Word, _ insn: Instruction) -> Word {
        let address = UInt(truncatingIfNeeded: base.bits &+ UInt64(bitPattern: Int64(insn.offset)))
        guard let arena = instance.arena, arena.contains(address) else { return .scalar(0) }
        let bits = rawLoad(address, count: insn.size.byteCount)
        return Word(bits: bits, origin: insn.size == .double ? objectOrigin(bits) : .scalar)
    }

    // MARK: Jumps

    private func jump(_ insn: Instruction) throws(InterpreterFault) -> Int {
        switch insn.opcode {
        case Opcode.gotoShort: return pc + 1 + Int(insn.offset)
        case Opcode.gotoLong: return pc + 1 + Int(insn.imm)
        case Opcode.mayGoto: return takeFuel() ? pc + 1 : pc + 1 + Int(insn.offset)
        case Opcode.call:
            try call(insn)
            return pc + 1
        default: break
        }
        let a = try register(insn.dst).bits
        let b = try operand(insn).bits
        let isWide = insn.instructionClass == .jmp
        let mask: UInt64 = isWide ? .max : 0xffff_ffff
        guard let taken = ALU.jumps(insn.operation, a & mask, b & mask, isWide: isWide) else {
            throw badInstruction(insn)
        }
        return taken ? pc + 1 + Int(insn.offset) : pc + 1
    }
}
