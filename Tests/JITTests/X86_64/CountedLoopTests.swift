import BPF
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
}
