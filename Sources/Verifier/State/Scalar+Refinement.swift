import BPF

/// A comparison as a conditional jump makes it. `above` and its kin are unsigned.
package enum Comparison: UInt8, Sendable {
    case equal, notEqual, above, aboveOrEqual, below, belowOrEqual
    case greater, greaterOrEqual, less, lessOrEqual
    case bitsSet, noBitsSet

    /// Of bits 4–7 of a jump's opcode; nil for those that compare nothing.
    package init?(operation: UInt8) {
        switch operation {
        case Opcode.jeq: self = .equal
        case Opcode.jne: self = .notEqual
        case Opcode.jgt: self = .above
        case Opcode.jge: self = .aboveOrEqual
        case Opcode.jlt: self = .below
        case Opcode.jle: self = .belowOrEqual
        case Opcode.jsgt: self = .greater
        case Opcode.jsge: self = .greaterOrEqual
        case Opcode.jslt: self = .less
        case Opcode.jsle: self = .lessOrEqual
        case Opcode.jset: self = .bitsSet
        default: return nil
        }
    }

    package var negated: Comparison {
        switch self {
        case .equal: .notEqual
        case .notEqual: .equal
        case .above: .belowOrEqual
        case .aboveOrEqual: .below
        case .below: .aboveOrEqual
        case .belowOrEqual: .above
        case .greater: .lessOrEqual
        case .greaterOrEqual: .less
        case .less: .greaterOrEqual
        case .lessOrEqual: .greater
        case .bitsSet: .noBitsSet
        case .noBitsSet: .bitsSet
        }
    }

    /// As C writes it, for messages.
    package var symbol: String {
        switch self {
        case .equal: "=="
        case .notEqual: "!="
        case .above, .greater: ">"
        case .aboveOrEqual, .greaterOrEqual: ">="
        case .below, .less: "<"
        case .belowOrEqual, .lessOrEqual: "<="
        case .bitsSet: "&"
        case .noBitsSet: "& ! "
        }
    }
}

extension Scalar {
    /// Narrows `a` and `b` to the pairs for which the comparison holds.
    ///
    /// - Returns: false if no pair is left: the comparison cannot hold.
    package static func refine(_ comparison: Comparison, wide: Bool, _ a: inout Scalar, _ b: inout Scalar)
        -> Bool
    {
        switch comparison {
        case .equal where isWeakened(.equalTeachesNothing),
            .notEqual where isWeakened(.notEqualTeachesNothing),
            .bitsSet where isWeakened(.jsetTeachesNothing),
            .noBitsSet where isWeakened(.clearedBitsTeachNothing):
            break
        case .equal: wide || isWeakened(.lowEqualityTeachesWhole) ? equate(&a, &b) : equateLow(&a, &b)
        case .notEqual: wide ? separate(&a, &b) : separateLow(&a, &b)
        case .below: wide ? orderUnsigned(&a, &b, strict: true) : orderUnsignedLow(&a, &b, strict: true)
        case .belowOrEqual:
            wide ? orderUnsigned(&a, &b, strict: false) : orderUnsignedLow(&a, &b, strict: false)
        case .above: wide ? orderUnsigned(&b, &a, strict: true) : orderUnsignedLow(&b, &a, strict: true)
        case .aboveOrEqual:
            wide ? orderUnsigned(&b, &a, strict: false) : orderUnsignedLow(&b, &a, strict: false)
        case .less: wide ? orderSigned(&a, &b, strict: true) : orderSignedLow(&a, &b, strict: true)
        case .lessOrEqual: wide ? orderSigned(&a, &b, strict: false) : orderSignedLow(&a, &b, strict: false)
        case .greater: wide ? orderSigned(&b, &a, strict: true) : orderSignedLow(&b, &a, strict: true)
        case .greaterOrEqual:
            wide ? orderSigned(&b, &a, strict: false) : orderSignedLow(&b, &a, strict: false)
        case .bitsSet: shareBits(&a, &b, wide: wide)
        case .noBitsSet:
            clearBits(&a, where: b, wide: wide)
            clearBits(&b, where: a, wide: wide)
        }
        a.deduce()
        b.deduce()
        return !a.isEmpty && !b.isEmpty
    }

    private static func equate(_ a: inout Scalar, _ b: inout Scalar) {
        guard let bits = a.tnum.intersection(b.tnum) else { return a.makeEmpty() }
        a.tnum = bits
        a.umin = max(a.umin, b.umin)
        a.umax = min(a.umax, b.umax)
        a.smin = max(a.smin, b.smin)
        a.smax = min(a.smax, b.smax)
        a.intersectLow(b)
        b = a
    }

    private static func equateLow(_ a: inout Scalar, _ b: inout Scalar) {
        guard let bits = a.tnum.lowHalf.intersection(b.tnum.lowHalf) else { return a.makeEmpty() }
        a.tnum = a.tnum.replacingLowHalf(bits)
        b.tnum = b.tnum.replacingLowHalf(bits)
        a.intersectLow(b)
        b.intersectLow(a)
    }

    private mutating func intersectLow(_ b: Scalar) {
        u32min = max(u32min, b.u32min)
        u32max = min(u32max, b.u32max)
        s32min = max(s32min, b.s32min)
        s32max = min(s32max, b.s32max)
    }

    private static func separate(_ a: inout Scalar, _ b: inout Scalar) {
        if let number = b.constant { a.exclude(number) }
        if let number = a.constant, !a.isEmpty { b.exclude(number) }
    }

    /// A known value at an end of a range moves that end.
    private mutating func exclude(_ number: UInt64) {
        let signed = Int64(bitPattern: number)
        if umin == number && umax == number { return makeEmpty() }
        if umin == number { umin += 1 }
        if umax == number { umax -= 1 }
        if smin == signed && smax == signed { return makeEmpty() }
        if smin == signed { smin += 1 }
        if smax == signed { smax -= 1 }
    }

    private static func separateLow(_ a: inout Scalar, _ b: inout Scalar) {
        if b.u32min == b.u32max { a.excludeLow(b.u32min) }
        if a.u32min == a.u32max, !a.isEmpty { b.excludeLow(a.u32min) }
    }

    private mutating func excludeLow(_ number: UInt32) {
        let signed = Int32(bitPattern: number)
        if u32min == number && u32max == number { return makeEmpty() }
        if u32min == number { u32min += 1 }
        if u32max == number { u32max -= 1 }
        if s32min == signed && s32max == signed { return makeEmpty() }
        if s32min == signed { s32min += 1 }
        if s32max == signed { s32max -= 1 }
    }

    // MARK: a < b, or a <= b

    private static func isStrict(_ strict: Bool) -> Bool {
        strict ? !isWeakened(.strictIsLoose) : isWeakened(.looseIsStrict)
    }

    private static func orderUnsigned(_ a: inout Scalar, _ b: inout Scalar, strict: Bool) {
        let strict = isStrict(strict)
        if strict {
            guard b.umax > 0, a.umin < .max else { return a.makeEmpty() }
        }
        let step: UInt64 = strict ? 1 : 0
        a.umax = min(a.umax, b.umax - step)
        b.umin = max(b.umin, a.umin + step)
    }

    private static func orderSigned(_ a: inout Scalar, _ b: inout Scalar, strict: Bool) {
        let strict = isStrict(strict)
        if strict {
            guard b.smax > .min, a.smin < .max else { return a.makeEmpty() }
        }
        let step: Int64 = strict ? 1 : 0
        if isWeakened(.signedComparesUnsigned) { return orderUnsigned(&a, &b, strict: strict) }
        a.smax = min(a.smax, b.smax - step)
        b.smin = max(b.smin, a.smin + step)
    }

    private static func orderUnsignedLow(_ a: inout Scalar, _ b: inout Scalar, strict: Bool) {
        let strict = isStrict(strict)
        if strict {
            guard b.u32max > 0, a.u32min < .max else { return a.makeEmpty() }
        }
        let step: UInt32 = strict ? 1 : 0
        if isWeakened(.lowOrderTeachesWhole) { return orderUnsigned(&a, &b, strict: strict) }
        a.u32max = min(a.u32max, b.u32max - step)
        b.u32min = max(b.u32min, a.u32min + step)
    }

    private static func orderSignedLow(_ a: inout Scalar, _ b: inout Scalar, strict: Bool) {
        let strict = isStrict(strict)
        if strict {
            guard b.s32max > .min, a.s32min < .max else { return a.makeEmpty() }
        }
        let step: Int32 = strict ? 1 : 0
        a.s32max = min(a.s32max, b.s32max - step)
        b.s32min = max(b.s32min, a.s32min + step)
    }

    // MARK: a & b

    private static func shareBits(_ a: inout Scalar, _ b: inout Scalar, wide: Bool) {
        let shared = a.tnum.max & b.tnum.max & (wide ? .max : UInt64(UInt32.max))
        if shared == 0 { return a.makeEmpty() }
        // Only one bit can be common: both have it.
        guard shared & (shared - 1) == 0 || isWeakened(.jsetTakenSetsAllBits) else { return }
        a.setBit(shared)
        b.setBit(shared)
    }

    private mutating func setBit(_ bit: UInt64) {
        tnum.value |= bit
        tnum.mask &= ~bit
    }

    private static func clearBits(_ a: inout Scalar, where b: Scalar, wide: Bool) {
        let known = b.tnum.value & (wide ? .max : UInt64(UInt32.max))
        if a.tnum.value & known != 0 { return a.makeEmpty() }
        a.tnum.mask &= ~known
    }
}
