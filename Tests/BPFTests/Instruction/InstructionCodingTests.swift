import Testing

@testable import BPF

@Suite("Instruction coding") struct InstructionCodingTests {
    @Test("fields lie where RFC 9669 puts them")
    func decodes() throws {
        // *(u32 *)(r10 - 0x4) = w1
        let bytes: [UInt8] = [0x63, 0x1a, 0xfc, 0xff, 0x01, 0x02, 0x03, 0x84]
        let insn = try #require(Instruction.decode(bytes).first)
        #expect((insn.opcode, insn.dst, insn.src, insn.offset) == (0x63, 10, 1, -4))
        #expect(UInt32(bitPattern: insn.imm) == 0x8403_0201)
        #expect(insn.bytes == bytes)
        #expect(Instruction(slot: insn.slot) == insn)
    }

    @Test("a tail shorter than an instruction is left out")
    func decodesWholeSlotsOnly() {
        #expect(Instruction.decode([UInt8](repeating: 0, count: 15)).count == 1)
        #expect(Instruction.decode([UInt8]()).isEmpty)
    }

    @Test("hex programs ignore white space anywhere")
    func parsesHex() throws {
        let text = "b7 00 0000\n 2a000000\t95000000 00 00 0000\r\n"
        #expect(try parseHexProgram(Array(text.utf8)).map(\.text) == ["r0 = 0x2a", "exit"])
        #expect(try parseHexProgram(Array("B700000 0FFFFFFFF".utf8)).map(\.imm) == [-1])
    }

    @Test(
        "hex programs are refused with the place",
        arguments: [
            ("", HexError.empty), (" \n", .empty),
            ("95000000", .partialInstruction(digits: 8)),
            ("9500000000000000f", .partialInstruction(digits: 17)),
            ("95\n0x", .notHex(character: "x", line: 2, column: 2)),
            ("95\u{7f}", .notHex(character: "\\x7f", line: 1, column: 3)),
        ])
    func rejectsHex(text: String, error: HexError) {
        #expect(throws: error) { try parseHexProgram(Array(text.utf8)) }
    }
}
