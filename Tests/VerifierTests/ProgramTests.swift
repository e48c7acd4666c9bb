import BPF
import Testing
import Verifier

/// Small programs with a memory context: what is accepted, what is refused and why.
@Suite("Programs") struct ProgramTests {
    struct Sample: CustomTestStringConvertible, Sendable {
        var claim: String
        /// Part of the problem's sentence; nil: accepted.
        var problem: String?
        var insns: [Instruction]
        var testDescription: String { claim }

        init(_ claim: String, _ problem: String? = nil, _ insns: [Instruction]) {
            self.claim = claim
            self.problem = problem
            self.insns = insns
        }
    }

    static let accepted: [Sample] = [
        Sample("returns a constant", nil, [Asm.mov(0, 0), Asm.exit]),
        Sample("reads its memory", nil, [Asm.load(.double, 0, 1, 56), Asm.exit]),
        Sample(
            "an index checked against the size", nil,
            [
                Asm.load(.byte, 3, 1, 0), Asm.jump(Opcode.jgt, 3, 63, 2), Asm.add(1, reg: 3),
                Asm.load(.byte, 0, 1, 0),
                Asm.mov(0, 0), Asm.exit,
            ]),
        Sample(
            "an index masked", nil,
            [
                Asm.load(.double, 3, 1, 0), Asm.and(3, 63), Asm.add(1, reg: 3), Asm.load(.byte, 0, 1, 0),
                Asm.exit,
            ]),
        Sample(
            "spilled pointer comes back", nil,
            [
                Asm.store(.double, 10, -8, reg: 1), Asm.load(.double, 3, 10, -8), Asm.load(.word, 0, 3, 60),
                Asm.exit,
            ]),
        Sample(
            "a bounded loop", nil,
            [
                Asm.mov(0, 0), Asm.mov(3, 0), Asm.add(0, 1), Asm.add(3, 1), Asm.jump(Opcode.jlt, 3, 100, -3),
                Asm.exit,
            ]),
        Sample(
            "may_goto ends an endless loop", nil,
            [Asm.mov(0, 0), Asm.mayGoto(2), Asm.add(0, 1), Asm.goto(-3), Asm.exit]),
        Sample(
            "one check narrows a copy", nil,
            [
                Asm.load(.double, 3, 1, 0), Asm.mov(4, reg: 3), Asm.jump(Opcode.jgt, 3, 63, 3),
                Asm.add(1, reg: 4),
                Asm.load(.byte, 0, 1, 0), Asm.exit, Asm.mov(0, 0), Asm.exit,
            ]),
        Sample(
            "one check narrows a spilled copy", nil,
            [
                Asm.load(.double, 3, 1, 0), Asm.store(.double, 10, -8, reg: 3),
                Asm.jump(Opcode.jgt, 3, 63, 4),
                Asm.load(.double, 4, 10, -8), Asm.add(1, reg: 4), Asm.load(.byte, 0, 1, 0), Asm.exit,
                Asm.mov(0, 0),
                Asm.exit,
            ]),
    ]

    static let refused: [Sample] = [
        Sample("no exit", "last insn is not an exit or jmp", [Asm.mov(0, 0)]),
        Sample("no result", "R0 !read_ok", [Asm.exit]),
        Sample("a register never written", "R5 !read_ok", [Asm.mov(0, reg: 5), Asm.exit]),
        Sample("beyond its memory", "invalid access to mem", [Asm.load(.double, 0, 1, 57), Asm.exit]),
        Sample("before its memory", "invalid access to mem", [Asm.load(.double, 0, 1, -1), Asm.exit]),
        Sample(
            "an index off by one", "invalid access to mem",
            [
                Asm.load(.byte, 3, 1, 0), Asm.jump(Opcode.jgt, 3, 64, 2), Asm.add(1, reg: 3),
                Asm.load(.byte, 0, 1, 0),
                Asm.mov(0, 0), Asm.exit,
            ]),
        Sample(
            "a signed index without a lower bound", "unbounded min value",
            [
                Asm.load(.double, 3, 1, 0), Asm.jump(Opcode.jsgt, 3, 63, 2), Asm.add(1, reg: 3),
                Asm.load(.byte, 0, 1, 0), Asm.mov(0, 0), Asm.exit,
            ]),
        Sample("misaligned stack", "misaligned stack access", [Asm.load(.double, 0, 10, -12), Asm.exit]),
        Sample(
            "stack too far down", "invalid write to stack",
            [Asm.store(.double, 10, -520, 0), Asm.mov(0, 0), Asm.exit]),
        Sample(
            "stack above the frame", "invalid write to stack",
            [Asm.store(.double, 10, 0, 0), Asm.mov(0, 0), Asm.exit]),
        Sample(
            "half a saved pointer", "invalid size of register fill",
            [Asm.store(.double, 10, -8, reg: 1), Asm.load(.word, 0, 10, -8), Asm.exit]),
        Sample("an endless loop", "infinite loop", [Asm.mov(0, 0), Asm.goto(-1), Asm.exit]),
        Sample(
            "may_goto that does not leave the loop", "infinite loop",
            [Asm.mov(0, 0), Asm.mayGoto(0), Asm.goto(-2), Asm.exit]),
        Sample("a jump out of the program", "jump out of range", [Asm.mov(0, 0), Asm.goto(5), Asm.exit]),
        Sample(
            "the frame pointer changed", "frame pointer is read only",
            [Asm.add(10, 8), Asm.mov(0, 0), Asm.exit]),
        Sample(
            "division by the constant 0", "div by zero", [Asm.mov(0, 1), Asm.alu(Opcode.div, 0, 0), Asm.exit]),
        Sample("a shift too far", "invalid shift", [Asm.mov(0, 1), Asm.alu(Opcode.lsh, 0, 64), Asm.exit]),
        Sample(
            "a multiplied pointer", "pointer arithmetic",
            [Asm.alu(Opcode.mul, 1, 2), Asm.mov(0, 0), Asm.exit]),
    ]

    @Test(arguments: accepted) func accepts(_ sample: Sample) {
        let outcome = verifyMemory(sample.insns)
        #expect(outcome.program != nil, "\(outcome.report?.problem ?? "")")
    }

    @Test(arguments: refused) func refuses(_ sample: Sample) {
        guard case .rejected(let report) = verifyMemory(sample.insns) else {
            Issue.record("accepted")
            return
        }
        #expect(report.problem.contains(sample.problem ?? ""), "\(report.problem)")
    }

    @Test func boundCountsFuelledTurns() throws {
        let straight = try #require(verifyMemory([Asm.mov(0, 0), Asm.exit]).program)
        #expect(straight.bound == 2)
        let loop = try #require(
            verifyMemory([Asm.mov(0, 0), Asm.mayGoto(2), Asm.add(0, 1), Asm.goto(-3), Asm.exit]).program)
        #expect(loop.bound > 1 << 23 && loop.bound < 1 << 28)
        #expect(loop.facts[1].isFuelled)
    }

    @Test func deadCodeIsNoted() throws {
        let program = try #require(
            verifyMemory([Asm.mov(0, 0), Asm.jump(Opcode.jeq, 0, 0, 1), Asm.mov(0, 1), Asm.exit]).program)
        #expect(program.facts.map(\.isReachable) == [true, true, false, true])
    }
}
