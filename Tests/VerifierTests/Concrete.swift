import BPF
import Verifier

/// BPF arithmetic on numbers, written from RFC 9669 and independent of the verifier's.
enum Concrete {
    static func arithmetic(_ operation: UInt8, wide: Bool, isSigned: Bool, _ x: UInt64, _ y: UInt64) -> UInt64
    {
        wide
            ? UInt64(
                calculate(operation, isSigned, x, y, UInt64(bitPattern: Int64.min)) { Int64(bitPattern: $0) })
            : UInt64(
                calculate(
                    operation, isSigned, UInt32(truncatingIfNeeded: x), UInt32(truncatingIfNeeded: y),
                    0x8000_0000
                ) { Int32(bitPattern: $0) })
    }

    private static func calculate<
        U: FixedWidthInteger & UnsignedInteger, S: FixedWidthInteger & SignedInteger
    >(
        _ operation: UInt8, _ isSigned: Bool, _ x: U, _ y: U, _ minimum: U, signed: (U) -> S
    ) -> U {
        let count = y % U(U.bitWidth)
        switch operation {
        case Opcode.add: return x &+ y
        case Opcode.sub: return x &- y
        case Opcode.mul: return x &* y
        case Opcode.div:
            if y == 0 { return 0 }
            if !isSigned { return x / y }
            return signed(y) == -1 ? 0 &- x : U(truncatingIfNeeded: signed(x) / signed(y))
        case Opcode.mod:
            if y == 0 { return x }
            if !isSigned { return x % y }
            return signed(y) == -1 ? 0 : U(truncatingIfNeeded: signed(x) % signed(y))
        case Opcode.or: return x | y
        case Opcode.and: return x & y
        case Opcode.xor: return x ^ y
        case Opcode.lsh: return x << count
        case Opcode.rsh: return x >> count
        default: return U(truncatingIfNeeded: signed(x) >> S(truncatingIfNeeded: count))
        }
    }

    static func compare(_ comparison: Comparison, wide: Bool, _ x: UInt64, _ y: UInt64) -> Bool {
        if !wide {
            // Sign extension keeps both orders.
            let low = { (n: UInt64) in UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: n))) }
            if comparison == .bitsSet || comparison == .noBitsSet {
                return compare(comparison, wide: true, x & 0xffff_ffff, y)
            }
            return compare(comparison, wide: true, low(x), low(y))
        }
        let (sx, sy) = (Int64(bitPattern: x), Int64(bitPattern: y))
        switch comparison {
        case .equal: return x == y
        case .notEqual: return x != y
        case .above: return x > y
        case .aboveOrEqual: return x >= y
        case .below: return x < y
        case .belowOrEqual: return x <= y
        case .greater: return sx > sy
        case .greaterOrEqual: return sx >= sy
        case .less: return sx < sy
        case .lessOrEqual: return sx <= sy
        case .bitsSet: return x & y != 0
        case .noBitsSet: return x & y == 0
        }
    }
}

/// splitmix64.
struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    /// Mostly near the edges of both widths.
    mutating func number() -> UInt64 {
        let edges: [UInt64] = [
            0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000, .max,
            31, 32, 63, 64, 255, 0xffff, 0xffff_ffff_8000_0000, 0xffff_ffff_0000_0000,
        ]
        switch below(4) {
        case 0: return next()
        case 1: return next() >> UInt64(below(64))
        default: return edges[below(edges.count)] &+ UInt64(below(5)) &- 2
        }
    }

    /// A scalar and one of its members.
    mutating func scalar() -> (Scalar, UInt64) {
        let member = number()
        var scalar = Scalar.unknown
        switch below(5) {
        case 0: scalar = Scalar(constant: member)
        case 1:
            let other = number()
            scalar = Scalar(unsigned: min(member, other)...max(member, other))
        case 2:
            let (a, b) = (Int64(bitPattern: member), Int64(bitPattern: number()))
            scalar = Scalar(signed: min(a, b)...max(a, b))
        case 3:
            let mask = next() & next()
            scalar.tnum = Tnum(value: member & ~mask, mask: mask)
            scalar.deduce()
        default: break
        }
        // A 32-bit comparison with a member of it narrows further.
        if below(3) == 0 {
            var bound = Scalar(constant: number())
            let y = bound.constant ?? 0
            for comparison in [Comparison.below, .greaterOrEqual, .less, .above]
            where Concrete.compare(comparison, wide: false, member, y) {
                _ = Scalar.refine(comparison, wide: false, &scalar, &bound)
                break
            }
        }
        return (scalar, member)
    }
}
