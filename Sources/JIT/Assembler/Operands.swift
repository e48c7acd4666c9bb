/// A general-purpose register of x86-64; raw values are its encoding.
enum Register: UInt8, CaseIterable, Sendable {
    case rax = 0, rcx, rdx, rbx, rsp, rbp, rsi, rdi
    case r8, r9, r10, r11, r12, r13, r14, r15
}

/// Operand size in bits.
enum Width: UInt8, CaseIterable, Sendable {
    case b8 = 8, b16 = 16, b32 = 32, b64 = 64
}

/// Condition codes; raw values are the low four bits of `jcc`, `setcc` and `cmovcc`.
enum Condition: UInt8, CaseIterable, Sendable {
    case overflow = 0, notOverflow, below, aboveOrEqual, equal, notEqual, belowOrEqual, above
    case sign, notSign, parity, notParity, less, greaterOrEqual, lessOrEqual, greater

    /// True exactly when this one is false. Intel SDM vol. 1, appendix B: the lowest bit negates.
    var inverted: Condition { Condition.allCases[Int(rawValue ^ 1)] }
}

/// `[base + index * scale + displacement]`.
struct Memory: Equatable, Sendable {
    var base: Register
    /// Any register but rsp, which the encoding cannot express.
    var index: Register?
    /// 1, 2, 4 or 8.
    var scale: UInt8
    var displacement: Int32

    init(_ base: Register, _ displacement: Int32 = 0) {
        self.base = base
        self.index = nil
        self.scale = 1
        self.displacement = displacement
    }

    init(_ base: Register, index: Register, scale: UInt8, _ displacement: Int32 = 0) {
        precondition(index != .rsp && [1, 2, 4, 8].contains(scale))
        self.base = base
        self.index = index
        self.scale = scale
        self.displacement = displacement
    }
}

/// A place in the code, known before it is reached. Made by `Assembler.makeLabel`.
struct Label: Hashable, Sendable {
    var index: Int32
}

/// Two-operand arithmetic of the "group 1" encoding; raw values are its /digit.
enum ALUOperation: UInt8, CaseIterable, Sendable {
    case add = 0, or, adc, sbb, and, sub, xor, cmp
}

/// Shifts and rotates; raw values are their /digit.
enum ShiftOperation: UInt8, CaseIterable, Sendable {
    case rol = 0, ror = 1, shl = 4, shr = 5, sar = 7
}

/// One-operand arithmetic of opcode F7; raw values are the /digit.
enum UnaryOperation: UInt8, CaseIterable, Sendable {
    case not = 2
    case neg
    /// rdx:rax = rax × operand, unsigned.
    case mul
    case imul
    /// rax = rdx:rax / operand, rdx = remainder; traps on zero and overflow, so its users exclude both first.
    case div
    case idiv
}
