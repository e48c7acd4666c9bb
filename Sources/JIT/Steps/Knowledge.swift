import BPF
import Verifier

/// What is surely so before each step, whichever way it was reached: bit n, the upper half of register n is zero; bit
/// 16 + n, register n is not zero.
///
/// Optimistic: everything is taken to hold until a path shows otherwise, so that a loop does not lose what it keeps.
struct Knowledge {
    private(set) var before: [UInt32] = []

    init() {}

    static func isNarrow(_ register: UInt8) -> UInt32 { 1 << UInt32(register) }
    static func isNonZero(_ register: UInt8) -> UInt32 { 0x1_0000 << UInt32(register) }

    init(_ list: StepList, _ request: CompileRequest) {
        let steps = list.steps
        before = [UInt32](repeating: .max, count: steps.count)
        before[0] = 0
        var first = 0
        while first < steps.count {
            var known: UInt32 = .max
            var again = steps.count
            for index in first..<steps.count {
                let step = steps[index]
                if index > first, !steps[index - 1].endsFlow { before[index] &= known }
                known = step.knownAfter(before[index], request)
                guard step.target >= 0, step.kind != .nothing else { continue }
                let target = Int(step.target)
                let joined = before[target] & (step.kind == .goto ? known : step.knownWhenTaken(known))
                if joined != before[target] {
                    before[target] = joined
                    // A loop whose head has lost something is done again.
                    if target <= index { again = min(again, target) }
                }
                if step.kind == .plain { known = step.knownWhenNotTaken(known) }
            }
            first = again
        }
    }

    func isNarrow(_ register: UInt8, at index: Int) -> Bool {
        before[index] & Knowledge.isNarrow(register) != 0
    }
    func isNonZero(_ register: UInt8, at index: Int) -> Bool {
        before[index] & Knowledge.isNonZero(register) != 0
    }
}

extension Step {
    fileprivate func knownAfter(_ known: UInt32, _ request: CompileRequest) -> UInt32 {
        guard kind == .plain else { return known }
        let dst = insn.dst, both = Knowledge.isNarrow(dst) | Knowledge.isNonZero(dst)
        let rest = known & ~both
        switch insn.instructionClass {
        case .ld:
            guard insn.isWideLoad, insn.src == PseudoLoad.constant else { return rest }
            let upper = request.program.image.insns[Int(pc) + 1].imm
            return rest | (upper == 0 ? Knowledge.isNarrow(dst) : 0)
                | (upper != 0 || insn.imm != 0 ? Knowledge.isNonZero(dst) : 0)
        case .ldx:
            let isNarrow = insn.mode == Opcode.modeMem && insn.width != .b64
            return rest | (isNarrow ? Knowledge.isNarrow(dst) : 0)
        case .st, .jmp32: return known
        case .stx:
            guard insn.mode == Opcode.modeAtomic else { return known }
            // Some of these write a register; none is worth following.
            return known & ~(both | Knowledge.isNarrow(insn.src) | Knowledge.isNonZero(insn.src) | 0x1_0001)
        case .jmp:
            guard insn.isCall else { return known }
            let lost = known & ~0x3f_003f
            switch request.inlinedCall(at: Int(pc)) {
            case .readCPU, .random: return lost | Knowledge.isNarrow(0)
            default: return lost
            }
        // `be64` and `le64` are of this class, but of 64 bits.
        case .alu where insn.operation == Opcode.end && insn.imm == 64: return rest
        case .alu:
            return rest | Knowledge.isNarrow(dst) | (isNonZeroALU(known) ? Knowledge.isNonZero(dst) : 0)
        case .alu64:
            return rest | (isNarrowALU64(known) ? Knowledge.isNarrow(dst) : 0)
                | (isNonZeroALU(known) ? Knowledge.isNonZero(dst) : 0)
        }
    }

    private func isNonZeroALU(_ known: UInt32) -> Bool {
        switch insn.operation {
        case Opcode.mov:
            if !insn.usesRegister { return insn.imm != 0 }
            // A whole move, or a move of the lower half of what has nothing else.
            return insn.offset == 0 && known & Knowledge.isNonZero(insn.src) != 0
                && (insn.instructionClass == .alu64 || known & Knowledge.isNarrow(insn.src) != 0)
        case Opcode.or: return !insn.usesRegister && insn.imm != 0
        default: return false
        }
    }

    private func isNarrowALU64(_ known: UInt32) -> Bool {
        let dst = known & Knowledge.isNarrow(insn.dst) != 0
        let source =
            insn.usesRegister ? known & Knowledge.isNarrow(insn.src) != 0 : insn.imm >= 0
        switch insn.operation {
        case Opcode.mov: return source && insn.offset == 0
        case Opcode.and: return dst || source
        case Opcode.or, Opcode.xor: return dst && source
        case Opcode.rsh: return dst || !insn.usesRegister && insn.imm >= 32
        case Opcode.div, Opcode.mod: return dst && insn.offset == 0 && source
        case Opcode.end: return insn.imm < 64
        default: return false
        }
    }

    /// Comparisons of whole registers with constants say whether a register is zero.
    fileprivate func knownWhenTaken(_ known: UInt32) -> UInt32 {
        guard isNonZeroIfTaken else { return known }
        return known | Knowledge.isNonZero(insn.dst)
    }

    fileprivate func knownWhenNotTaken(_ known: UInt32) -> UInt32 {
        guard isNonZeroIfNotTaken else { return known }
        return known | Knowledge.isNonZero(insn.dst)
    }

    private var comparesConstant: Bool {
        !insn.usesRegister && (insn.instructionClass == .jmp || insn.instructionClass == .jmp32)
    }

    // A lower half that is not zero makes a register that is not.
    private var isNonZeroIfTaken: Bool {
        guard comparesConstant else { return false }
        switch insn.operation {
        case Opcode.jne: return insn.imm == 0
        case Opcode.jeq: return insn.imm != 0
        case Opcode.jgt: return true
        case Opcode.jge: return insn.imm != 0
        case Opcode.jset, Opcode.jsgt: return insn.operation == Opcode.jset || insn.imm >= 0
        default: return false
        }
    }

    private var isNonZeroIfNotTaken: Bool {
        guard comparesConstant else { return false }
        switch insn.operation {
        case Opcode.jeq: return insn.imm == 0
        case Opcode.jne: return insn.imm != 0
        case Opcode.jlt: return insn.imm != 0
        case Opcode.jle: return true
        default: return false
        }
    }
}
