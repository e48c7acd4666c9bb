/// A "tracked number": what is known of a 64-bit value bit by bit.
///
/// A set bit of `mask` is unknown; where `mask` is clear, the bit is that of `value`. `value & mask` is always 0.
///
/// Every operation is sound: its result contains the outcome for all members of its operands, which the tests check
/// exhaustively for small widths. Kernel counterpart: `struct tnum`.
package struct Tnum: Equatable, Sendable {
    package var value: UInt64
    package var mask: UInt64

    @inlinable package init(value: UInt64, mask: UInt64) {
        self.value = value
        self.mask = mask
    }
    @inlinable package init(_ constant: UInt64) { self.init(value: constant, mask: 0) }

    package static let unknown = Tnum(value: 0, mask: .max)

    /// The tightest tnum that holds every number in `low ... high`: the common leading bits are known.
    package static func range(_ low: UInt64, _ high: UInt64) -> Tnum {
        guard low <= high else { return unknown }
        let differing = low ^ high
        guard differing != 0 else { return Tnum(low) }
        // All bits below and at the highest differing one may take any value.
        let mask = UInt64.max >> UInt64(differing.leadingZeroBitCount)
        return Tnum(value: low & ~mask, mask: mask)
    }

    package var isConstant: Bool { mask == 0 }
    package var isUnknown: Bool { mask == .max }
    package var min: UInt64 { value }
    package var max: UInt64 { value | mask }

    package func contains(_ number: UInt64) -> Bool { number & ~mask == value }

    /// Whether every member of `other` is a member of this.
    package func contains(_ other: Tnum) -> Bool {
        other.mask & ~mask == 0 && other.value & ~mask == value
    }

    package var isAligned8: Bool { isAligned(8) }

    /// Whether every member is a multiple of `size`, a power of two.
    package func isAligned(_ size: UInt64) -> Bool { (value | mask) & (size - 1) == 0 }

    // MARK: Sets

    /// Members of both; nil if there is none.
    package func intersection(_ other: Tnum) -> Tnum? {
        if (value ^ other.value) & ~mask & ~other.mask != 0 { return nil }
        let both = mask & other.mask
        return Tnum(value: (value | other.value) & ~both, mask: both)
    }

    /// The tightest tnum that holds the members of either.
    package func union(_ other: Tnum) -> Tnum {
        let unknown = mask | other.mask | (value ^ other.value)
        return Tnum(value: value & ~unknown, mask: unknown)
    }

    // MARK: Arithmetic, modulo 2^64

    package func adding(_ other: Tnum) -> Tnum {
        // Carries differ at most where the least and the greatest sum differ.
        let least = value &+ other.value
        let greatest = least &+ mask &+ other.mask
        let unknown = (least ^ greatest) | mask | other.mask
        return Tnum(value: least & ~unknown, mask: unknown)
    }

    package func subtracting(_ other: Tnum) -> Tnum {
        let difference = value &- other.value
        let high = difference &+ mask
        let low = difference &- other.mask
        let unknown = (high ^ low) | mask | other.mask
        return Tnum(value: difference & ~unknown, mask: unknown)
    }

    package func negated() -> Tnum { Tnum(0).subtracting(self) }

    package func multiplied(by other: Tnum) -> Tnum {
        if isConstant && other.isConstant { return Tnum(value &* other.value) }
        // Schoolbook: each bit of self contributes `other << i`. A known 1 adds other's unknown bits, an unknown bit
        // adds either 0 or any member of other; the product of the known parts is exact.
        var sum = Tnum(value &* other.value)
        var shift: UInt64 = 0
        var known = value
        var unknown = mask
        while known | unknown != 0 {
            let step = UInt64((known | unknown).trailingZeroBitCount)
            known >>= step
            unknown >>= step
            shift += step
            if unknown & 1 != 0 {
                sum = sum.adding(Tnum(value: 0, mask: other.max &<< shift))
            } else if known & 1 != 0, other.mask != 0 {
                sum = sum.adding(Tnum(value: 0, mask: other.mask &<< shift))
            }
            known &= ~1
            unknown &= ~1
        }
        return sum
    }

    // MARK: Bits

    package func and(_ other: Tnum) -> Tnum {
        let ones = value & other.value
        let possible = max & other.max
        return Tnum(value: ones, mask: possible & ~ones)
    }

    package func or(_ other: Tnum) -> Tnum {
        let ones = value | other.value
        return Tnum(value: ones, mask: (mask | other.mask) & ~ones)
    }

    package func xor(_ other: Tnum) -> Tnum {
        let unknown = mask | other.mask
        return Tnum(value: (value ^ other.value) & ~unknown, mask: unknown)
    }

    /// - Parameter count: 0 … 63.
    package func shiftedLeft(_ count: UInt64) -> Tnum {
        Tnum(value: value &<< count, mask: mask &<< count)
    }

    package func shiftedRight(_ count: UInt64) -> Tnum {
        Tnum(value: value &>> count, mask: mask &>> count)
    }

    package func arithmeticallyShiftedRight(_ count: UInt64) -> Tnum {
        // An unknown sign bit spreads as unknown bits, a known one as its value.
        Tnum(
            value: UInt64(bitPattern: Int64(bitPattern: value) &>> Int64(count)),
            mask: UInt64(bitPattern: Int64(bitPattern: mask) &>> Int64(count)))
    }

    // MARK: Halves

    /// The low `bits` bits, zero-extended.
    package func truncated(to bits: UInt64) -> Tnum {
        guard bits < 64 else { return self }
        let keep = (UInt64(1) << bits) - 1
        return Tnum(value: value & keep, mask: mask & keep)
    }

    package var lowHalf: Tnum { truncated(to: 32) }

    /// This with its low 32 bits replaced by those of `half`.
    package func replacingLowHalf(_ half: Tnum) -> Tnum {
        let high = ~UInt64(UInt32.max)
        return Tnum(value: (value & high) | half.lowHalf.value, mask: (mask & high) | half.lowHalf.mask)
    }

    /// The low `bits` bits, sign-extended.
    package func signExtended(from bits: UInt64) -> Tnum {
        guard bits < 64 else { return self }
        let spare = 64 - bits
        return shiftedLeft(spare).arithmeticallyShiftedRight(spare)
    }
}
