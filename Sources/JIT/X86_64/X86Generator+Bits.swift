import BPF

/// Masks, shifts, rotates, byte order: the shapes in which compilers write bit fields.
extension X86Generator {
    // MARK: Masks

    mutating func emitAnd(_ insn: Decoded, _ width: Width) {
        let constant = insn.usesRegister ? constant(insn.src, width) : insn.imm
        guard let constant else {
            if emitUpdate(.and, insn, width) { return }
            return emitBinary(.and, insn, width)
        }
        let dst = insn.dst
        let mask =
            width == .b64 ? UInt64(bitPattern: Int64(constant)) : UInt64(UInt32(bitPattern: constant))
        if isPending(dst) {
            var value = pending[Int(dst)]
            switch value.kind {
            case .constant: return define(dst, .constant(value.constant & mask))
            case .bits where (value.constant & mask).isMask:
                value.constant &= mask
                return define(dst, value)
            case .load where !value.isSigned:
                if emitUpdate(.and, constant, dst, width) { return }
                // The mask of a whole part is a narrower load.
                if let part = Width(mask: mask), part.rawValue <= value.width.rawValue {
                    value.width = part
                    return define(dst, value)
                }
            default: break
            }
        }
        if plain(dst, .b32) == nil { settle(dst) }
        let copy = plain(dst, .b32) ?? .copy(of: dst)
        define(dst, .bits(copy.base, shift: 0, mask: mask, isNarrow: copy.isNarrow || width == .b32))
    }

    // MARK: Shifts

    /// BPF and the machine both use the count modulo the width.
    mutating func emitShift(
        _ operation: ShiftOperation, _ insn: Decoded, _ width: Width, countWidth: Width
    ) {
        let bits = countWidth.rawValue
        if let constant = insn.usesRegister ? constant(insn.src, .b32) : insn.imm {
            let count = UInt8(truncatingIfNeeded: constant) & (bits - 1)
            // The lower half of a 64-bit shift by 32 and more is 0, which no 32-bit shift makes.
            let width = count < width.rawValue ? width : countWidth
            return emitShift(operation, insn.dst, by: count, width)
        }
        let width = countWidth
        if maskedCount(insn.src, width) == nil { wantRegister(insn.src, .b32) }
        let dst = insn.dst
        if request.features.contains(.bmi2) {
            wantRegister(dst, width)
            let count = maskedCount(insn.src, width) ?? register(insn.src)
            assembler.shiftExtended(operation, width, machine(dst), register(dst), count: count)
            isSettled(dst)
        } else {
            let target = overwrite(dst)
            emitShiftByCL(operation, width, target, maskedCount(insn.src, width) ?? register(insn.src))
        }
    }

    /// `x << (n & 63)`: the machine masks the count itself, so what is masked will do.
    private func maskedCount(_ register: UInt8, _ width: Width) -> Register? {
        guard isPending(register) else { return nil }
        let count = pending[Int(register)], mask = UInt64(width.rawValue - 1)
        guard count.kind == .bits, count.shift == 0, count.constant & mask == mask else { return nil }
        return machine(count.base)
    }

    private mutating func emitShift(
        _ operation: ShiftOperation, _ dst: UInt8, by count: UInt8, _ width: Width
    ) {
        guard count > 0 else {
            if width == .b32, live.holdsUpper(dst) {
                assembler.move(.b32, overwrite(dst), machine(dst))
            }
            return
        }
        if isPending(dst), pending[Int(dst)].kind == .constant {
            return define(dst, .folded(shifted(operation, pending[Int(dst)].constant, count, width), width))
        }
        switch operation {
        case .shl:
            // As an index, what must be computed first is scaled for nothing; further up, it may be a field.
            if shiftedLeft(dst, count, width) == nil { settle(dst) }
            if let value = shiftedLeft(dst, count, width) { return define(dst, value) }
        case .shr: if let value = shiftedRight(dst, count, width) { return define(dst, value) }
        default: if emitFieldSignExtension(dst, count, width) { return }
        }
        let target = overwrite(dst)
        assembler.shift(operation, width, target, count: count)
        noteFlags(target, width)
    }

    private func shifted(_ operation: ShiftOperation, _ value: UInt64, _ count: UInt8, _ width: Width)
        -> UInt64
    {
        let narrow = UInt32(truncatingIfNeeded: value)
        switch operation {
        case .shl: return value << UInt64(count)
        case .shr: return width == .b64 ? value >> UInt64(count) : UInt64(narrow >> UInt32(count))
        default:
            return width == .b64
                ? UInt64(bitPattern: Int64(bitPattern: value) >> Int64(count))
                : UInt64(UInt32(bitPattern: Int32(bitPattern: narrow) >> Int32(count)))
        }
    }

    @inline(__always)
    private func shiftedLeft(_ dst: UInt8, _ count: UInt8, _ width: Width) -> Pending? {
        guard count > 3 else {
            return (plain(dst, width) ?? term(dst, width))?.scaled(by: count, isNarrow: width == .b32)
        }
        return plain(dst, width).map { .shiftLeft($0.base, by: count, isNarrow: width == .b32) }
    }

    /// A register and a displacement, which are scaled together.
    @inline(__always)
    private func term(_ register: UInt8, _ width: Width) -> Pending? {
        guard isPending(register) else { return nil }
        let value = pending[Int(register)]
        let isTerm =
            value.kind == .address && value.index == Pending.noRegister && value.base < 10
            && (width == .b32 || !value.isNarrow)
        return isTerm ? value : nil
    }

    @inline(__always)
    private func shiftedRight(_ dst: UInt8, _ count: UInt8, _ width: Width) -> Pending? {
        let all: UInt64 = (width == .b32 ? 0xffff_ffff : .max) >> UInt64(count)
        if let copy = plain(dst, .b32) {
            if copy.isNarrow, count >= 32 { return .constant(0) }
            // The source of a narrow copy is cut before it is shifted.
            return .bits(copy.base, shift: count, mask: all, isNarrow: copy.isNarrow || width == .b32)
        }
        guard isPending(dst) else { return nil }
        let value = pending[Int(dst)]
        switch value.kind {
        case .shiftLeft where value.shift <= count && value.isNarrow == (width == .b32):
            // Up and down again: a field.
            if value.shift == count, all == 0xffff_ffff { return .copy(of: value.base, isNarrow: true) }
            return .bits(value.base, shift: count - value.shift, mask: all, isNarrow: value.isNarrow)
        case .bits where width == .b64 || value.constant <= 0xffff_ffff:
            let total = Int(value.shift) + Int(count)
            guard total < (value.isNarrow ? 32 : 64), (value.constant >> UInt64(count)).isMask else {
                return nil
            }
            return .bits(
                value.base, shift: UInt8(total), mask: value.constant >> UInt64(count),
                isNarrow: value.isNarrow)
        default: return nil
        }
    }

    /// `x << n >> n` with sign, where what remains is a part of a register.
    private mutating func emitFieldSignExtension(_ dst: UInt8, _ count: UInt8, _ width: Width) -> Bool {
        guard isPending(dst) else { return false }
        let value = pending[Int(dst)]
        guard value.kind == .shiftLeft, value.shift == count, value.isNarrow == (width == .b32),
            let part = Width(rawValue: width.rawValue - count), part != width
        else { return false }
        isSettled(dst)
        assembler.signExtend(from: part, to: width, machine(dst), machine(value.base))
        return true
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

    // MARK: Rotates

    /// `x << n | x >> (bits - n)`, also written with `xor` or `+`.
    mutating func emitRotate(_ insn: Decoded, _ width: Width) -> Bool {
        guard insn.usesRegister, insn.src != insn.dst, isPending(insn.src), isPending(insn.dst) else {
            return false
        }
        var up = pending[Int(insn.dst)], down = pending[Int(insn.src)]
        if up.kind == .bits { swap(&up, &down) }
        guard let left = up.leftShift, down.kind == .bits, up.leftBase == down.base else { return false }
        let bits: UInt8 = down.isNarrow ? 32 : 64
        let all: UInt64 = (down.isNarrow ? 0xffff_ffff : .max) >> UInt64(down.shift)
        guard left + down.shift == bits, down.constant == all, up.isNarrow == down.isNarrow else {
            return false
        }
        let rotated: Width = down.isNarrow ? .b32 : .b64
        let source = machine(down.base)
        isSettled(insn.dst)
        move(rotated, machine(insn.dst), source)
        assembler.shift(.rol, rotated, machine(insn.dst), count: left)
        return true
    }

    /// `t = x; t >>= bits - n; x <<= n; x |= t`, or the other way round: the second shift changes the register that the
    /// first is to be made from, so both are looked at here, with the step behind. Takes that step too.
    mutating func emitRotate(shifting insn: Decoded, _ width: Width) -> Bool {
        guard insn.operation == Opcode.lsh || insn.operation == Opcode.rsh, !insn.usesRegister,
            !isPending(insn.dst), request.options.optimises, index + 1 < list.steps.count,
            list.arrivals[index + 1] == 0, list.steps[index + 1].kind == .plain
        else { return false }
        let joined = list.steps[index + 1].insn, value = insn.dst
        guard joined.instructionClass == insn.instructionClass, joined.usesRegister,
            [Opcode.or, Opcode.xor, Opcode.add].contains(joined.operation), joined.dst != joined.src,
            joined.dst == value || joined.src == value
        else { return false }
        let other = joined.dst == value ? joined.src : joined.dst
        let after = liveness.after(index + 1, list.steps[index + 1])
        guard isPending(other), !after.holds(joined.src),
            let left = pending[Int(other)].rotation(of: value, with: insn, width)
        else { return false }
        index += 1
        live = after
        isSettled(other)
        free(joined.dst)
        move(width, machine(joined.dst), machine(value))
        assembler.shift(.rol, width, machine(joined.dst), count: left)
        return true
    }

    // MARK: Byte order

    /// `le`, `be` (to that byte order; the machine is little endian) and `bswap`.
    mutating func emitByteOrder(_ insn: Decoded, at pc: Int) throws(JITError) {
        let swaps = insn.instructionClass == .alu64 || insn.usesRegister
        guard let width = Width(rawValue: UInt8(truncatingIfNeeded: insn.imm)), width != .b8 else {
            throw malformed(pc)
        }
        if swaps, request.features.contains(.movbe), isPending(insn.dst) {
            let value = pending[Int(insn.dst)]
            if value.kind == .load, value.width == width, !value.isSigned {
                let place = memory(value)
                isSettled(insn.dst)
                assembler.loadSwapped(width, machine(insn.dst), place)
                if width == .b16 { assembler.zeroExtend(.b16, machine(insn.dst), machine(insn.dst)) }
                return
            }
        }
        let dst = overwrite(insn.dst)
        switch (width, swaps) {
        case (.b64, false): break
        case (_, false): assembler.zeroExtend(width, dst, dst)
        case (.b16, true):
            assembler.shift(.rol, .b16, dst, count: 8)
            assembler.zeroExtend(.b16, dst, dst)
        case (_, true): assembler.swapBytes(width, dst)
        }
    }
}

extension Pending {
    /// By how many bits to the left `value` is rotated, if this is what the shift of `value` by `insn` does not take.
    fileprivate func rotation(of value: UInt8, with insn: Decoded, _ width: Width) -> UInt8? {
        let bits = width.rawValue, count = UInt8(truncatingIfNeeded: insn.imm) & (bits - 1)
        guard count > 0, isNarrow == (width == .b32) else { return nil }
        let all: UInt64 = width == .b32 ? 0xffff_ffff : .max
        if insn.operation == Opcode.lsh {
            let isRest =
                kind == .bits && base == value && shift == bits - count && constant == all >> UInt64(shift)
            return isRest ? count : nil
        }
        return leftBase == value && leftShift == bits - count ? bits - count : nil
    }

    /// By how much `leftBase` is shifted, in either of the two ways to note that.
    fileprivate var leftShift: UInt8? {
        switch kind {
        case .shiftLeft: shift
        case .address where displacement == 0 && base == Pending.noRegister && index != Pending.noRegister:
            UInt8(scale.trailingZeroBitCount)
        case .address where displacement == 0 && base == index && index != Pending.noRegister && scale == 1: 1
        default: nil
        }
    }
    fileprivate var leftBase: UInt8 { kind == .shiftLeft ? base : index }
}

extension Pending {
    /// (base + displacement) << count, if an address can say that.
    fileprivate func scaled(by count: UInt8, isNarrow: Bool) -> Pending? {
        let (product, overflow) = displacement.multipliedReportingOverflow(by: 1 << Int32(count))
        guard !overflow else { return nil }
        var value = self
        value.displacement = product
        value.index = base
        if count > 1 {
            value.base = Pending.noRegister
            value.scale = 1 << count
        }
        value.isNarrow = isNarrow
        return value
    }
}

extension UInt64 {
    /// Whether `computeBits` can apply it: an immediate, or the low bits.
    fileprivate var isMask: Bool {
        self <= 0xffff_ffff || Int32(exactly: Int64(bitPattern: self)) != nil || self & (self &+ 1) == 0
    }
}

extension Width {
    /// The part of a register that a mask leaves, if it leaves the lowest 8, 16 or 32 bits.
    fileprivate init?(mask: UInt64) {
        switch mask {
        case 0xff: self = .b8
        case 0xffff: self = .b16
        case 0xffff_ffff: self = .b32
        default: return nil
        }
    }
}
