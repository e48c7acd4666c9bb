import BPF

/// Division and remainder. BPF defines what the machine traps on: x / 0 = 0, x % 0 = x, and the smallest number divided
/// by -1 wraps to itself with remainder 0. RFC 9669, section 4.1.
extension X86Generator {
    mutating func emitDivision(_ insn: Decoded, _ width: Width, isModulo: Bool, at pc: Int)
        throws(JITError)
    {
        guard insn.offset == 0 || insn.offset == 1 else { throw malformed(pc) }
        // rdx is kept where the sixth argument is; whoever has taken a copy of that has it made now.
        if machine(StepList.sixthArgument) == RegisterMap.scratch3 { free(StepList.sixthArgument) }
        let isSigned = insn.offset == 1
        if let constant = insn.usesRegister ? constant(insn.src, width) : insn.imm {
            emitDivisionByConstant(insn.dst, constant, width, isModulo: isModulo, isSigned: isSigned)
        } else {
            emitDivisionByRegister(insn, width, isModulo: isModulo, isSigned: isSigned)
        }
    }

    // MARK: By a constant

    private mutating func emitDivisionByConstant(
        _ dst: UInt8, _ divisor: Int32, _ width: Width, isModulo: Bool, isSigned: Bool
    ) {
        let target = overwrite(dst)
        switch (divisor, isModulo) {
        case (0, false), (1, true): return assembler.clear(target)
        case (-1, true) where isSigned: return assembler.clear(target)
        case (0, true), (1, false):
            if width == .b32 { assembler.move(.b32, target, target) }
            return
        case (-1, false) where isSigned: return assembler.unary(.neg, width, target)
        default: break
        }
        // Zero-extended or sign-extended to the width: the immediate of a 64-bit operation is signed.
        let value =
            width == .b64 ? UInt64(bitPattern: Int64(divisor)) : UInt64(UInt32(bitPattern: divisor))
        if !isSigned, value & (value - 1) == 0 {
            return emitDivision(target, byPowerOfTwo: value, width, isModulo: isModulo)
        }
        let isNarrow = width == .b32 || knowledge.isNarrow(dst, at: index)
        if !isSigned, isNarrow, value <= 0xffff_ffff {
            if width == .b32 { wantNarrow(dst) }
            return emitNarrowDivision(target, UInt32(value), isModulo: isModulo)
        }
        if !isSigned { return emitWideDivision(dst, target, value, isModulo: isModulo) }
        assembler.move(RegisterMap.scratch1, constant: value)
        emitDivide(dst, target, by: RegisterMap.scratch1, width, isModulo: isModulo, isSigned: isSigned)
    }

    /// Multiplication of whole registers needs a dividend without an upper half.
    private mutating func wantNarrow(_ register: UInt8) {
        if !knowledge.isNarrow(register, at: index) {
            assembler.move(.b32, machine(register), machine(register))
        }
    }

    private mutating func emitDivision(
        _ target: Register, byPowerOfTwo divisor: UInt64, _ width: Width, isModulo: Bool
    ) {
        let count = UInt8(divisor.trailingZeroBitCount)
        if !isModulo {
            assembler.shift(.shr, width, target, count: count)
        } else if count <= 31 {
            // The mask is below 2^31, so a 32-bit `and` also does for 64 bits.
            assembler.alu(.and, .b32, target, constant: Int32(bitPattern: UInt32(divisor - 1)))
        } else {
            // 2^63, the only larger one that an immediate can say.
            assembler.shift(.shl, .b64, target, count: 64 - count)
            assembler.shift(.shr, .b64, target, count: 64 - count)
        }
    }

    /// n / d = n × m >> (32 + s) for a fitting m of 32 bits; or of 33, when n is added by hand.
    ///
    /// Source: Granlund, Montgomery, "Division by invariant integers using multiplication", sections 4 and 6.
    private mutating func emitNarrowDivision(_ target: Register, _ divisor: UInt32, isModulo: Bool) {
        let quotient = RegisterMap.scratch1
        if let (factor, shift) = X86Generator.reciprocal(of: UInt64(divisor)) {
            if factor <= 0x7fff_ffff {
                assembler.multiply(.b64, quotient, target, constant: Int32(factor))
            } else {
                assembler.move(quotient, constant: factor)
                assembler.multiply(.b64, quotient, target)
            }
            assembler.shift(.shr, .b64, quotient, count: UInt8(32 + shift))
        } else {
            // q = (((n - t) >> 1) + t) >> (s - 1) with t = n × (m - 2^32) >> 32: the sum of n and t may need 33 bits.
            let half = RegisterMap.scratch2
            let log = UInt64(32 - (divisor - 1).leadingZeroBitCount)
            let factor = (UInt64(1) << 32) * ((UInt64(1) << log) - UInt64(divisor)) / UInt64(divisor) + 1
            assembler.move(quotient, constant: factor)
            assembler.multiply(.b64, quotient, target)
            assembler.shift(.shr, .b64, quotient, count: 32)
            assembler.move(.b32, half, target)
            assembler.alu(.sub, .b32, half, quotient)
            assembler.shift(.shr, .b32, half, count: 1)
            assembler.alu(.add, .b32, quotient, half)
            if log > 1 { assembler.shift(.shr, .b32, quotient, count: UInt8(log - 1)) }
        }
        if isModulo {
            assembler.multiply(.b32, quotient, quotient, constant: Int32(bitPattern: divisor))
            assembler.alu(.sub, .b32, target, quotient)
        } else {
            assembler.move(.b32, target, quotient)
        }
    }

    /// n / d = (n × m >> 64) >> s, where the upper half of the product is in rdx; or, for an m of 65 bits, as above.
    private mutating func emitWideDivision(
        _ dst: UInt8, _ target: Register, _ divisor: UInt64, isModulo: Bool
    ) {
        let dividend = RegisterMap.scratch1, keptRAX = RegisterMap.scratch2, keptRDX = RegisterMap.scratch3
        let log = UInt64(64 - (divisor - 1).leadingZeroBitCount)
        // ⌊2^64 × (2^log - d) / d⌋ + 1: m without its top bit. 2^64 - d for log = 64.
        let excess = log == 64 ? 0 &- divisor : (UInt64(1) << log) - divisor
        let low = divisor.dividingFullWidth((high: excess, low: 0)).quotient &+ 1
        let (early, short) = X86Generator.shortReciprocal(of: divisor, log: log)
        let keepsRAX = target != .rax && isNeeded(0), keepsRDX = target != .rdx && isNeeded(3)
        if keepsRAX { assembler.move(.b64, keptRAX, .rax) }
        if keepsRDX { assembler.move(.b64, keptRDX, .rdx) }
        if isModulo || early == 0 { assembler.move(.b64, dividend, target) }
        if early > 0 {
            move(.b64, .rax, target)
            assembler.shift(.shr, .b64, .rax, count: early)
            assembler.move(.rdx, constant: short?.factor ?? low)
            assembler.unary(.mul, .b64, .rdx)
        } else {
            assembler.move(.rax, constant: short?.factor ?? low)
            assembler.unary(.mul, .b64, dividend)
        }
        if let short {
            if short.shift > 0 { assembler.shift(.shr, .b64, .rdx, count: UInt8(short.shift)) }
        } else {
            assembler.move(.b64, .rax, dividend)
            assembler.alu(.sub, .b64, .rax, .rdx)
            assembler.shift(.shr, .b64, .rax, count: 1)
            assembler.alu(.add, .b64, .rdx, .rax)
            if log > 1 { assembler.shift(.shr, .b64, .rdx, count: UInt8(log - 1)) }
        }
        if isModulo {
            // The divisor is an immediate, sign-extended.
            assembler.multiply(.b64, .rdx, .rdx, constant: Int32(truncatingIfNeeded: divisor))
            assembler.alu(.sub, .b64, dividend, .rdx)
            assembler.move(.b64, target, dividend)
        } else {
            move(.b64, target, .rdx)
        }
        if keepsRDX { assembler.move(.b64, .rdx, keptRDX) }
        if keepsRAX { assembler.move(.b64, .rax, keptRAX) }
    }

    /// The m below 2^64, with its s, for which 2^(64 + s) ≤ m × d ≤ 2^(64 + s) + 2^s. Where there is none and the divisor
    /// is even, the dividend is shifted first, by `early`, which leaves so many bits less that have to be exact.
    private static func shortReciprocal(of divisor: UInt64, log: UInt64) -> (
        early: UInt8, (factor: UInt64, shift: UInt64)?
    ) {
        if let short = reciprocal(of: divisor, spare: 0, log: log) { return (0, short) }
        let early = UInt64(divisor.trailingZeroBitCount)
        guard early > 0, let short = reciprocal(of: divisor >> early, spare: early, log: log - early) else {
            return (0, nil)
        }
        return (UInt8(early), short)
    }

    /// The same for dividends below 2^(64 - spare): 2^(64 + s) ≤ m × d ≤ 2^(64 + s) + 2^(s + spare).
    private static func reciprocal(of divisor: UInt64, spare: UInt64, log: UInt64) -> (
        factor: UInt64, shift: UInt64
    )? {
        for shift in 0..<log {
            let (quotient, remainder) = divisor.dividingFullWidth((high: UInt64(1) << shift, low: 0))
            // ⌈2^(64 + s) / d⌉ exceeds the quotient by what is missing to the next multiple of d.
            if divisor - remainder <= UInt64(1) << (shift + spare) {
                return quotient == .max ? nil : (quotient + 1, shift)
            }
        }
        return nil
    }

    /// The smallest m below 2^32, with its s, for which n × m >> (32 + s) = n / d for all n below 2^32: that is so if
    /// 2^(32 + s) ≤ m × d ≤ 2^(32 + s) + 2^s.
    private static func reciprocal(of divisor: UInt64) -> (factor: UInt64, shift: UInt64)? {
        for shift in UInt64(0)..<32 {
            let power = UInt64(1) << (32 + shift)
            let factor = (power + divisor - 1) / divisor
            guard factor < 1 << 32 else { return nil }
            if factor * divisor - power <= 1 << shift { return (factor, shift) }
        }
        return nil
    }

    // MARK: By a register

    private mutating func emitDivisionByRegister(
        _ insn: Decoded, _ width: Width, isModulo: Bool, isSigned: Bool
    ) {
        let dst = insn.dst, src = insn.src
        settle(src)
        let target = overwrite(dst)
        let areNarrow = knowledge.isNarrow(dst, at: index) && knowledge.isNarrow(src, at: index)
        let isNonZero =
            knowledge.isNonZero(src, at: index) && (width == .b64 || knowledge.isNarrow(src, at: index))
        // Values without upper halves divide as well, and faster, in 32 bits.
        let width = areNarrow && !isSigned ? Width.b32 : width
        var divisor = machine(src)
        // rax and rdx are the dividend; the divisor must not be there.
        if divisor == .rax || divisor == .rdx {
            assembler.move(.b64, RegisterMap.scratch1, divisor)
            divisor = RegisterMap.scratch1
        }
        let done = assembler.makeLabel(), divisorIsZero = assembler.makeLabel()
        if !isNonZero {
            assembler.test(width, divisor, divisor)
            assembler.jump(.equal, divisorIsZero)
        }
        if isSigned {
            let divide = assembler.makeLabel()
            assembler.alu(.cmp, width, divisor, constant: -1)
            assembler.jump(.notEqual, divide)
            if isModulo { assembler.clear(target) } else { assembler.unary(.neg, width, target) }
            assembler.jump(done)
            assembler.bind(divide)
        }
        emitDivide(dst, target, by: divisor, width, isModulo: isModulo, isSigned: isSigned)
        if !isNonZero {
            assembler.jump(done)
            assembler.bind(divisorIsZero)
            if !isModulo {
                assembler.clear(target)
            } else if width == .b32 {
                assembler.move(.b32, target, target)
            }
        }
        assembler.bind(done)
    }

    /// The bare division. `divisor` is not rax or rdx, not zero, and not -1 if signed.
    private mutating func emitDivide(
        _ dst: UInt8, _ target: Register, by divisor: Register, _ width: Width, isModulo: Bool, isSigned: Bool
    ) {
        let keptRAX = RegisterMap.scratch2, keptRDX = RegisterMap.scratch3
        let keepsRAX = target != .rax && isNeeded(0), keepsRDX = target != .rdx && isNeeded(3)
        if keepsRAX { assembler.move(.b64, keptRAX, .rax) }
        if keepsRDX { assembler.move(.b64, keptRDX, .rdx) }
        if target != .rax { assembler.move(width, .rax, target) }
        if isSigned {
            assembler.signExtendAccumulator(width)
            assembler.unary(.idiv, width, divisor)
        } else {
            assembler.clear(.rdx)
            assembler.unary(.div, width, divisor)
        }
        let result = isModulo ? Register.rdx : .rax
        if target != result { assembler.move(width, target, result) }
        if keepsRDX { assembler.move(.b64, .rdx, keptRDX) }
        if keepsRAX { assembler.move(.b64, .rax, keptRAX) }
    }

    /// Somebody wants what the machine register of `register` holds now, after this step.
    private func isNeeded(_ register: UInt8) -> Bool {
        !isPending(register) && live.holds(register) || isAwaited(register)
    }
}
