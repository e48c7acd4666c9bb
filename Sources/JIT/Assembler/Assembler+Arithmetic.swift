/// Arithmetic, comparisons, shifts.
extension Assembler {
    mutating func alu(
        _ operation: ALUOperation, _ width: Width, _ destination: Register, _ source: Register
    ) {
        encode(width, UInt32(operation.rawValue << 3 | 1), reg: source.rawValue, rm: destination)
    }

    /// The immediate is sign-extended to `width` (32 or 64).
    mutating func alu(
        _ operation: ALUOperation, _ width: Width, _ destination: Register, constant: Int32
    ) {
        if Assembler.fitsByte(constant) {
            encode(width, 0x83, reg: operation.rawValue, rm: destination)
            put(UInt8(truncatingIfNeeded: constant))
        } else if destination == .rax {
            // The accumulator has a form without ModRM.
            if width == .b64 { put(0x48) }
            put(operation.rawValue << 3 | 5)
            put32(constant)
        } else {
            encode(width, 0x81, reg: operation.rawValue, rm: destination)
            put32(constant)
        }
    }

    mutating func alu(
        _ operation: ALUOperation, _ width: Width, _ destination: Register, _ source: Memory
    ) {
        encode(width, UInt32(operation.rawValue << 3 | 3), reg: destination.rawValue, memory: source)
    }

    /// Read, modify, write.
    mutating func alu(
        _ operation: ALUOperation, _ width: Width, _ destination: Memory, _ source: Register
    ) {
        let isByte = width == .b8
        encode(
            width, UInt32(operation.rawValue << 3 | (isByte ? 0 : 1)), reg: source.rawValue,
            memory: destination, byteReg: isByte)
    }

    mutating func alu(
        _ operation: ALUOperation, _ width: Width, _ destination: Memory, constant: Int32
    ) {
        if width == .b8 {
            encode(width, 0x80, reg: operation.rawValue, memory: destination)
            put(UInt8(truncatingIfNeeded: constant))
        } else if Assembler.fitsByte(constant) {
            encode(width, 0x83, reg: operation.rawValue, memory: destination)
            put(UInt8(truncatingIfNeeded: constant))
        } else {
            encode(width, 0x81, reg: operation.rawValue, memory: destination)
            putImmediate(constant, width)
        }
    }

    mutating func test(_ width: Width, _ left: Register, _ right: Register) {
        let isByte = width == .b8
        encode(
            width, isByte ? 0x84 : 0x85, reg: right.rawValue, rm: left, byteReg: isByte, byteRM: isByte)
    }

    mutating func test(_ width: Width, _ left: Register, constant: Int32) {
        let isByte = width == .b8
        encode(width, isByte ? 0xf6 : 0xf7, reg: 0, rm: left, byteRM: isByte)
        putImmediate(constant, width)
    }

    mutating func test(_ width: Width, _ left: Memory, constant: Int32) {
        encode(width, width == .b8 ? 0xf6 : 0xf7, reg: 0, memory: left)
        putImmediate(constant, width)
    }

    mutating func unary(_ operation: UnaryOperation, _ width: Width, _ register: Register) {
        encode(width, 0xf7, reg: operation.rawValue, rm: register)
    }

    /// The low `width` bits of the product, which are the same for signed and unsigned factors.
    mutating func multiply(_ width: Width, _ destination: Register, _ source: Register) {
        encode(width, 0x0faf, reg: destination.rawValue, rm: source)
    }

    mutating func multiply(_ width: Width, _ destination: Register, _ source: Memory) {
        encode(width, 0x0faf, reg: destination.rawValue, memory: source)
    }

    mutating func multiply(_ width: Width, _ destination: Register, _ source: Memory, constant: Int32) {
        let isByte = Assembler.fitsByte(constant)
        encode(width, isByte ? 0x6b : 0x69, reg: destination.rawValue, memory: source)
        putImmediate(constant, isByte ? .b8 : width)
    }

    mutating func multiply(_ width: Width, _ destination: Register, _ source: Register, constant: Int32) {
        let isByte = Assembler.fitsByte(constant)
        encode(width, isByte ? 0x6b : 0x69, reg: destination.rawValue, rm: source)
        putImmediate(constant, isByte ? .b8 : width)
    }

    /// `cqo`/`cdq`: the sign of rax into all of rdx.
    mutating func signExtendAccumulator(_ width: Width) {
        if width == .b64 { put(0x48) }
        put(0x99)
    }

    /// - Parameter count: 0 ..< width.
    mutating func shift(_ operation: ShiftOperation, _ width: Width, _ register: Register, count: UInt8) {
        if count == 1 {
            encode(width, 0xd1, reg: operation.rawValue, rm: register)
        } else {
            encode(width, 0xc1, reg: operation.rawValue, rm: register)
            put(count)
        }
    }

    /// Shifts by cl, modulo the width (32 or 64).
    mutating func shiftByCL(_ operation: ShiftOperation, _ width: Width, _ register: Register) {
        encode(width, 0xd3, reg: operation.rawValue, rm: register)
    }

    /// `shlx`, `shrx`, `sarx` (BMI2): destination = source shifted by the low bits of `count`. Flags stay.
    mutating func shiftExtended(
        _ operation: ShiftOperation, _ width: Width, _ destination: Register, _ source: Register,
        count: Register
    ) {
        let prefix: UInt8 =
            switch operation {
            case .shl: 1  // 66
            case .shr: 3  // F2
            case .sar: 2  // F3
            case .rol, .ror: preconditionFailure("no extended form of \(operation)")
            }
        // Three-byte VEX, map 0F38; R, X, B and vvvv are stored inverted (SDM vol. 2, 2.3.5).
        put(0xc4)
        put((destination.rawValue >> 3 ^ 1) << 7 | 1 << 6 | (source.rawValue >> 3 ^ 1) << 5 | 0b00010)
        put((width == .b64 ? 0x80 : 0) | (count.rawValue ^ 0xf) << 3 | prefix)
        put(0xf7)
        put(0xc0 | (destination.rawValue & 7) << 3 | source.rawValue & 7)
    }

    /// The low byte becomes 1 or 0; the other bits stay.
    mutating func setByte(_ condition: Condition, _ register: Register) {
        encode(.b32, 0x0f90 | UInt32(condition.rawValue), reg: 0, rm: register, byteRM: true)
    }

    mutating func moveIf(_ condition: Condition, _ width: Width, _ destination: Register, _ source: Register)
    {
        encode(width, 0x0f40 | UInt32(condition.rawValue), reg: destination.rawValue, rm: source)
    }
}
