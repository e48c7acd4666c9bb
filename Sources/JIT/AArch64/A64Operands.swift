/// A general-purpose register of AArch64; `number` is its encoding. 31 is the stack pointer or zero, as each instruction
/// has it.
struct A64Register: Hashable, Sendable {
    let number: UInt32

    static func x(_ number: UInt32) -> A64Register {
        precondition(number < 31)
        return A64Register(number: number)
    }
    static let zero = A64Register(number: 31)
    static let sp = A64Register(number: 31)
    static let framePointer = x(29)
    static let link = x(30)
}

/// Operand size of arithmetic: an operation on the lower half clears the upper.
enum A64Width: UInt32, CaseIterable, Sendable {
    case w = 0
    case x = 1

    var bitCount: UInt32 { self == .x ? 64 : 32 }
}

/// Size of a memory access; raw values are the `size` field of loads and stores.
enum A64Size: UInt32, CaseIterable, Sendable {
    case byte = 0
    case half, word, double

    var byteCount: Int { 1 << Int(rawValue) }
}

/// Condition codes; raw values are their encoding. The lowest bit negates.
enum A64Condition: UInt32, CaseIterable, Sendable {
    case equal = 0, notEqual, unsignedHigherOrSame, unsignedLower, negative, positive, overflow, noOverflow
    case unsignedHigher, unsignedLowerOrSame, greaterOrEqual, less, greater, lessOrEqual

    var inverted: A64Condition {
        A64Condition.allCases[Int(rawValue ^ 1)]
    }
}

/// Three-register arithmetic; raw values are the instructions with all registers x0, 32 bits wide.
enum A64Operation: UInt32, CaseIterable, Sendable {
    case add = 0x0b00_0000
    case adds = 0x2b00_0000
    case sub = 0x4b00_0000
    case subs = 0x6b00_0000
    case and = 0x0a00_0000
    case or = 0x2a00_0000
    case xor = 0x4a00_0000
    case ands = 0x6a00_0000
    case orNot = 0x2a20_0000
    case unsignedDivide = 0x1ac0_0800
    case signedDivide = 0x1ac0_0c00
    case shiftLeft = 0x1ac0_2000
    case shiftRight = 0x1ac0_2400
    case shiftRightSigned = 0x1ac0_2800
}

/// Atomic read-modify-write of the Large System Extensions, acquiring and releasing; raw values as above, for bytes.
enum A64Atomic: UInt32, CaseIterable, Sendable {
    case add = 0x38e0_0000
    /// Memory and not operand.
    case clear = 0x38e0_1000
    case xor = 0x38e0_2000
    case or = 0x38e0_3000
    case swap = 0x38e0_8000
}
