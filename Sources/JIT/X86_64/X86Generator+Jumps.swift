import BPF

/// Jumps, `may_goto`, exits.
extension X86Generator {
    mutating func emitGoto(_ step: Step) {
        flush(liveness.before[Int(step.target)].registers)
        pendingSet = 0
        if !list.isNext(Int(step.target), after: index) { assembler.jump(label(of: Int(step.target))) }
    }

    mutating func emitBranch(_ step: Step, _ width: Width) throws(JITError) {
        let target = label(of: Int(step.target))
        if step.insn.opcode == Opcode.mayGoto {
            settleForJump(step)
            return drawFuel(orGoTo: target)
        }
        guard let condition = Condition(jump: step.insn.operation) else { throw malformed(Int(step.pc)) }
        if emitSelect(step, condition, width) { return }
        settleForJump(step)
        assembler.jump(emitCompare(step.insn, condition, width), target)
    }

    /// What the target wants must be in registers before the flags are set; so must all that is wanted behind, if others
    /// jump there.
    private mutating func settleForJump(_ step: Step) {
        var wanted = liveness.before[Int(step.target)].registers
        if index + 1 < list.steps.count, list.arrivals[index + 1] > 0 {
            wanted |= liveness.before[index + 1].registers
        }
        flush(wanted)
    }

    /// Takes one unit of fuel, or leaves it at 0 and goes to `label`.
    mutating func drawFuel(orGoTo label: Label) {
        needs.formUnion([.block, .fuel])
        let empty = assembler.makeLabel()
        assembler.alu(.sub, .b64, BlockField.fuel, constant: 1)
        assembler.jump(.below, empty)
        coldPaths.append(ColdPath(entry: empty, action: .refillFuelToZero, exit: label))
    }

    // MARK: Select

    /// `if (c) goto over; x = y; over:` is a conditional move: clang has no other way to write `c ? x : y`, and the
    /// condition is often as good as random.
    private mutating func emitSelect(_ step: Step, _ condition: Condition, _ width: Width) -> Bool {
        let next = index + 1, over = Int(step.target)
        guard request.options.optimises, !step.isGuessed, skips(over, from: next), list.arrivals[next] == 0,
            let moveWidth = list.steps[next].anyMoveWidth, step.insn.dst != 10
        else { return false }
        let insn = list.steps[next].insn, compared = step.insn
        let usesFrame = insn.usesRegister && insn.src == 10 || compared.usesRegister && compared.src == 10
        if usesFrame { return false }
        live = liveness.after(next, list.steps[next])
        guard live.holds(insn.dst) else { return false }
        free(insn.dst)
        if emitSelectOfConstants(insn, compared, condition, width) {
            list.removeArrival(at: over)
            index = next
            return true
        }
        let target = overwrite(insn.dst)
        let isWide = live.holdsUpper(insn.dst)
        var source = RegisterMap.scratch1, selectWidth = isWide ? Width.b64 : .b32
        if !insn.usesRegister {
            let value =
                moveWidth == .b64
                ? UInt64(bitPattern: Int64(insn.imm)) : UInt64(UInt32(bitPattern: insn.imm))
            assembler.set(source, value)
        } else {
            wantRegister(insn.src)
            if isWide, moveWidth == .b32, !knowledge.isNarrow(insn.src, at: next) {
                assembler.move(.b32, source, register(insn.src))
            } else {
                source = register(insn.src)
            }
        }
        // What stays has no upper half either.
        if knowledge.isNarrow(insn.dst, at: next), moveWidth == .b32 { selectWidth = .b32 }
        let taken = emitCompare(compared, condition, width)
        assembler.moveIf(taken.inverted, selectWidth, target, source)
        list.removeArrival(at: over)
        index = next
        return true
    }

    /// `c ? 3 : 1`: two constants that are not far apart are the condition itself, 0 or 1, scaled and moved.
    private mutating func emitSelectOfConstants(
        _ move: Decoded, _ compared: Decoded, _ condition: Condition, _ width: Width
    ) -> Bool {
        let dst = move.dst
        guard !move.usesRegister, move.imm >= 0, let stays = constant(dst, .b64), stays >= 0,
            compared.dst != dst, !compared.usesRegister || compared.src != dst
        else { return false }
        let low = min(stays, move.imm), distance = max(stays, move.imm) - low
        // The register is cleared before the comparison, which sets the flags.
        guard [1, 2, 3, 5, 9].contains(distance), !isAwaited(dst) else { return false }
        let target = machine(dst)
        isSettled(dst)
        assembler.clear(target)
        let taken = emitCompare(compared, condition, width)
        assembler.setByte(stays > move.imm ? taken : taken.inverted, target)
        if distance > 1 {
            let scaled = Memory(target, index: target, scale: UInt8(distance - 1), low)
            assembler.loadAddress(.b32, target, scaled)
        } else if low > 0 {
            assembler.alu(.add, .b32, target, constant: low)
        }
        return true
    }

    /// Whether `over` is where the step behind `next` leads anyway.
    @inline(__always)
    private func skips(_ over: Int, from next: Int) -> Bool {
        guard next + 1 < list.steps.count else { return false }
        let behind = list.steps[next + 1]
        return over == next + 1
            || behind.kind == .goto && Int(behind.target) == over && list.arrivals[next + 1] == 0
    }

    // MARK: Compare

    /// Sets the flags. Returns the condition that now stands for the jump's.
    private mutating func emitCompare(_ insn: Decoded, _ condition: Condition, _ width: Width)
        -> Condition
    {
        let isTest = insn.operation == Opcode.jset
        let constant = insn.usesRegister ? constant(insn.src, width) : insn.imm
        if let constant {
            if isTest {
                compareWithMask(insn.dst, constant, width)
                return condition
            }
            return compare(insn.dst, constant, condition, width)
        }
        if isTest {
            wantRegister(insn.src, width)
            wantRegister(insn.dst, width)
            assembler.test(width, register(insn.dst), register(insn.src))
            return condition
        }
        if foldableLoad(insn.dst, width) == nil { wantRegister(insn.dst, width) }
        if foldableLoad(insn.src, width) == nil || foldableLoad(insn.dst, width) != nil {
            wantRegister(insn.src, width)
        }
        if let place = foldableLoad(insn.dst, width), insn.dst != insn.src {
            assembler.alu(.cmp, width, place, register(insn.src))
        } else if let place = foldableLoad(insn.src, width), insn.dst != insn.src {
            assembler.alu(.cmp, width, register(insn.dst), place)
        } else {
            wantRegister(insn.dst, width)
            assembler.alu(.cmp, width, register(insn.dst), register(insn.src))
        }
        return condition
    }

    private mutating func compareWithMask(_ register: UInt8, _ mask: Int32, _ width: Width) {
        wantRegister(register, width)
        let place = self.register(register)
        // Whoever tests only wants to know whether anything is left.
        switch mask {
        case 0...0xff: assembler.test(.b8, place, constant: mask)
        // A 64-bit test extends the sign of its mask.
        case 0...: assembler.test(.b32, place, constant: mask)
        default: assembler.test(width, place, constant: mask)
        }
    }

    private mutating func compare(
        _ dst: UInt8, _ constant: Int32, _ condition: Condition, _ width: Width
    ) -> Condition {
        let isEquality = condition == .equal || condition == .notEqual
        if constant == 0, isEquality, isPending(dst), isDead(dst) {
            if testBits(dst, width) { return condition }
        }
        if let folded = compareMemory(dst, constant, condition, width) { return folded }
        wantRegister(dst, width)
        let register = register(dst)
        guard constant == 0 else {
            // 64-bit values without upper halves compare alike in 32 bits, but for signs.
            let isNarrow =
                constant > 0 && !condition.isSigned && !isPending(dst) && knowledge.isNarrow(dst, at: index)
            assembler.alu(.cmp, isNarrow ? .b32 : width, register, constant: constant)
            return condition
        }
        let isKnown =
            flags.offset == assembler.offset && flags.register == register
            && (flags.width == width || flags.width == .b32 && isEquality)
        if isKnown {
            switch condition {
            case .equal, .notEqual: return condition
            case .less: return .sign
            case .greaterOrEqual: return .notSign
            default: break
            }
        }
        // `test` is a byte shorter and sets the same flags as a comparison with 0.
        assembler.test(width, register, register)
        return condition
    }

    /// A field or a masked load that is only compared with 0.
    private mutating func testBits(_ dst: UInt8, _ width: Width) -> Bool {
        let value = pending[Int(dst)]
        switch value.kind {
        case .bits:
            let mask = value.constant << UInt64(value.shift)
            guard mask >> UInt64(value.shift) == value.constant, mask <= 0x7fff_ffff,
                value.constant <= 0x7fff_ffff
            else { return false }
            let register = machine(value.base)
            if mask <= 0xff {
                assembler.test(.b8, register, constant: Int32(mask))
            } else {
                assembler.test(.b32, register, constant: Int32(mask))
            }
            return true
        case .update where value.operation == .and && value.operand == Pending.noRegister:
            let mask = Int32(truncatingIfNeeded: value.constant)
            // A mask with a sign would also keep bits above the load's.
            guard mask >= 0 || value.width == .b32 && (value.isNarrow || width == .b32) else { return false }
            if value.width == .b64, !value.isNarrow, mask < 0 { return false }
            let place = memory(value)
            switch value.width {
            case .b8: assembler.test(.b8, place, constant: mask)
            default:
                if mask >= 0, mask <= 0xff {
                    assembler.test(.b8, place, constant: mask)
                } else {
                    assembler.test(value.width == .b16 ? .b16 : .b32, place, constant: mask)
                }
            }
            return true
        default: return false
        }
    }

    /// `cmp [memory], constant`, where a zero-extended load compares as it would in a register.
    private mutating func compareMemory(
        _ dst: UInt8, _ constant: Int32, _ condition: Condition, _ width: Width
    ) -> Condition? {
        guard isPending(dst), isDead(dst) else { return nil }
        let value = pending[Int(dst)]
        guard value.kind == .load else { return nil }
        if value.width.rawValue >= width.rawValue {
            assembler.alu(.cmp, width, memory(value), constant: constant)
            return condition
        }
        let largest: Int64 = value.width == .b8 ? 0xff : value.width == .b16 ? 0xffff : 0xffff_ffff
        guard !value.isSigned, constant >= 0, Int64(constant) <= largest else { return nil }
        // Neither has a sign in the wider comparison.
        assembler.alu(.cmp, value.width, memory(value), constant: constant)
        return condition.unsigned
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

    fileprivate var isSigned: Bool { unsigned != self }

    fileprivate var unsigned: Condition {
        switch self {
        case .greater: .above
        case .greaterOrEqual: .aboveOrEqual
        case .less: .below
        case .lessOrEqual: .belowOrEqual
        default: self
        }
    }
}
