/// Arithmetic, moves, shifts.
extension A64Assembler {
    /// `dst = left op right`.
    mutating func operate(
        _ operation: A64Operation, _ width: A64Width, _ dst: A64Register, _ left: A64Register,
        _ right: A64Register
    ) {
        put(
            operation.rawValue | width.rawValue << 31 | right.number << 16 | left.number << 5 | dst.number)
    }

    /// `dst = left + right << shift`, all 64 bits.
    mutating func addShifted(
        _ dst: A64Register, _ left: A64Register, _ right: A64Register, shift: UInt32
    ) {
        put(0x8b00_0000 | right.number << 16 | shift << 10 | left.number << 5 | dst.number)
    }

    mutating func compare(_ width: A64Width, _ left: A64Register, _ right: A64Register) {
        operate(.subs, width, .zero, left, right)
    }
    mutating func test(_ width: A64Width, _ left: A64Register, _ right: A64Register) {
        operate(.ands, width, .zero, left, right)
    }

    mutating func move(_ width: A64Width, _ dst: A64Register, _ src: A64Register) {
        operate(.or, width, dst, .zero, src)
    }

    /// `dst = src + value`, for a value of up to 12 bits and either sign; both may be the stack pointer.
    mutating func add(_ width: A64Width, _ dst: A64Register, _ src: A64Register, immediate value: Int32) {
        precondition(A64Assembler.isAddImmediate(Int64(value)))
        let base: UInt32 = value < 0 ? 0x5100_0000 : 0x1100_0000
        put(base | width.rawValue << 31 | value.magnitude << 10 | src.number << 5 | dst.number)
    }

    /// Compares with a value of up to 12 bits and either sign.
    mutating func compare(_ width: A64Width, _ left: A64Register, immediate value: Int32) {
        precondition(A64Assembler.isAddImmediate(Int64(value)))
        // Adding the magnitude sets the flags as subtracting a negative number does.
        let base: UInt32 = value < 0 ? 0x3100_0000 : 0x7100_0000
        put(
            base | width.rawValue << 31 | value.magnitude << 10 | left.number << 5 | A64Register.zero.number)
    }

    static func isAddImmediate(_ value: Int64) -> Bool { value.magnitude < 4096 }

    /// The shortest sequence of movz/movn/movk, up to four instructions.
    mutating func set(_ dst: A64Register, _ value: UInt64) {
        let zeros = (0..<4).count { value >> (16 * UInt64($0)) & 0xffff == 0 }
        let ones = (0..<4).count { value >> (16 * UInt64($0)) & 0xffff == 0xffff }
        let inverts = ones > zeros
        let rest: UInt64 = inverts ? 0xffff : 0
        let base: UInt32 = inverts ? 0x9280_0000 : 0xd280_0000
        var parts = (0..<4 as Range<UInt32>).filter { value >> (16 * UInt64($0)) & 0xffff != rest }
        if parts.isEmpty { parts = [0] }
        for (index, part) in parts.enumerated() {
            let chunk = UInt32(value >> (16 * UInt64(part)) & 0xffff)
            let bits = index == 0 && inverts ? ~chunk & 0xffff : chunk
            put((index == 0 ? base : 0xf280_0000) | part << 21 | bits << 5 | dst.number)
        }
    }

    /// `dst = left * right`.
    mutating func multiply(
        _ width: A64Width, _ dst: A64Register, _ left: A64Register, _ right: A64Register
    ) {
        put(
            0x1b00_0000 | width.rawValue << 31 | right.number << 16 | A64Register.zero.number << 10
                | left.number << 5 | dst.number)
    }

    /// `dst = minuend - left * right`.
    mutating func multiplySubtract(
        _ width: A64Width, _ dst: A64Register, _ left: A64Register, _ right: A64Register,
        from minuend: A64Register
    ) {
        put(
            0x1b00_8000 | width.rawValue << 31 | right.number << 16 | minuend.number << 10 | left.number << 5
                | dst.number)
    }

    // MARK: Bit fields

    /// `dst = src << count`, `0 ..< width`.
    mutating func shiftLeft(_ width: A64Width, _ dst: A64Register, _ src: A64Register, count: UInt32) {
        bitField(
            0x5300_0000, width, dst, src, (0 &- count) & (width.bitCount - 1), width.bitCount - 1 - count)
    }
    mutating func shiftRight(_ width: A64Width, _ dst: A64Register, _ src: A64Register, count: UInt32) {
        bitField(0x5300_0000, width, dst, src, count, width.bitCount - 1)
    }
    mutating func shiftRightSigned(_ width: A64Width, _ dst: A64Register, _ src: A64Register, count: UInt32) {
        bitField(0x1300_0000, width, dst, src, count, width.bitCount - 1)
    }
    /// The lowest `bitCount` bits of `src`, with zeros above.
    mutating func zeroExtend(_ dst: A64Register, _ src: A64Register, from bitCount: UInt32) {
        bitField(0x5300_0000, .w, dst, src, 0, bitCount - 1)
    }
    mutating func signExtend(
        _ width: A64Width, _ dst: A64Register, _ src: A64Register, from bitCount: UInt32
    ) {
        bitField(0x1300_0000, width, dst, src, 0, bitCount - 1)
    }

    private mutating func bitField(
        _ base: UInt32, _ width: A64Width, _ dst: A64Register, _ src: A64Register, _ rotation: UInt32,
        _ last: UInt32
    ) {
        put(
            base | width.rawValue << 31 | width.rawValue << 22 | rotation << 16 | last << 10 | src.number << 5
                | dst.number)
    }

    /// Reverses the bytes of the lower half or of all of a register.
    mutating func reverseBytes(_ width: A64Width, _ dst: A64Register, _ src: A64Register) {
        put((width == .x ? 0xdac0_0c00 : 0x5ac0_0800) | src.number << 5 | dst.number)
    }

    /// Reverses the bytes of each 16-bit part of the lower half; the upper half becomes 0.
    mutating func reverseBytesOfHalves(_ dst: A64Register, _ src: A64Register) {
        put(0x5ac0_0400 | src.number << 5 | dst.number)
    }

    /// 1 if the condition holds, else 0.
    mutating func set(_ dst: A64Register, if condition: A64Condition) {
        let zero = A64Register.zero.number
        put(0x9a80_0400 | zero << 16 | condition.inverted.rawValue << 12 | zero << 5 | dst.number)
    }
}
