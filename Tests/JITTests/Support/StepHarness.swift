import BPF
import JIT
import Verifier

/// Runs single instructions with all of R0…R9 set before and looked at after, so that a clobbered register shows.
///
/// The compiled program loads the registers from an array, runs the instruction, and stores them back.
enum StepHarness {
    /// Slots 0…9 of the state are the registers; slot 10 becomes 1 when the instruction fell through.
    static let slotCount = 11

    static func program(_ insn: Instruction) -> VerifiedProgram {
        let pointer: Int16 = -8, taken: Int16 = -16
        func saved(_ register: UInt8) -> Int16 { -24 - 8 * Int16(register) }
        var insns = [Insn.store(.double, 10, pointer, 1), Insn.store(.double, 10, taken, imm: 0)]
        for register: UInt8 in [0, 2, 3, 4, 5, 6, 7, 8, 9, 1] {
            insns.append(Insn.load(.double, register, 1, Int16(register) * 8))
        }
        var insn = insn
        let isJump = insn.instructionClass == .jmp || insn.instructionClass == .jmp32
        if isJump { insn.offset = 1 }
        insns.append(insn)
        insns.append(Insn.store(.double, 10, taken, imm: 1))
        for register: UInt8 in 0...9 { insns.append(Insn.store(.double, 10, saved(register), register)) }
        insns.append(Insn.load(.double, 1, 10, pointer))
        for register: UInt8 in 0...9 {
            insns.append(Insn.load(.double, 2, 10, saved(register)))
            insns.append(Insn.store(.double, 1, Int16(register) * 8, 2))
        }
        insns.append(Insn.load(.double, 2, 10, taken))
        insns.append(Insn.store(.double, 1, 80, 2))
        insns.append(Insn.mov(0, imm: 0))
        insns.append(Insn.exit)
        return trusted(insns)
    }

    /// Values at which arithmetic goes wrong.
    static let edges: [UInt64] = [
        0, 1, 7, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x8000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
        0x1_0000_0000,
        0x0123_4567_89ab_cdef, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0xffff_ffff_8000_0000,
        0xffff_ffff_ffff_ff80, 0xffff_ffff_ffff_ffff,
    ]
    static let immediates: [Int32] = [
        0, 1, 2, 3, 7, 8, 10, 31, 32, 33, 63, 64, 127, 128, 255, 1000, 4096, 65535, 0x7fff_ffff, -1, -2, -7,
        -128, -129,
        .min,
    ]
}
