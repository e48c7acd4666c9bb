import BPF
import CShim
import JIT
import Testing

@testable import Verifier

/// What the options for harder settings change in code. That it computes the same, the differential tests show.
@Suite("Hardening") struct HardeningTests {
    private static let chosen: Int32 = 0x3c90_90cc
    private static let constants: [Instruction] =
        [
            Insn.mov(0, imm: chosen), Insn.alu64(Opcode.xor, 0, imm: chosen),
            Insn.alu64(Opcode.add, 0, imm: chosen),
        ]
        + Insn.wide(1, UInt64(UInt32(bitPattern: chosen)) << 32 | 7) + [
            Insn.alu64(Opcode.add, 0, 1), Insn.store(.word, 10, -8, imm: chosen), Insn.load(.word, 1, 10, -8),
            Insn.jump(Opcode.jne, 1, imm: chosen, to: 1), Insn.alu64(Opcode.add, 0, imm: 1), Insn.exit,
        ]

    private func holdsChosen(_ code: [UInt8]) -> Bool {
        let pattern = (0..<4).map { UInt8(truncatingIfNeeded: Self.chosen >> (8 * $0)) }
        return (0...code.count - 4).contains { Array(code[$0..<$0 + 4]) == pattern }
    }

    @Test("a program's constants are not in its code, which computes the same") func blinding() throws {
        let plain = try Runner([trusted(Self.constants)], options: CompileOptions(optimises: false))
        let blinded = try Runner([trusted(Self.constants)], options: CompileOptions(blindsConstants: true))
        #expect(holdsChosen(plain.compiled[0].code))
        #expect(!holdsChosen(blinded.compiled[0].code))
        #expect(blinded.call() == plain.call())
        let again = try Runner([trusted(Self.constants)], options: CompileOptions(blindsConstants: true))
        #expect(again.compiled[0].code != blinded.compiled[0].code)
    }

    private static let helper: ops_helper_fn = { r1, _, _, _, _, _ in r1 &+ 1 }

    @Test("with retpolines nothing is called by a register") func retpolines() throws {
        let insns = [Insn.mov(1, imm: 41), Insn.call(helper: 9), Insn.exit]
        let address = UInt(ops_helper_address(Self.helper))
        let plain = try Runner([trusted(insns)], helpers: [9: address])
        let hardened = try Runner(
            [trusted(insns)], helpers: [9: address], options: CompileOptions(usesRetpolines: true))
        #expect(plain.call() == 42)
        #expect(hardened.call() == 42)
        // ff d0: call rax
        func callsRegister(_ code: [UInt8]) -> Bool {
            zip(code, code.dropFirst()).contains { $0 == (0xff, 0xd0) }
        }
        #expect(callsRegister(plain.compiled[0].code))
        #expect(!callsRegister(hardened.compiled[0].code))
    }
}
