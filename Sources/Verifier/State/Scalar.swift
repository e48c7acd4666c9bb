/// What is known of a 64-bit number: signed and unsigned ranges of the whole and of its low half, and known bits.
///
/// All five views hold at the same time; each operation updates those it can and `deduce` carries knowledge between
/// them. A value no number satisfies is *empty*: it comes only out of a refinement, and means the branch is not taken.
///
/// Of a pointer, this describes the variable part of its offset.
package struct Scalar: Equatable, Sendable {
    package var tnum: Tnum
    package var umin: UInt64
    package var umax: UInt64
    package var smin: Int64
    package var smax: Int64
    package var u32min: UInt32
    package var u32max: UInt32
    package var s32min: Int32
    package var s32max: Int32

    package static let unknown = Scalar(tnum: .unknown)
    package static let zero = Scalar(constant: 0)

    /// Any number, as far as the ranges say.
    init(tnum: Tnum) {
        self.tnum = tnum
        umin = .min
        umax = .max
        smin = .min
        smax = .max
        u32min = .min
        u32max = .max
        s32min = .min
        s32max = .max
    }

    package init(constant: UInt64) {
        tnum = Tnum(constant)
        umin = constant
        umax = constant
        smin = Int64(bitPattern: constant)
        smax = smin
        u32min = UInt32(truncatingIfNeeded: constant)
        u32max = u32min
        s32min = Int32(bitPattern: u32min)
        s32max = s32min
    }

    package init(unsigned range: ClosedRange<UInt64>) {
        self.init(tnum: .unknown)
        umin = range.lowerBound
        umax = range.upperBound
        deduce()
    }

    package init(signed range: ClosedRange<Int64>) {
        self.init(tnum: .unknown)
        smin = range.lowerBound
        smax = range.upperBound
        deduce()
    }

    package var isConstant: Bool { tnum.mask == 0 }
    package var constant: UInt64? { isConstant ? tnum.value : nil }
    package var isZero: Bool { tnum.mask == 0 && tnum.value == 0 }
    package var isUnknown: Bool { self == .unknown }

    package var isEmpty: Bool {
        umin > umax || smin > smax || u32min > u32max || s32min > s32max
    }

    package func contains(_ number: UInt64) -> Bool {
        let signed = Int64(bitPattern: number)
        let low = UInt32(truncatingIfNeeded: number)
        let signedLow = Int32(bitPattern: low)
        return tnum.contains(number) && umin <= number && number <= umax && smin <= signed && signed <= smax
            && u32min <= low && low <= u32max && s32min <= signedLow && signedLow <= s32max
    }

    /// Whether every number that satisfies `other` satisfies this, view by view.
    package func contains(_ other: Scalar) -> Bool {
        umin <= other.umin && umax >= other.umax && smin <= other.smin && smax >= other.smax
            && u32min <= other.u32min && u32max >= other.u32max && s32min <= other.s32min
            && s32max >= other.s32max && tnum.contains(other.tnum)
    }

    mutating func makeEmpty() {
        umin = 1
        umax = 0
    }

    // MARK: Casts

    /// The low `byteCount` bytes, zero-extended.
    package func truncated(toBytes byteCount: Int) -> Scalar {
        guard byteCount < 8, !isWeakened(.truncationKeepsUpperBits) else { return self }
        let limit = (UInt64(1) << (UInt64(byteCount) * 8)) - 1
        if umax <= limit { return self }
        var result = Scalar(tnum: tnum.truncated(to: UInt64(byteCount) * 8))
        if byteCount == 4 {
            result.u32min = u32min
            result.u32max = u32max
            result.s32min = s32min
            result.s32max = s32max
            result.umin = UInt64(u32min)
            result.umax = UInt64(u32max)
        } else {
            result.umin = 0
            result.umax = limit
        }
        result.deduce()
        return result
    }

    /// The low `byteCount` bytes, sign-extended to 64 bits.
    package func signExtended(fromBytes byteCount: Int) -> Scalar {
        guard byteCount < 8 else { return self }
        if isWeakened(.signExtensionForgetsSign) { return truncated(toBytes: byteCount) }
        let bits = UInt64(byteCount) * 8
        let least = Int64(-1) << Int64(bits - 1)
        if smin >= least && smax <= ~least { return self }
        var result = Scalar(tnum: tnum.signExtended(from: bits))
        result.smin = least
        result.smax = ~least
        if byteCount == 4 {
            result.smin = Int64(s32min)
            result.smax = Int64(s32max)
            result.u32min = u32min
            result.u32max = u32max
            result.s32min = s32min
            result.s32max = s32max
        }
        result.deduce()
        return result
    }

    // MARK: Deduction

    /// Carries what one view knows into the others.
    package mutating func deduce() {
        if isEmpty { return }
        boundsFromBits()
        if umin == umax {
            collapse(to: umin)
            return
        }
        // Two rounds settle all but contrived cases; more knowledge is never needed for soundness.
        for _ in 0..<2 {
            let before = self
            deduceSigns()
            deduceHalves()
            if isEmpty || self == before { break }
        }
        if isEmpty || isWeakened(.bitsIgnoreRanges) { return }
        guard let bits = tnum.intersection(.range(umin, umax)),
            let low = bits.lowHalf.intersection(.range(UInt64(u32min), UInt64(u32max)))
        else { return makeEmpty() }
        tnum = bits.replacingLowHalf(low)
        boundsFromBits()
        if !isEmpty && umin == umax { collapse(to: umin) }
    }

    /// All views say one number, provided they can.
    private mutating func collapse(to number: UInt64) {
        if contains(number) { self = Scalar(constant: number) } else { makeEmpty() }
    }

    private mutating func boundsFromBits() {
        if isWeakened(.rangesIgnoreBits) { return }
        umin = max(umin, tnum.min)
        umax = min(umax, tnum.max)
        let sign: UInt64 = 1 << 63
        // Least signed member: sign bit set if it may be, every other unknown bit clear.
        smin = max(smin, Int64(bitPattern: tnum.value | (tnum.mask & sign)))
        smax = min(smax, Int64(bitPattern: tnum.value | (tnum.mask & ~sign)))
        let value = UInt32(truncatingIfNeeded: tnum.value)
        let mask = UInt32(truncatingIfNeeded: tnum.mask)
        let sign32: UInt32 = 1 << 31
        u32min = max(u32min, value)
        u32max = min(u32max, value | mask)
        s32min = max(s32min, Int32(bitPattern: value | (mask & sign32)))
        s32max = min(s32max, Int32(bitPattern: value | (mask & ~sign32)))
    }

    /// Between signed and unsigned, in each width.
    private mutating func deduceSigns() {
        // An unsigned range on one side of the sign boundary is a signed range.
        if isWeakened(.signedIgnoresUnsigned) {
            // Nothing.
        } else if Int64(bitPattern: umin) <= Int64(bitPattern: umax) {
            smin = max(smin, Int64(bitPattern: umin))
            smax = min(smax, Int64(bitPattern: umax))
        } else if smin >= 0 {
            // The unsigned range crosses the boundary, the number is not negative: only the part below is left.
            smin = max(smin, Int64(bitPattern: umin))
        } else if smax < 0 {
            smax = min(smax, Int64(bitPattern: umax))
        } else if smax < Int64(bitPattern: umin) {
            // Nothing at or above umin is left below the boundary: the number is negative.
            smax = min(smax, Int64(bitPattern: umax))
        } else if smin > Int64(bitPattern: umax) {
            smin = max(smin, Int64(bitPattern: umin))
        }
        if UInt64(bitPattern: smin) <= UInt64(bitPattern: smax), !isWeakened(.unsignedIgnoresSigned) {
            umin = max(umin, UInt64(bitPattern: smin))
            umax = min(umax, UInt64(bitPattern: smax))
        }
        if Int32(bitPattern: u32min) <= Int32(bitPattern: u32max) {
            s32min = max(s32min, Int32(bitPattern: u32min))
            s32max = min(s32max, Int32(bitPattern: u32max))
        } else if s32min >= 0 {
            s32min = max(s32min, Int32(bitPattern: u32min))
        } else if s32max < 0 {
            s32max = min(s32max, Int32(bitPattern: u32max))
        } else if s32max < Int32(bitPattern: u32min) {
            s32max = min(s32max, Int32(bitPattern: u32max))
        } else if s32min > Int32(bitPattern: u32max) {
            s32min = max(s32min, Int32(bitPattern: u32min))
        }
        if UInt32(bitPattern: s32min) <= UInt32(bitPattern: s32max) {
            u32min = max(u32min, UInt32(bitPattern: s32min))
            u32max = min(u32max, UInt32(bitPattern: s32max))
        }
    }

    /// Between the whole and its low half.
    private mutating func deduceHalves() {
        if isWeakened(.lowIgnoresWhole) { return }
        // Equal upper halves at both ends: the low half runs between the ends' low halves.
        if umin >> 32 == umax >> 32 {
            u32min = max(u32min, UInt32(truncatingIfNeeded: umin))
            u32max = min(u32max, UInt32(truncatingIfNeeded: umax))
        }
        if smin >> 32 == smax >> 32 {
            u32min = max(u32min, UInt32(truncatingIfNeeded: smin))
            u32max = min(u32max, UInt32(truncatingIfNeeded: smax))
        }
        // A number that fits 32 signed bits is the sign extension of its low half.
        if smin >= Int64(Int32.min) && smax <= Int64(Int32.max) {
            s32min = max(s32min, Int32(truncatingIfNeeded: smin))
            s32max = min(s32max, Int32(truncatingIfNeeded: smax))
            smin = max(smin, Int64(s32min))
            smax = min(smax, Int64(s32max))
        }
        if isWeakened(.wholeIgnoresLow) { return }
        // The upper half is at least that of the minimum, the low half at least u32min; likewise above.
        let high = ~UInt64(UInt32.max)
        umin = max(umin, (umin & high) | UInt64(u32min))
        umax = min(umax, (umax & high) | UInt64(u32max))
        smin = max(smin, (smin & Int64(bitPattern: high)) | Int64(u32min))
        smax = min(smax, (smax & Int64(bitPattern: high)) | Int64(u32max))
    }
}
