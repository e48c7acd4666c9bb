import BPF

/// Transfer functions: what is known of `a op b`, given what is known of `a` and `b`.
///
/// BPF arithmetic wraps, shift counts are taken modulo the width, division by zero gives 0 and remainder by zero the
/// dividend (RFC 9669, section 4.1). Results of 32-bit operations are zero-extended.
extension Scalar {
    /// - Parameters:
    ///   - operation: bits 4–7 of the opcode, `Opcode.add` … `Opcode.arsh` without `mov`, `neg`, `end`.
    ///   - isSigned: `sdiv` and `smod` (offset 1) instead of `div` and `mod`.
    package static func result(
        of operation: UInt8, wide: Bool, isSigned: Bool, _ a: Scalar, _ b: Scalar
    ) -> Scalar {
        if let x = a.constantIn(wide), let y = b.constantIn(wide) {
            return Scalar(constant: evaluate(operation, wide: wide, isSigned: isSigned, x, y))
        }
        return wide ? wideResult(operation, isSigned, a, b) : narrowResult(operation, isSigned, a, b)
    }

    package func negated(wide: Bool) -> Scalar {
        Scalar.result(of: Opcode.sub, wide: wide, isSigned: false, .zero, self)
    }

    /// Byte swap of the low `bits` bits, zero-extended.
    package func byteSwapped(bits: Int) -> Scalar {
        if isWeakened(.byteSwapKeepsValue) { return truncated(toBytes: bits / 8) }
        guard let value = truncated(toBytes: bits / 8).constant else {
            return Scalar.unknown.truncated(toBytes: bits / 8)
        }
        switch bits {
        case 16: return Scalar(constant: UInt64(UInt16(truncatingIfNeeded: value).byteSwapped))
        case 32: return Scalar(constant: UInt64(UInt32(truncatingIfNeeded: value).byteSwapped))
        default: return Scalar(constant: value.byteSwapped)
        }
    }

    private func constantIn(_ wide: Bool) -> UInt64? {
        if wide { return constant }
        return u32min == u32max ? UInt64(u32min) : nil
    }

    private static func evaluate(
        _ operation: UInt8, wide: Bool, isSigned: Bool, _ x: UInt64, _ y: UInt64
    ) -> UInt64 {
        if wide { return evaluate(operation, isSigned, x, y, as: Int64.self) }
        return UInt64(
            evaluate(
                operation, isSigned, UInt32(truncatingIfNeeded: x), UInt32(truncatingIfNeeded: y),
                as: Int32.self))
    }

    /// The operation on numbers, in words of one width.
    private static func evaluate<Word: FixedWidthInteger, Signed: FixedWidthInteger & SignedInteger>(
        _ operation: UInt8, _ isSigned: Bool, _ x: Word, _ y: Word, as _: Signed.Type
    ) -> Word {
        let sx = Signed(truncatingIfNeeded: x)
        let sy = Signed(truncatingIfNeeded: y)
        switch operation {
        case Opcode.add: return x &+ y
        case Opcode.sub: return x &- y
        case Opcode.mul: return x &* y
        case Opcode.div where isSigned:
            return y == 0 ? 0 : Word(truncatingIfNeeded: sx.dividedReportingOverflow(by: sy).partialValue)
        case Opcode.div: return y == 0 ? 0 : x / y
        case Opcode.mod where isSigned:
            return y == 0
                ? x : Word(truncatingIfNeeded: sx.remainderReportingOverflow(dividingBy: sy).partialValue)
        case Opcode.mod: return y == 0 ? x : x % y
        case Opcode.or: return x | y
        case Opcode.and: return x & y
        case Opcode.xor: return x ^ y
        case Opcode.lsh: return x &<< y
        case Opcode.rsh: return x &>> y
        default: return Word(truncatingIfNeeded: sx &>> sy)
        }
    }

    // MARK: 64 bits

    private static func wideResult(_ operation: UInt8, _ isSigned: Bool, _ a: Scalar, _ b: Scalar) -> Scalar {
        var r = Scalar.unknown
        switch operation {
        case Opcode.add:
            r.tnum = a.tnum.adding(b.tnum)
            r.takeSum(a, b)
            r.takeLowSum(a, b)
        case Opcode.sub:
            r.tnum = a.tnum.subtracting(b.tnum)
            r.takeDifference(a, b)
            r.takeLowDifference(a, b)
        case Opcode.mul:
            r.tnum = a.tnum.multiplied(by: b.tnum)
            r.takeProduct(a, b)
            r.takeLowProduct(a, b)
        case Opcode.and:
            r.tnum = a.tnum.and(b.tnum)
            if isWeakened(.andHasNoBound) { return .unknown }
            r.umax = Swift.min(a.umax, b.umax)
            r.takeBitwiseSigns(a, b, isAnd: true)
        case Opcode.or:
            if isWeakened(.orHasNoBound) { return .unknown }
            r.tnum = a.tnum.or(b.tnum)
            r.umin = Swift.max(a.umin, b.umin)
            r.takeBitwiseSigns(a, b, isAnd: false)
        case Opcode.xor:
            r.tnum = a.tnum.xor(b.tnum)
        case Opcode.lsh: r.takeLeftShift(a, b)
        case Opcode.rsh: r.takeRightShift(a, b)
        case Opcode.arsh: r.takeArithmeticShift(a, b)
        case Opcode.div where isSigned: r.takeSignedQuotient(a.smin, a.smax)
        case Opcode.div: (r.umin, r.umax) = quotient(a.umin, a.umax, b.umin, b.umax)
        case Opcode.mod where isSigned: r.takeSignedRemainder(a.smin, a.smax, b.smin, b.smax)
        case Opcode.mod: r.umax = remainderMax(a.umax, b.umin, b.umax)
        default: break
        }
        r.deduce()
        return r
    }

    private mutating func takeSum(_ a: Scalar, _ b: Scalar) {
        let (low, lowOverflows) = a.umin.addingReportingOverflow(b.umin)
        let (high, highOverflows) = a.umax.addingReportingOverflow(b.umax)
        // If both ends wrap, so does everything between.
        if lowOverflows == highOverflows || isWeakened(.sumForgetsOverflow) { (umin, umax) = (low, high) }
        let (slow, slowOverflows) = a.smin.addingReportingOverflow(b.smin)
        let (shigh, shighOverflows) = a.smax.addingReportingOverflow(b.smax)
        if !slowOverflows && !shighOverflows { (smin, smax) = (slow, shigh) }
    }

    private mutating func takeDifference(_ a: Scalar, _ b: Scalar) {
        let (low, lowOverflows) = a.umin.subtractingReportingOverflow(b.umax)
        let (high, highOverflows) = a.umax.subtractingReportingOverflow(b.umin)
        if lowOverflows == highOverflows || isWeakened(.differenceForgetsOverflow) {
            (umin, umax) = (low, high)
        }
        let (slow, slowOverflows) = a.smin.subtractingReportingOverflow(b.smax)
        let (shigh, shighOverflows) = a.smax.subtractingReportingOverflow(b.smin)
        if !slowOverflows && !shighOverflows { (smin, smax) = (slow, shigh) }
    }

    private mutating func takeProduct(_ a: Scalar, _ b: Scalar) {
        let (high, overflows) = a.umax.multipliedReportingOverflow(by: b.umax)
        if !overflows || isWeakened(.productForgetsOverflow) { (umin, umax) = (a.umin &* b.umin, high) }
        var low = Int64.max
        var top = Int64.min
        for x in [a.smin, a.smax] {
            for y in [b.smin, b.smax] {
                let (product, overflows) = x.multipliedReportingOverflow(by: y)
                if overflows { return }
                low = Swift.min(low, product)
                top = Swift.max(top, product)
            }
        }
        (smin, smax) = (low, top)
    }

    /// `and` of two negative numbers, `or` with a negative one, keep the sign; non-negative ones stay so. Both widths.
    private mutating func takeBitwiseSigns(_ a: Scalar, _ b: Scalar, isAnd: Bool) {
        if isAnd {
            u32max = Swift.min(a.u32max, b.u32max)
            if a.smin >= 0 || b.smin >= 0 { smin = 0 }
            if a.smax < 0 && b.smax < 0 { smax = -1 }
        } else {
            u32min = Swift.max(a.u32min, b.u32min)
            if a.smin >= 0 && b.smin >= 0 { smin = 0 }
            if a.smax < 0 || b.smax < 0 { smax = -1 }
        }
    }

    private mutating func takeLeftShift(_ a: Scalar, _ b: Scalar) {
        guard b.umax < 64 else { return }
        if let count = b.constant {
            tnum = a.tnum.shiftedLeft(count)
            if (a.smin &<< Int64(count)) &>> Int64(count) == a.smin
                && (a.smax &<< Int64(count)) &>> Int64(count) == a.smax
            {
                (smin, smax) = (a.smin &<< Int64(count), a.smax &<< Int64(count))
            }
        }
        if a.umax <= UInt64.max >> b.umax || isWeakened(.leftShiftForgetsOverflow) {
            (umin, umax) = (a.umin &<< b.umin, a.umax &<< b.umax)
        }
    }

    private mutating func takeRightShift(_ a: Scalar, _ b: Scalar) {
        guard b.umax < 64 else { return }
        if let count = b.constant { tnum = a.tnum.shiftedRight(count) }
        (umin, umax) = (a.umin &>> b.umax, a.umax &>> b.umin)
        if isWeakened(.rightShiftSwapsCounts) { (umin, umax) = (a.umin &>> b.umin, a.umax &>> b.umax) }
    }

    private mutating func takeArithmeticShift(_ a: Scalar, _ b: Scalar) {
        guard b.umax < 64 else { return }
        if let count = b.constant { tnum = a.tnum.arithmeticallyShiftedRight(count) }
        var (least, most) = (Int64(b.umin), Int64(b.umax))
        if isWeakened(.arithmeticShiftSwapsCounts) { (least, most) = (most, least) }
        // Shifting moves towards 0 or -1: farthest from it with the smallest count.
        smin = a.smin &>> (a.smin < 0 ? least : most)
        smax = a.smax &>> (a.smax < 0 ? most : least)
    }

    // MARK: 32 bits. Ends are computed in 64 bits, where nothing overflows.

    private static func narrowResult(_ operation: UInt8, _ isSigned: Bool, _ a: Scalar, _ b: Scalar) -> Scalar
    {
        var r = Scalar.unknown
        let x = a.tnum.lowHalf
        let y = b.tnum.lowHalf
        switch operation {
        case Opcode.add:
            r.tnum = x.adding(y)
            r.takeLowSum(a, b)
        case Opcode.sub:
            r.tnum = x.subtracting(y)
            r.takeLowDifference(a, b)
        case Opcode.mul:
            r.tnum = x.multiplied(by: y)
            r.takeLowProduct(a, b)
        case Opcode.and:
            r.tnum = x.and(y)
            r.u32max = Swift.min(a.u32max, b.u32max)
        case Opcode.or:
            r.tnum = x.or(y)
            r.u32min = Swift.max(a.u32min, b.u32min)
        case Opcode.xor: r.tnum = x.xor(y)
        case Opcode.lsh:
            if b.u32max < 32 {
                if b.u32min == b.u32max { r.tnum = x.shiftedLeft(UInt64(b.u32min)) }
                r.setLow(unsigned: UInt64(a.u32min) << UInt64(b.u32min), UInt64(a.u32max) << UInt64(b.u32max))
            }
        case Opcode.rsh:
            if b.u32max < 32 {
                if b.u32min == b.u32max { r.tnum = x.shiftedRight(UInt64(b.u32min)) }
                (r.u32min, r.u32max) = (a.u32min >> b.u32max, a.u32max >> b.u32min)
            }
        case Opcode.arsh:
            if b.u32max < 32 {
                if b.u32min == b.u32max {
                    r.tnum = x.signExtended(from: 32).arithmeticallyShiftedRight(UInt64(b.u32min))
                }
                r.s32min = a.s32min >> Int32(a.s32min < 0 ? b.u32min : b.u32max)
                r.s32max = a.s32max >> Int32(a.s32max < 0 ? b.u32max : b.u32min)
            }
        case Opcode.div where isSigned:
            r.takeSignedQuotient(Int64(a.s32min), Int64(a.s32max))
            r.setLow(signed: r.smin, r.smax)
        case Opcode.div:
            let (low, high) = quotient(UInt64(a.u32min), UInt64(a.u32max), UInt64(b.u32min), UInt64(b.u32max))
            r.setLow(unsigned: low, high)
        case Opcode.mod where isSigned:
            r.takeSignedRemainder(Int64(a.s32min), Int64(a.s32max), Int64(b.s32min), Int64(b.s32max))
            r.setLow(signed: r.smin, r.smax)
        case Opcode.mod:
            r.setLow(unsigned: 0, remainderMax(UInt64(a.u32max), UInt64(b.u32min), UInt64(b.u32max)))
        default: break
        }
        return r.zeroExtendedLow()
    }

    /// Drops the upper half, of which nothing may be assumed so far, and takes it as zero.
    private func zeroExtendedLow() -> Scalar {
        var r = self
        if isWeakened(.narrowResultKeepsUpperHalf) { return r }
        r.tnum = tnum.lowHalf
        (r.smin, r.smax) = (.min, .max)
        (r.umin, r.umax) = (UInt64(u32min), UInt64(u32max))
        r.deduce()
        return r
    }

    private mutating func setLow(unsigned low: UInt64, _ high: UInt64) {
        if high <= UInt64(UInt32.max) { (u32min, u32max) = (UInt32(low), UInt32(high)) }
    }

    private mutating func setLow(signed low: Int64, _ high: Int64) {
        if low >= Int64(Int32.min) && high <= Int64(Int32.max) {
            (s32min, s32max) = (Int32(low), Int32(high))
        }
    }

    private mutating func takeLowSum(_ a: Scalar, _ b: Scalar) {
        let low = UInt64(a.u32min) + UInt64(b.u32min)
        let high = UInt64(a.u32max) + UInt64(b.u32max)
        if low >> 32 == high >> 32 || isWeakened(.lowSumForgetsOverflow) {
            (u32min, u32max) = (UInt32(truncatingIfNeeded: low), UInt32(truncatingIfNeeded: high))
        }
        setLow(signed: Int64(a.s32min) + Int64(b.s32min), Int64(a.s32max) + Int64(b.s32max))
    }

    private mutating func takeLowDifference(_ a: Scalar, _ b: Scalar) {
        let low = Int64(a.u32min) - Int64(b.u32max)
        let high = Int64(a.u32max) - Int64(b.u32min)
        if low >> 32 == high >> 32 || isWeakened(.lowDifferenceForgetsOverflow) {
            (u32min, u32max) = (UInt32(truncatingIfNeeded: low), UInt32(truncatingIfNeeded: high))
        }
        setLow(signed: Int64(a.s32min) - Int64(b.s32max), Int64(a.s32max) - Int64(b.s32min))
    }

    private mutating func takeLowProduct(_ a: Scalar, _ b: Scalar) {
        let high = UInt64(a.u32max) * UInt64(b.u32max)
        setLow(
            unsigned: UInt64(a.u32min) * UInt64(b.u32min),
            isWeakened(.lowProductForgetsOverflow) ? high & UInt64(UInt32.max) : high)
        let ends = [
            Int64(a.s32min) * Int64(b.s32min), Int64(a.s32min) * Int64(b.s32max),
            Int64(a.s32max) * Int64(b.s32min), Int64(a.s32max) * Int64(b.s32max),
        ]
        setLow(signed: ends.min() ?? .min, ends.max() ?? .max)
    }

    // MARK: Division, for both widths

    private static func quotient(
        _ amin: UInt64, _ amax: UInt64, _ bmin: UInt64, _ bmax: UInt64
    ) -> (UInt64, UInt64) {
        if isWeakened(.quotientHasNoBound) { return (0, .max) }
        if isWeakened(.quotientForgetsZero) { return (amin / max(bmax, 1), amax / max(bmin, 1)) }
        // A divisor of 0 gives 0.
        return bmin == 0 ? (0, amax) : (amin / bmax, amax / bmin)
    }

    private static func remainderMax(_ amax: UInt64, _ bmin: UInt64, _ bmax: UInt64) -> UInt64 {
        if isWeakened(.remainderHasNoBound) { return .max }
        if isWeakened(.remainderForgetsZero) { return Swift.min(amax, max(bmax, 1) - 1) }
        // A divisor of 0 gives the dividend.
        return bmin == 0 ? amax : Swift.min(amax, bmax - 1)
    }

    /// |a / b| <= |a|; the one overflow, min / -1, gives min.
    private mutating func takeSignedQuotient(_ amin: Int64, _ amax: Int64) {
        if amin == .min && isWeakened(.signedQuotientForgetsOverflow) { return (smin, smax) = (-.max, .max) }
        guard amin != .min else { return }
        let bound = Swift.max(amin.magnitude, amax.magnitude)
        (smin, smax) = (-Int64(bound), Int64(bound))
    }

    /// The remainder has the dividend's sign, is no larger than it, and smaller than a divisor that is not 0.
    private mutating func takeSignedRemainder(_ amin: Int64, _ amax: Int64, _ bmin: Int64, _ bmax: Int64) {
        smin = isWeakened(.signedRemainderForgetsSign) ? 0 : Swift.min(amin, 0)
        smax = Swift.max(amax, 0)
        guard bmin > 0 || bmax < 0 else { return }
        let limit = Int64(clamping: Swift.max(bmin.magnitude, bmax.magnitude) - 1)
        smin = Swift.max(smin, -limit)
        smax = Swift.min(smax, limit)
    }
}
