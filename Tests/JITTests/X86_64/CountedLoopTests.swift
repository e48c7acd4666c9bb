import BPF
import JIT
import Testing

/// Loops whose turns are known at compile time, and which are therefore repeated.
@Suite("Counted loops") struct CountedLoopTests {
    /// `for (i = 0; i < turns; i++) sum += i;`
    private static func counting(up turns: Int32) -> [Instruction] {
        [
            Insn.mov(1, imm: 0), Insn.alu64(Opcode.add, 0, 1), Insn.alu64(Opcode.add, 1, imm: 1),
            Insn.jump(Opcode.jlt, 1, imm: turns, to: -3),
        ]
    }

    /// `for (i = turns; i != 0; i--) sum += i;`
    private static func counting(down turns: Int32) -> [Instruction] {
        [
            Insn.mov(1, imm: turns), Insn.alu64(Opcode.add, 0, 1), Insn.alu64(Opcode.add, 1, imm: -1),
            Insn.jump(Opcode.jne, 1, imm: 0, to: -3),
        ]
    }

    @Test("several in one function", arguments: [8, 9, 11, 13] as [Int32])
    func oneAfterTheOther(turns: Int32) throws {
        let loops = Self.counting(up: turns) + Self.counting(down: turns) + Self.counting(up: turns)
        let runner = try Runner([trusted([Insn.mov(0, imm: 0)] + loops + [Insn.exit])])
        let below = UInt64(turns * (turns - 1) / 2)
        #expect(runner.call() == 3 * below + UInt64(turns))
    }

    /// `for (i = 0; i < turns; i++) body(bytes[i], i);`, with the byte in R4 and `body` free to jump.
    private static func reading(_ turns: Int32, _ body: [Instruction]) -> [Instruction] {
        let start = [Insn.mov(0, imm: 3), Insn.mov(3, imm: 0)]
        let read = [Insn.mov(5, 1), Insn.alu64(Opcode.add, 5, 3), Insn.load(.byte, 4, 5, 0)]
        let next = [
            Insn.alu64(Opcode.add, 3, imm: 1),
            Insn.jump(Opcode.jne, 3, imm: turns, to: Int16(-(read.count + body.count + 2))),
        ]
        let end = [Insn.alu64(Opcode.mul, 0, imm: 64), Insn.alu64(Opcode.add, 0, 3), Insn.exit]
        return start + read + body + next + end
    }

    /// What the loop returns for some bytes, with the optimiser and without.
    private func expectSame(_ insns: [Instruction], sourceLocation: SourceLocation = #_sourceLocation) throws
    {
        let program = trusted(insns)
        let fast = try Runner([program]),
            plain = try Runner([program], options: CompileOptions(optimises: false))
        #expect(fast.compiled[0].code.count > insns.count)
        for last in 0..<40 {
            // 100 first comes at `last`; before it values on both sides of 50.
            let bytes = (0..<64).map { UInt8($0 == last ? 100 : ($0 * 37 + last) % 97) }
            bytes.withUnsafeBufferPointer { bytes in
                let address = UInt64(UInt(bitPattern: bytes.baseAddress))
                #expect(fast.call(0, address) == plain.call(0, address), sourceLocation: sourceLocation)
            }
        }
    }

    @Test("one that is left early", arguments: [4, 16, 17, 19, 33] as [Int32]) func leftEarly(turns: Int32)
        throws
    {
        try expectSame(
            Self.reading(turns, [Insn.jump(Opcode.jeq, 4, imm: 100, to: 3), Insn.alu64(Opcode.add, 0, 4)]))
    }

    @Test("one with two ways through", arguments: [8, 16, 17, 35] as [Int32]) func twoWays(turns: Int32)
        throws
    {
        try expectSame(
            Self.reading(
                turns,
                [
                    Insn.jump(Opcode.jgt, 4, imm: 50, to: 2), Insn.alu64(Opcode.add, 0, 4),
                    Insn.jump(Opcode.ja, 0, imm: 0, to: 1), Insn.alu64(Opcode.mul, 0, imm: 5),
                ]))
    }

    @Test("one that does not count every turn") func skippedCount() throws {
        // Below 50 the count is skipped, and R2 ends the loop.
        let insns = [
            Insn.mov(0, imm: 0), Insn.mov(2, imm: 0), Insn.mov(3, imm: 0), Insn.mov(5, 1),
            Insn.alu64(Opcode.add, 5, 2),
            Insn.load(.byte, 4, 5, 0), Insn.alu64(Opcode.add, 0, 4), Insn.alu64(Opcode.add, 2, imm: 1),
            Insn.jump(Opcode.jgt, 2, imm: 60, to: 3), Insn.jump(Opcode.jlt, 4, imm: 50, to: 1),
            Insn.alu64(Opcode.add, 3, imm: 1), Insn.jump(Opcode.jne, 3, imm: 16, to: -9), Insn.exit,
        ]
        try expectSame(insns)
    }
}
