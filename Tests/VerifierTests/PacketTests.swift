import BPF
import Testing
import Verifier

/// Pointers into packets: bytes are there once they have been compared with the end.
@Suite("Packets") struct PacketTests {
    /// R2 = data, R3 = data_end, R4 = data + `count`; R0 = 0.
    private func bytes(_ count: Int32) -> [Instruction] {
        [
            Asm.mov(0, 0), Asm.load(.word, 2, 1, 76), Asm.load(.word, 3, 1, 80), Asm.mov(4, reg: 2),
            Asm.add(4, count),
        ]
    }

    private func outcome(_ insns: [Instruction], _ section: String = "tc") throws -> VerificationOutcome {
        verify(
            ProgramImage(name: "test", section: section, insns: insns),
            in: try .derived(fromSection: section))
    }

    /// Each way to write `data + 14 <= data_end`; the load of byte 13 comes where that holds.
    @Test(arguments: [
        [Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.load(.byte, 5, 2, 13), Asm.exit],
        [Asm.jump(Opcode.jge, 4, reg: 3, 1), Asm.load(.byte, 5, 2, 14), Asm.exit],
        [Asm.jump(Opcode.jlt, 3, reg: 4, 1), Asm.load(.byte, 5, 2, 13), Asm.exit],
        [Asm.jump(Opcode.jle, 4, reg: 3, 1), Asm.exit, Asm.load(.byte, 5, 2, 13), Asm.exit],
        [Asm.jump(Opcode.jlt, 4, reg: 3, 1), Asm.exit, Asm.load(.byte, 5, 2, 14), Asm.exit],
        [Asm.jump(Opcode.jgt, 3, reg: 4, 1), Asm.exit, Asm.load(.byte, 5, 2, 14), Asm.exit],
        [Asm.jump(Opcode.jge, 3, reg: 4, 1), Asm.exit, Asm.load(.byte, 5, 2, 13), Asm.exit],
    ])
    func comparedBytesAreReadable(_ rest: [Instruction]) throws {
        #expect(try outcome(bytes(14) + rest).program != nil)
    }

    @Test(arguments: [
        [Asm.load(.byte, 5, 2, 0), Asm.exit],
        [Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.load(.byte, 5, 2, 14), Asm.exit],
        [Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.load(.byte, 5, 2, -1), Asm.exit],
        [Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.exit, Asm.load(.byte, 5, 2, 13), Asm.exit],
        [Asm.jump(Opcode.jlt, 4, reg: 3, 1), Asm.load(.byte, 5, 2, 13), Asm.exit],
        [Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.load(.double, 5, 2, 8), Asm.exit],
    ])
    func otherBytesAreNot(_ rest: [Instruction]) throws {
        let problem = try outcome(bytes(14) + rest).report?.problem ?? "accepted"
        #expect(problem.hasPrefix("invalid access to packet"), "\(problem)")
    }

    @Test func variableOffsetsAreProvedAnew() throws {
        let header: [Instruction] =
            bytes(1) + [
                Asm.jump(Opcode.jgt, 4, reg: 3, 7), Asm.load(.byte, 5, 2, 0), Asm.alu(Opcode.and, 5, 15),
                Asm.add(2, reg: 5), Asm.mov(4, reg: 2), Asm.add(4, 4),
            ]
        let checked = header + [Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.load(.word, 6, 2, 0), Asm.exit]
        #expect(try outcome(checked).program != nil)
        let unchecked = header + [Asm.goto(0), Asm.load(.word, 6, 2, 0), Asm.exit]
        #expect(try outcome(unchecked).report?.problem.contains("r=0") == true)
    }

    @Test func lengthIsANumber() throws {
        let insns = bytes(0) + [Asm.alu(Opcode.sub, 3, reg: 2), Asm.mov(0, reg: 3), Asm.exit]
        #expect(try outcome(insns).program != nil)
    }

    @Test func metadataEndsWhereThePacketStarts() throws {
        func insns(_ limit: Int16) -> [Instruction] {
            [
                Asm.mov(0, 0), Asm.load(.word, 2, 1, 140), Asm.load(.word, 3, 1, limit), Asm.mov(4, reg: 2),
                Asm.add(4, 4), Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.load(.word, 5, 2, 0), Asm.exit,
            ]
        }
        #expect(try outcome(insns(76)).program != nil)
        #expect(try outcome(insns(80)).report?.problem.hasPrefix("invalid access to packet") == true)
    }

    @Test func someTypesReadOnly() throws {
        let insns = bytes(14) + [Asm.jump(Opcode.jgt, 4, reg: 3, 1), Asm.store(.byte, 2, 0, 1), Asm.exit]
        #expect(try outcome(insns).program != nil)
        #expect(try outcome(insns, "cgroup_skb/ingress").report?.problem == "cannot write packet")
    }
}
