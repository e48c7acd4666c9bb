import BPF
import Testing

@testable import OpsCore

@Suite("ALU") struct ALUTests {
    static let least64 = UInt64(1) << 63
    static let least32 = UInt32(1) << 31

    @Test("division by zero and the one signed overflow")
    func division() {
        #expect(ALU.apply(Opcode.div, UInt64(7), 0, isSigned: false) == 0)
        #expect(ALU.apply(Opcode.mod, UInt64(7), 0, isSigned: false) == 7)
        #expect(ALU.apply(Opcode.div, UInt64(7), 0, isSigned: true) == 0)
        #expect(ALU.apply(Opcode.mod, UInt64(7), 0, isSigned: true) == 7)
        #expect(ALU.apply(Opcode.div, Self.least64, .max, isSigned: true) == Self.least64)
        #expect(ALU.apply(Opcode.mod, Self.least64, .max, isSigned: true) == 0)
        #expect(ALU.apply(Opcode.div, Self.least32, .max, isSigned: true) == Self.least32)
        #expect(ALU.apply(Opcode.mod, Self.least32, .max, isSigned: true) == 0)
        #expect(ALU.apply(Opcode.div, UInt32(7), 0, isSigned: true) == 0)
        #expect(ALU.apply(Opcode.mod, UInt32(7), 0, isSigned: false) == 7)
        #expect(ALU.apply(Opcode.div, UInt64(bitPattern: -7), 2, isSigned: true) == UInt64(bitPattern: -3))
        #expect(ALU.apply(Opcode.mod, UInt64(bitPattern: -7), 2, isSigned: true) == UInt64(bitPattern: -1))
    }

    @Test("shift counts are masked", arguments: [UInt64(0), 1, 31, 32, 63, 64, 65, .max])
    func shifts(count: UInt64) {
        let value: UInt64 = 0x8123_4567_89ab_cdef
        #expect(ALU.apply(Opcode.lsh, value, count, isSigned: false) == value << (count & 63))
        #expect(ALU.apply(Opcode.rsh, value, count, isSigned: false) == value >> (count & 63))
        let signed = Int64(bitPattern: value) >> Int64(count & 63)
        #expect(ALU.apply(Opcode.arsh, value, count, isSigned: false) == UInt64(bitPattern: signed))
        let narrow = UInt32(truncatingIfNeeded: value)
        let narrowCount = UInt32(truncatingIfNeeded: count)
        #expect(ALU.apply(Opcode.lsh, narrow, narrowCount, isSigned: false) == narrow << (narrowCount & 31))
        let signed32 = Int32(bitPattern: narrow) >> Int32(narrowCount & 31)
        #expect(ALU.apply(Opcode.arsh, narrow, narrowCount, isSigned: false) == UInt32(bitPattern: signed32))
    }

    @Test("sign extension and byte order")
    func widths() {
        #expect(ALU.signExtended(0x80, bits: 8) == 0xffff_ffff_ffff_ff80)
        #expect(ALU.signExtended(0x1_0000_7fff, bits: 16) == 0x7fff)
        #expect(ALU.signExtended(0x8000_0000, bits: 32) == 0xffff_ffff_8000_0000)
        #expect(ALU.signExtended(1, bits: 64) == nil)
        #expect(ALU.byteOrder(0x1122_3344_5566_7788, bits: 16, swaps: true) == 0x8877)
        #expect(ALU.byteOrder(0x1122_3344_5566_7788, bits: 32, swaps: false) == 0x5566_7788)
        #expect(ALU.byteOrder(0x1122_3344_5566_7788, bits: 64, swaps: true) == 0x8877_6655_4433_2211)
        #expect(ALU.byteOrder(1, bits: 8, swaps: true) == nil)
    }

    @Test("32-bit comparisons look at the low half, with its own sign")
    func comparisons() {
        #expect(ALU.jumps(Opcode.jsgt, 0xffff_ffff, 0, isWide: false) == false)
        #expect(ALU.jumps(Opcode.jsgt, 0xffff_ffff, 0, isWide: true) == true)
        #expect(ALU.jumps(Opcode.jgt, 0xffff_ffff, 0, isWide: false) == true)
        #expect(ALU.jumps(0xf0, 0, 0, isWide: true) == nil)
    }

    @Test("the interpreter decodes 32-bit forms, moves and byte swaps")
    func decoding() throws {
        let machine = Machine()
        // w0 = -1 clears the upper half; movsx; bswap16 in the 64-bit class; signed division by offset 1.
        #expect(try machine.run([Instruction(opcode: 0xb4, dst: 0, imm: -1), Asm.exit]) == 0xffff_ffff)
        #expect(
            try machine.run([
                Asm.mov(1, 0x80), Asm.alu(Opcode.mov, 0, reg: 1, offset: 8), Asm.exit,
            ]) == UInt64(bitPattern: -128))
        #expect(
            try machine.run([
                Asm.mov(1, 0x80), Asm.alu32(Opcode.mov, 0, reg: 1, offset: 8), Asm.exit,
            ]) == 0xffff_ff80)
        #expect(
            try machine.run([Asm.mov(0, 0x1234), Instruction(opcode: 0xd7, imm: 16), Asm.exit]) == 0x3412)
        #expect(
            try machine.run([Asm.mov(0, -7), Asm.alu(Opcode.div, 0, 2, offset: 1), Asm.exit])
                == UInt64(bitPattern: -3))
        #expect(try machine.run(Asm.wide(0, 0x1122_3344_5566_7788) + [Asm.exit]) == 0x1122_3344_5566_7788)
        #expect(
            try machine.run([
                Asm.store(.word, 10, -4, -2), Asm.loadSigned(.word, 0, 10, -4), Asm.exit,
            ]) == UInt64(bitPattern: -2))
        #expect(
            try machine.run([
                Instruction(opcode: Opcode.gotoLong, imm: 1), Asm.exit, Asm.mov(0, 9), Asm.exit,
            ]) == 9)
    }

    @Test(
        "forms that do not exist are refused",
        arguments: [
            Instruction(opcode: 0x07 | 0xe0, dst: 0), Instruction(opcode: 0x07, dst: 0, offset: 1),
            Instruction(opcode: 0xd7, imm: 24), Instruction(opcode: 0xb7, dst: 0, offset: 8),
            Instruction(opcode: 0x20), Instruction(opcode: 0x8d, dst: 0), Instruction(opcode: 0x18, src: 3),
            Instruction(opcode: 0xf5, dst: 0),
        ])
    func refused(insn: Instruction) throws {
        #expect(try Machine().rule([Asm.mov(0, 0), insn, Asm.exit]) == .badInstruction)
    }
}
