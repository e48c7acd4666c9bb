import BPF
import CShim
import JIT
import Testing
import Verifier

/// Kfuncs whose body is known: code in the place of the call, or the call where the body does not fit.
@Suite("Inlined kfuncs") struct InlinedKfuncTests {
    /// What `body` computes: (R2 < R3 ? R2 : R3) / R4, stored to where R1 points; 0 for a division by 0.
    private static let function: ops_helper_fn = { r1, r2, r3, r4, _, block in
        block?.pointee.jiffies64 += 1
        let result = r4 == 0 ? 0 : min(r2, r3) / r4
        UnsafeMutablePointer<UInt64>(bitPattern: UInt(r1))?.pointee = result
        return result
    }

    private static let body = [
        Insn.mov(0, 2), Instruction(opcode: Opcode.jle | 0x0d, dst: 0, src: 3, offset: 1), Insn.mov(0, 3),
        Insn.alu64(Opcode.div, 0, 4), Insn.store(.double, 1, 0, 0), Insn.exit,
    ]

    /// f(p, a, b, c): calls the kfunc twice, with R6 to R9 alive across both, and sums up.
    private static let caller: [Instruction] = {
        let call = Instruction(opcode: Opcode.call, src: PseudoCall.kfunc)
        return [
            Insn.mov(6, 1), Insn.mov(7, 2), Insn.mov(8, 3), Insn.mov(9, 4), call, Insn.mov(1, 6),
            Insn.alu64(Opcode.add, 7, 0), Insn.mov(2, 8), Insn.mov(3, 7), Insn.mov(4, 9), call,
            Insn.alu64(Opcode.add, 0, 7), Insn.alu64(Opcode.add, 0, 8), Insn.alu64(Opcode.add, 0, 9),
            Insn.exit,
        ]
    }()

    private static func runner(
        _ body: [Instruction], options: CompileOptions = CompileOptions(), isThere: Bool = true
    ) throws -> Runner {
        let kfuncs = [KfuncPrototype(name: "f", function: BTFRef(btf: 1, id: TypeID(rawValue: 1)))]
        return try Runner(
            [trusted(caller, kfuncs: kfuncs)],
            kfuncs: [isThere ? UInt(bitPattern: unsafeBitCast(function, to: Int.self)) : 0],
            kfuncBodies: [body], options: options)
    }

    private static func results(of runner: Runner) -> [[UInt64]] {
        let edges: [UInt64] = [0, 1, 2, 7, 1000, 0xffff_ffff, 0x1_0000_0000, 1 << 63, .max]
        var results: [[UInt64]] = []
        for a in edges {
            for b in edges {
                for c in edges {
                    var word: UInt64 = 0
                    let r0 = withUnsafeMutablePointer(to: &word) {
                        runner.call(0, UInt64(UInt(bitPattern: $0)), a, b, c)
                    }
                    results.append([r0, word])
                }
            }
        }
        return results
    }

    @Test("a body computes in place what its function does") func inPlace() throws {
        let called = try Self.runner([])
        // Nothing stands behind it, so a call would be refused.
        let inPlace = try Self.runner(Self.body, isThere: false)
        #expect(Self.results(of: inPlace) == Self.results(of: called))
        #expect(called.block.head.pointee.jiffies64 == 2 * 729)
        #expect(inPlace.block.head.pointee.jiffies64 == 0)
        #expect(called.compiled[0].needs.contains(.block) && !inPlace.compiled[0].needs.contains(.block))
    }

    @Test(
        "options that want calls, or every instruction by itself, get calls",
        arguments: [
            CompileOptions(inlinesHelpers: false), CompileOptions(optimises: false),
            CompileOptions(blindsConstants: true, usesRetpolines: true),
        ])
    func called(options: CompileOptions) throws {
        let runner = try Self.runner(Self.body, options: options)
        #expect(Self.results(of: runner) == Self.results(of: try Self.runner([])))
        #expect(runner.block.head.pointee.jiffies64 == 2 * 729)
    }

    @Test(
        "a body that does not fit is called",
        arguments: [
            // A kept register, a call, an address, the stack, a jump backwards, fuel, an exit that is not the last step,
            // none at all, too many steps.
            [Insn.mov(6, 2), Insn.exit], [Insn.call(helper: 5), Insn.exit], Insn.wide(0, 1) + [Insn.exit],
            [Insn.store(.double, 10, -8, 1), Insn.exit],
            [Insn.mov(0, 2), Insn.jump(Opcode.jne, 0, imm: 0, to: -2), Insn.exit],
            [Instruction(opcode: Opcode.mayGoto), Insn.exit], [Insn.exit, Insn.mov(0, 2)], [Insn.mov(0, 2)],
            (0..<24).map { _ in Insn.mov(0, 2) } + [Insn.exit],
        ])
    func doesNotFit(body: [Instruction]) throws {
        let runner = try Self.runner(body)
        #expect(Self.results(of: runner) == Self.results(of: try Self.runner([])))
        #expect(runner.block.head.pointee.jiffies64 == 2 * 729)
    }
}
