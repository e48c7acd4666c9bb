import BPF
import Verifier

/// Hides the constants that a program chooses: each is made of two halves that differ in every compilation.
///
/// Kernel counterpart: `bpf_jit_blind_insn`. As there, shift counts and offsets stay: they are too short to hold code.
extension StepList {
    private static let helper: UInt8 = 11

    mutating func blindConstants(_ insns: [Instruction]) {
        var blinded: [Step] = []
        var moved = [Int32](repeating: 0, count: steps.count)
        for (index, step) in steps.enumerated() {
            moved[index] = Int32(blinded.count)
            append(step, insns, to: &blinded)
        }
        for index in blinded.indices where blinded[index].target >= 0 {
            blinded[index].target = moved[Int(blinded[index].target)]
        }
        steps = blinded
    }

    private func append(_ step: Step, _ insns: [Instruction], to blinded: inout [Step]) {
        let insn = step.insn, pc = Int(step.pc)
        var replaced = step
        switch insn.instructionClass {
        case _ where step.kind != .plain: break
        case .ld where insn.isWideLoad && insn.src == PseudoLoad.constant:
            set(insn.dst, to: insns[pc + 1].imm, .b32, pc, &blinded)
            blinded.append(Step(Decoded(opcode: Opcode.lsh | 0x07, dst: insn.dst, imm: 32), at: pc))
            set(StepList.helper, to: insn.imm, .b32, pc, &blinded)
            replaced.insn = Decoded(opcode: Opcode.or | 0x0f, dst: insn.dst, src: StepList.helper)
        case .alu, .alu64:
            let isShift = [Opcode.lsh, Opcode.rsh, Opcode.arsh].contains(insn.operation)
            guard !insn.usesRegister, !isShift, insn.operation != Opcode.end, insn.operation != Opcode.neg
            else { break }
            let width: Width = insn.instructionClass == .alu64 ? .b64 : .b32
            if insn.operation == Opcode.mov { return set(insn.dst, to: insn.imm, width, pc, &blinded) }
            set(StepList.helper, to: insn.imm, width, pc, &blinded)
            replaced.insn = insn.withRegister(StepList.helper)
        case .jmp, .jmp32:
            guard step.isBranch, !insn.usesRegister, insn.opcode != Opcode.mayGoto else { break }
            set(StepList.helper, to: insn.imm, .b64, pc, &blinded)
            replaced.insn = insn.withRegister(StepList.helper)
        case .st:
            set(StepList.helper, to: insn.imm, .b64, pc, &blinded)
            // The class of stores of registers is the next.
            replaced.insn = Decoded(
                opcode: insn.opcode & ~0x07 | 0x03, dst: insn.dst, src: StepList.helper, offset: insn.offset)
        case .ld, .ldx, .stx: break
        }
        blinded.append(replaced)
    }

    /// register = constant, by way of a random number.
    private func set(
        _ register: UInt8, to constant: Int32, _ width: Width, _ pc: Int, _ blinded: inout [Step]
    ) {
        let random = Int32.random(in: .min ... .max)
        blinded.append(Step(.move(width, register, constant: constant ^ random), at: pc))
        let code: UInt8 = width == .b64 ? 0x07 : 0x04
        blinded.append(Step(Decoded(opcode: Opcode.xor | code, dst: register, imm: random), at: pc))
    }
}

extension Decoded {
    /// The same with a register as its second operand.
    fileprivate func withRegister(_ register: UInt8) -> Decoded {
        var insn = self
        insn.opcode |= 0x08
        insn.src = register
        insn.imm = 0
        return insn
    }
}
