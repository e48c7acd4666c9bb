import BPF

/// Arithmetic of the instruction set on plain numbers. RFC 9669, sections 4.1 and 4.2.
///
/// Everything wraps and shift counts are masked, by definition: hence the `&` operators throughout.
enum ALU {
    /// One operation at the width of `Number`: 64 bits, or 32, where the caller clears the upper half.
    ///
    /// - Parameters:
    ///   - operation: bits 4–7 of the opcode, neither `mov` nor `end`.
    ///   - isSigned: signed division (offset 1).
    /// - Returns: nil for an operation that does not exist.
    static func apply<Number: ALUNumber>(_ operation: UInt8, _ a: Number, _ b: Number, isSigned: Bool)
        -> Number?
    {
        switch operation {
        case Opcode.add: a &+ b
        case Opcode.sub: a &- b
        case Opcode.mul: a &* b
        case Opcode.or: a | b
        case Opcode.and: a & b
        case Opcode.xor: a ^ b
        case Opcode.lsh: a &<< b
        case Opcode.rsh: a &>> b
        case Opcode.arsh: Number(bitPattern: Number.Signed(bitPattern: a) &>> Number.Signed(bitPattern: b))
        case Opcode.neg: 0 &- a
        case Opcode.div where isSigned:
            Number(bitPattern: quotient(Number.Signed(bitPattern: a), Number.Signed(bitPattern: b)))
        case Opcode.mod where isSigned:
            Number(bitPattern: remainder(Number.Signed(bitPattern: a), Number.Signed(bitPattern: b)))
        case Opcode.div: b == 0 ? 0 : a / b
        case Opcode.mod: b == 0 ? a : a % b
        default: nil
        }
    }

    /// x / 0 = 0; the least number / -1 wraps to itself.
    private static func quotient<T: FixedWidthInteger & SignedInteger>(_ a: T, _ b: T) -> T {
        b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
    }

    /// x % 0 = x; the least number % -1 = 0.
    private static func remainder<T: FixedWidthInteger & SignedInteger>(_ a: T, _ b: T) -> T {
        if b == 0 { return a }
        return b == -1 ? 0 : a % b
    }

    /// Sign-extends the low `bits` (8, 16 or 32) of `value`; nil for other widths.
    static func signExtended(_ value: UInt64, bits: Int) -> UInt64? {
        switch bits {
        case 8: UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: value)))
        case 16: UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: value)))
        case 32: UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: value)))
        default: nil
        }
    }

    /// Swaps (or, without, truncates to) the low `bits` (16, 32 or 64); nil for other widths.
    static func byteOrder(_ value: UInt64, bits: Int32, swaps: Bool) -> UInt64? {
        switch bits {
        case 16:
            UInt64(swaps ? UInt16(truncatingIfNeeded: value).byteSwapped : UInt16(truncatingIfNeeded: value))
        case 32:
            UInt64(swaps ? UInt32(truncatingIfNeeded: value).byteSwapped : UInt32(truncatingIfNeeded: value))
        case 64: swaps ? value.byteSwapped : value
        default: nil
        }
    }

    /// Whether a conditional jump is taken. Both operands have been cut to 32 bits for the 32-bit class.
    static func jumps(_ operation: UInt8, _ a: UInt64, _ b: UInt64, isWide: Bool) -> Bool? {
        let signedA = isWide ? Int64(bitPattern: a) : Int64(Int32(truncatingIfNeeded: a))
        let signedB = isWide ? Int64(bitPattern: b) : Int64(Int32(truncatingIfNeeded: b))
        switch operation {
        case Opcode.jeq: return a == b
        case Opcode.jne: return a != b
        case Opcode.jgt: return a > b
        case Opcode.jge: return a >= b
        case Opcode.jlt: return a < b
        case Opcode.jle: return a <= b
        case Opcode.jset: return a & b != 0
        case Opcode.jsgt: return signedA > signedB
        case Opcode.jsge: return signedA >= signedB
        case Opcode.jslt: return signedA < signedB
        case Opcode.jsle: return signedA <= signedB
        default: return nil
        }
    }
}

/// A register, or its lower half, and the signed number of the same bits.
protocol ALUNumber: FixedWidthInteger, UnsignedInteger {
    associatedtype Signed: ALUSigned where Signed.Unsigned == Self
    init(bitPattern: Signed)
}

protocol ALUSigned: FixedWidthInteger, SignedInteger {
    associatedtype Unsigned
    init(bitPattern: Unsigned)
}

extension UInt32: ALUNumber { typealias Signed = Int32 }
extension UInt64: ALUNumber { typealias Signed = Int64 }
extension Int32: ALUSigned { typealias Unsigned = UInt32 }
extension Int64: ALUSigned { typealias Unsigned = UInt64 }
