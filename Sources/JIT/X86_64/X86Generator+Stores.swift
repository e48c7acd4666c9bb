import BPF

/// Stores: of registers, of constants, and back to where a value was loaded from.
extension X86Generator {
    mutating func emitStoreImmediate(_ insn: Decoded, at pc: Int) throws(JITError) {
        guard insn.mode == Opcode.modeMem else { throw malformed(pc) }
        flushLoads(except: nil, for: insn)
        storeConstant(insn, UInt64(bitPattern: Int64(insn.imm)))
    }

    mutating func emitStore(_ insn: Decoded, at pc: Int) throws(JITError) {
        switch insn.mode {
        case Opcode.modeMem: storeRegister(insn)
        case Opcode.modeAtomic: try emitAtomic(insn, at: pc)
        default: throw malformed(pc)
        }
    }

    private mutating func storeRegister(_ insn: Decoded) {
        let width = insn.width
        if isUpdate(insn) {
            flushLoads(except: insn.src, for: insn)
            // Settling the others may have settled this one.
            emitHeldStore()
            if isUpdate(insn) { return storeUpdate(pending[Int(insn.src)], width) }
        }
        flushLoads(except: nil, for: insn)
        if constant(insn.src, width) != nil { return storeConstant(insn, pending[Int(insn.src)].constant) }
        emitHeldStore()
        wantRegister(insn.src, width == .b64 ? .b64 : .b32)
        wantAddress(insn.dst, insn.offset)
        assembler.store(width, memory(insn.dst, insn.offset), register(insn.src))
    }

    /// What is stored is what was loaded from there, changed, and is not wanted elsewhere.
    @inline(__always)
    private func isUpdate(_ insn: Decoded) -> Bool {
        guard isPending(insn.src), isDead(insn.src), let place = place(insn.dst, insn.offset) else {
            return false
        }
        let value = pending[Int(insn.src)]
        return value.kind == .update && value.width == insn.width && value.isSamePlace(as: place)
    }

    private mutating func storeUpdate(_ value: Pending, _ width: Width) {
        if value.operand == Pending.noRegister {
            assembler.alu(
                value.operation, width, memory(value), constant: Int32(truncatingIfNeeded: value.constant))
        } else {
            assembler.alu(value.operation, width, memory(value), machine(value.operand))
        }
    }

    /// Settles what is to be read from memory that the store may change.
    private mutating func flushLoads(except kept: UInt8?, for insn: Decoded) {
        var set = pendingSet
        while set != 0 {
            let register = UInt8(set.trailingZeroBitCount)
            set &= set - 1
            guard isPending(register), pending[Int(register)].isMemory, register != kept else { continue }
            if let place = place(insn.dst, insn.offset),
                pending[Int(register)].isApart(from: place, byteCount: insn.byteCount)
            {
                continue
            }
            settle(register)
        }
    }

    // MARK: Constants side by side

    /// A store of constants that is held back, since the next step may store to the bytes behind.
    struct HeldStore {
        var place: Pending
        var byteCount = 0
        var value: UInt64 = 0
    }

    private mutating func storeConstant(_ insn: Decoded, _ value: UInt64) {
        let place = wantPlace(insn.dst, insn.offset)
        let byteCount = insn.byteCount
        let value = byteCount == 8 ? value : value & (1 << UInt64(8 * byteCount) - 1)
        if held.continues(at: place), held.byteCount + byteCount <= 8 {
            held.value |= value << UInt64(8 * held.byteCount)
            held.byteCount += byteCount
        } else {
            emitHeldStore()
            held = HeldStore(place: place, byteCount: byteCount, value: value)
        }
        if held.byteCount == 8 || !request.options.optimises { emitHeldStore() }
    }

    /// To be called before anything that reads or writes memory, or changes a register that the store's place needs.
    mutating func emitHeldStore() {
        while held.byteCount > 0 {
            let byteCount = 1 << (Int.bitWidth - 1 - held.byteCount.leadingZeroBitCount)
            let width = Width(rawValue: UInt8(8 * byteCount)) ?? .b8
            let signed = Int64(bitPattern: held.value)
            if width != .b64 || Int32(exactly: signed) != nil {
                assembler.store(width, memory(held.place), constant: Int32(truncatingIfNeeded: held.value))
            } else {
                // A run of equal ones makes its constant once.
                if scratch.offset != assembler.offset || scratch.value != held.value {
                    assembler.move(RegisterMap.scratch1, constant: held.value)
                }
                assembler.store(.b64, memory(held.place), RegisterMap.scratch1)
                scratch = (held.value, assembler.offset)
            }
            held.byteCount -= byteCount
            held.place.displacement += Int32(byteCount)
            held.value = width == .b64 ? 0 : held.value >> UInt64(8 * byteCount)
        }
    }

    /// Whether a step leaves a held store alone: it only notes a constant, or holds one itself.
    @inline(__always)
    func keepsHeldStore(_ step: Step) -> Bool {
        guard step.kind == .plain else { return step.kind == .nothing }
        switch step.insn.instructionClass {
        case .st, .stx: return true
        case .ld: return step.insn.isWideLoad && step.insn.src == PseudoLoad.constant
        case .alu, .alu64: return step.insn.operation == Opcode.mov && !step.insn.usesRegister
        case .ldx, .jmp, .jmp32: return false
        }
    }

    // MARK: Half of a read-modify-write

    /// Notes `dst = load operation src` where a store to the same place wants it next.
    mutating func emitUpdate(_ operation: ALUOperation, _ insn: Decoded, _ width: Width) -> Bool {
        guard insn.src != insn.dst, insn.src != 10, !isPending(insn.src),
            becomesUpdate(insn.dst, operation, width)
        else { return false }
        var value = pending[Int(insn.dst)]
        value.kind = .update
        value.operation = operation
        value.operand = insn.src
        value.isNarrow = width == .b32
        define(insn.dst, value)
        return true
    }

    mutating func emitUpdate(
        _ operation: ALUOperation, _ constant: Int32, _ dst: UInt8, _ width: Width
    ) -> Bool {
        guard becomesUpdate(dst, operation, width) else { return false }
        var value = pending[Int(dst)]
        value.kind = .update
        value.operation = operation
        value.constant = UInt64(bitPattern: Int64(constant))
        value.isNarrow = width == .b32
        define(dst, value)
        return true
    }

    /// Whether the changed value of a load goes back by one of the next steps (or, masked, is only compared with 0).
    @inline(__always)
    private func becomesUpdate(_ register: UInt8, _ operation: ALUOperation, _ width: Width) -> Bool {
        guard isPending(register) else { return false }
        let value = pending[Int(register)]
        // A 32-bit operation clears the upper half of what it changes; one on 64 bits of memory would keep it.
        guard value.kind == .load, !value.isSigned, width == .b64 || value.width != .b64 else { return false }
        var next = index + 1
        while next < list.steps.count, next < index + 4, list.arrivals[next] == 0 {
            let step = list.steps[next]
            guard step.kind == .plain else { return false }
            let insn = step.insn
            switch insn.instructionClass {
            case .stx:
                guard insn.mode == Opcode.modeMem else { return false }
                return insn.src == register && insn.dst != register && insn.width == value.width
                    && !liveness.after(next, step).holds(register)
            case .jmp, .jmp32:
                return operation == .and && insn.dst == register && !insn.usesRegister && insn.imm == 0
                    && (insn.operation == Opcode.jeq || insn.operation == Opcode.jne)
                    && !liveness.after(next, step).holds(register)
            case .alu, .alu64, .ldx:
                if insn.dst == register || insn.src == register { return false }
            case .ld, .st: return false
            }
            next += 1
        }
        return false
    }
}

extension X86Generator.HeldStore {
    fileprivate func continues(at other: Pending) -> Bool {
        byteCount > 0 && place.base == other.base && place.index == other.index && place.scale == other.scale
            && place.displacement.addingReportingOverflow(Int32(byteCount)) == (other.displacement, false)
    }
}

extension Pending {
    /// Both are reached from the same registers and do not overlap.
    fileprivate func isApart(from place: Pending, byteCount: Int) -> Bool {
        guard base == place.base, index == place.index, scale == place.scale else { return false }
        let start = Int(displacement), other = Int(place.displacement)
        return start + Int(width.rawValue) / 8 <= other || other + byteCount <= start
    }
}
