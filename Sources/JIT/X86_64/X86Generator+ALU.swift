import BPF

/// Arithmetic. A 32-bit machine operation clears the upper half, as BPF's does.
extension X86Generator {
    mutating func emitALU(_ insn: Decoded, _ width: Width, at pc: Int) throws(JITError) {
        if emitRotate(shifting: insn, width) { return }
        if insn.operation == Opcode.mov { return try emitMove(insn, width, at: pc) }
        if !isChangedLoad(insn) { free(insn.dst) }
        // Where nobody looks at the upper half of a result, the shorter instruction will do.
        let enough: Width = live.holdsUpper(insn.dst) ? width : .b32
        switch insn.operation {
        case Opcode.add: emitAdd(insn, enough)
        case Opcode.sub: emitSubtract(insn, enough)
        case Opcode.and: emitAnd(insn, enough)
        case Opcode.or:
            if emitRotate(insn, enough) { return }
            if isSum(insn) { emitAdd(insn, enough) } else { emitBinary(.or, insn, enough) }
        case Opcode.xor:
            if !emitRotate(insn, enough), !emitNot(insn, enough) { emitBinary(.xor, insn, enough) }
        case Opcode.mul: emitMultiply(insn, enough)
        case Opcode.div: try emitDivision(insn, width, isModulo: false, at: pc)
        case Opcode.mod: try emitDivision(insn, width, isModulo: true, at: pc)
        case Opcode.lsh: emitShift(.shl, insn, enough, countWidth: width)
        case Opcode.rsh: emitShift(.shr, insn, width, countWidth: width)
        case Opcode.arsh: emitShift(.sar, insn, width, countWidth: width)
        case Opcode.neg:
            let dst = overwrite(insn.dst)
            assembler.unary(.neg, enough, dst)
            noteFlags(dst, enough)
        case Opcode.end: try emitByteOrder(insn, at: pc)
        default: throw malformed(pc)
        }
    }

    /// A load that may become half of a read-modify-write: it goes on waiting, and with it whoever wants what its machine
    /// register holds, such as the address of the store. If it does not, settling it makes way for it.
    @inline(__always)
    private func isChangedLoad(_ insn: Decoded) -> Bool {
        guard isPending(insn.dst), pending[Int(insn.dst)].kind == .load,
            pending[Int(insn.dst)].dependencies & pendingSet & ~(1 << UInt32(insn.dst)) == 0
        else { return false }
        switch insn.operation {
        case Opcode.add, Opcode.sub, Opcode.and, Opcode.or, Opcode.xor: return true
        default: return false
        }
    }

    /// The machine register of a step register that is read and written, holding its value.
    mutating func overwrite(_ register: UInt8) -> Register {
        settle(register)
        return machine(register)
    }

    // MARK: Moves

    private mutating func emitMove(_ insn: Decoded, _ width: Width, at pc: Int) throws(JITError) {
        guard insn.usesRegister else {
            return define(insn.dst, .folded(UInt64(bitPattern: Int64(insn.imm)), width))
        }
        switch insn.offset {
        case 0: copy(insn, width)
        case 8: emitSignExtension(insn, from: .b8, to: width)
        case 16: emitSignExtension(insn, from: .b16, to: width)
        case 32 where width == .b64: emitSignExtension(insn, from: .b32, to: width)
        default: throw .unsupported(insn: pc, what: "a move with offset \(insn.offset)")
        }
    }

    private mutating func copy(_ insn: Decoded, _ width: Width) {
        let dst = insn.dst, src = insn.src
        makeWay(for: dst, from: src)
        let isCut = width == .b32 && live.holdsUpper(dst) && !knowledge.isNarrow(src, at: index)
        if isPending(src) {
            // A value that is cheap to make is made twice rather than kept; one that goes away moves on.
            let value = pending[Int(src)]
            let isCheap = value.kind == .constant || value.kind == .address && !isRotated(value, dst, src)
            if isCheap || src == dst || isDead(src) && value.operand != dst,
                let copied = isCut ? value.cut() : value
            {
                return define(dst, copied)
            }
            settle(src)
        }
        if src == dst, !isCut { return }
        define(dst, .copy(of: src, isNarrow: isCut))
    }

    /// Whether the copy of a sum is half of a rotate (`emitRotate(shifting:)`), which wants it in a register.
    @inline(__always)
    private func isRotated(_ value: Pending, _ copy: UInt8, _ source: UInt8) -> Bool {
        guard !value.isCopy, live.holds(source), index + 1 < list.steps.count else { return false }
        let insn = list.steps[index + 1].insn
        return list.steps[index + 1].kind == .plain && insn.dst == copy && !insn.usesRegister
            && (insn.instructionClass == .alu64 || insn.instructionClass == .alu)
            && (insn.operation == Opcode.lsh || insn.operation == Opcode.rsh)
    }

    private mutating func emitSignExtension(_ insn: Decoded, from: Width, to width: Width) {
        let dst = insn.dst, src = insn.src
        free(dst)
        // A load with sign extends to all 64 bits.
        let mayFill = width == .b64 || !live.holdsUpper(dst)
        if mayFill, isPending(src), src == dst || isDead(src), pending[Int(src)].kind == .load,
            pending[Int(src)].width.rawValue >= from.rawValue
        {
            var value = pending[Int(src)]
            value.width = from
            value.isSigned = true
            return define(dst, value)
        }
        wantRegister(src, .b32)
        assembler.signExtend(from: from, to: width, machine(dst), register(src))
        isSettled(dst)
    }

    // MARK: Sums

    /// Makes sure that the value of a register is an address, which can be added to.
    private mutating func wantSum(_ register: UInt8, _ width: Width) {
        guard isPending(register) else { return }
        let value = pending[Int(register)]
        // The lower half of a sum needs only the lower halves of what is added.
        if value.kind != .address || value.isNarrow && width == .b64 { settle(register) }
    }

    private mutating func emitAdd(_ insn: Decoded, _ width: Width) {
        let dst = insn.dst, src = insn.src
        if !insn.usesRegister { return add(insn.imm, to: dst, width) }
        if let constant = constant(src, width) { return add(constant, to: dst, width) }
        if emitUpdate(.add, insn, width) { return }
        if isPending(src), pending[Int(src)].kind != .address {
            // One load is an operand; what else must be computed can still be the index of an address.
            if foldableLoad(src, width) != nil { return emitBinary(.add, insn, width) }
            settle(src)
        }
        wantSum(dst, width)
        wantSum(src, width)
        if value(dst).adding(value(src)) == nil {
            // Too much for one address: whichever is wanted again is computed now.
            if isPending(src), !isDead(src) || !isPending(dst) { settle(src) } else { settle(dst) }
        }
        guard var total = value(dst).adding(value(src)) else { return emitBinary(.add, insn, width) }
        total.isNarrow = width == .b32
        define(dst, total)
    }

    private mutating func add(_ constant: Int32, to dst: UInt8, _ width: Width) {
        if isPending(dst), pending[Int(dst)].kind == .constant {
            return define(
                dst, .folded(pending[Int(dst)].constant &+ UInt64(bitPattern: Int64(constant)), width))
        }
        if emitUpdate(.add, constant, dst, width) { return }
        wantSum(dst, width)
        var total = value(dst)
        let (displacement, overflow) = total.displacement.addingReportingOverflow(constant)
        if overflow {
            settle(dst)
            total = .copy(of: dst)
            total.displacement = constant
        } else {
            total.displacement = displacement
        }
        // Memory operands add the frame's own offset.
        if total.displacement.addingReportingOverflow(frame.framePointerOffset).overflow {
            settle(dst)
            return emitBinary(.add, constant, dst, width)
        }
        total.isNarrow = width == .b32
        define(dst, total)
    }

    private mutating func emitSubtract(_ insn: Decoded, _ width: Width) {
        let constant = insn.usesRegister ? constant(insn.src, width) : insn.imm
        if let constant, constant != .min { return add(-constant, to: insn.dst, width) }
        if insn.usesRegister, emitUpdate(.sub, insn, width) { return }
        emitBinary(.sub, insn, width)
    }

    /// Whether the operands of an `or` share no bits: `x << n | field`, of less than n bits. Then it is a sum, and that an
    /// address.
    private func isSum(_ insn: Decoded) -> Bool {
        guard insn.usesRegister, isPending(insn.dst), isPending(insn.src) else { return false }
        let left = pending[Int(insn.dst)], right = pending[Int(insn.src)]
        return left.kind == .bits && left.constant <= right.lowestZeros
            || right.kind == .bits && right.constant <= left.lowestZeros
    }

    // MARK: Other operations of two operands

    /// dst = dst `operation` src, now.
    mutating func emitBinary(_ operation: ALUOperation, _ insn: Decoded, _ width: Width) {
        guard insn.usesRegister else { return emitBinary(operation, insn.imm, insn.dst, width) }
        if let constant = constant(insn.src, width) {
            return emitBinary(operation, constant, insn.dst, width)
        }
        if operation != .add, operation != .and, emitUpdate(operation, insn, width) { return }
        if foldableLoad(insn.src, width) == nil || insn.src == insn.dst { wantRegister(insn.src, width) }
        let dst = overwrite(insn.dst)
        if let place = foldableLoad(insn.src, width), insn.src != insn.dst {
            assembler.alu(operation, width, dst, place)
        } else {
            assembler.alu(operation, width, dst, register(insn.src))
        }
        noteFlags(dst, width)
    }

    private mutating func emitBinary(
        _ operation: ALUOperation, _ constant: Int32, _ dst: UInt8, _ width: Width
    ) {
        if isPending(dst), pending[Int(dst)].kind == .constant {
            let operand = UInt64(bitPattern: Int64(constant)), value = pending[Int(dst)].constant
            switch operation {
            case .or: return define(dst, .folded(value | operand, width))
            case .xor: return define(dst, .folded(value ^ operand, width))
            default: break
            }
        }
        if operation != .add, emitUpdate(operation, constant, dst, width) { return }
        let target = overwrite(dst)
        assembler.alu(operation, width, target, constant: constant)
        noteFlags(target, width)
    }

    private mutating func emitNot(_ insn: Decoded, _ width: Width) -> Bool {
        guard !insn.usesRegister, insn.imm == -1,
            !(isPending(insn.dst) && pending[Int(insn.dst)].kind == .constant)
        else { return false }
        assembler.unary(.not, width, overwrite(insn.dst))
        return true
    }

    private mutating func emitMultiply(_ insn: Decoded, _ width: Width) {
        let dst = insn.dst
        guard let constant = insn.usesRegister ? constant(insn.src, width) : insn.imm else {
            if foldableLoad(insn.src, width) == nil || insn.src == dst { wantRegister(insn.src, width) }
            let target = overwrite(dst)
            if let place = foldableLoad(insn.src, width), insn.src != dst {
                assembler.multiply(width, target, place)
            } else {
                assembler.multiply(width, target, register(insn.src))
            }
            return
        }
        if let copy = plain(dst, width), [3, 5, 9].contains(constant) {
            var product = copy
            product.index = copy.base
            product.scale = UInt8(constant - 1)
            product.isNarrow = width == .b32
            return define(dst, product)
        }
        if let place = foldableMultiplicand(dst, width) {
            assembler.multiply(width, machine(dst), place, constant: constant)
        } else if emitMultiplyNearPower(dst, constant, width) {
            return
        } else {
            wantRegister(dst, width)
            assembler.multiply(width, machine(dst), register(dst), constant: constant)
        }
        isSettled(dst)
    }

    /// x × 33 = (x << 5) + x, x × 31 = (x << 5) - x: two cycles where a multiplication takes three, which sums of this kind
    /// (hashes of strings) wait for in every turn.
    private mutating func emitMultiplyNearPower(_ dst: UInt8, _ constant: Int32, _ width: Width) -> Bool {
        guard constant >= 7, constant < 1 << 30 else { return false }
        let isAbove = (constant - 1).nonzeroBitCount == 1
        guard isAbove || (constant + 1).nonzeroBitCount == 1 else { return false }
        let power = isAbove ? constant - 1 : constant + 1
        let target = overwrite(dst), other = RegisterMap.scratch1
        assembler.move(width, other, target)
        assembler.shift(.shl, width, isAbove ? other : target, count: UInt8(power.trailingZeroBitCount))
        assembler.alu(isAbove ? .add : .sub, width, target, other)
        noteFlags(target, width)
        return true
    }

    /// The product takes the place of the load.
    @inline(__always)
    private func foldableMultiplicand(_ register: UInt8, _ width: Width) -> Memory? {
        guard isPending(register) else { return nil }
        let value = pending[Int(register)]
        guard value.kind == .load, value.width.rawValue >= width.rawValue else { return nil }
        return memory(value)
    }

    /// The value of a register as a copy of a whole one (or for 32 bits, of any), if it is one.
    @inline(__always)
    func plain(_ register: UInt8, _ width: Width) -> Pending? {
        guard isPending(register) else { return register == 10 ? nil : .copy(of: register) }
        let value = pending[Int(register)]
        return value.isWholeCopy || value.isCopy && width == .b32 ? value : nil
    }
}

extension Pending {
    /// A mask of low bits that are zero, as far as the scale of an address says so.
    fileprivate var lowestZeros: UInt64 {
        guard kind == .address, displacement == 0, index != Pending.noRegister else { return 0 }
        if base == index, scale == 1 { return 1 }
        return base == Pending.noRegister ? UInt64(scale) - 1 : 0
    }

    static func folded(_ value: UInt64, _ width: Width) -> Pending {
        .constant(width == .b64 ? value : value & 0xffff_ffff)
    }

    /// The value with its upper half cleared; nil where that needs an instruction of its own.
    fileprivate func cut() -> Pending? {
        var result = self
        switch kind {
        case .none: return nil
        case .constant: result.constant &= 0xffff_ffff
        case .address: result.isNarrow = true
        case .shiftLeft:
            if shift >= 32 { return .constant(0) }
            result.isNarrow = true
        case .load:
            if isSigned { return nil }
            if width == .b64 { result.width = .b32 }
        case .update: return isNarrow ? self : nil
        case .bits:
            // A field of a whole register may have come from above bit 31.
            return constant <= 0xffff_ffff ? self : nil
        }
        return result
    }
}
