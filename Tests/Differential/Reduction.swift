import BPF
import ProgramGenerator
import Verifier

extension Comparison {
    /// A program that still differs, with every instruction taken out that this does not need.
    ///
    /// What is taken out becomes a jump to the next instruction, so that no distance changes; the verifier sorts out what
    /// must stay.
    func reduced() -> (program: GeneratedProgram, difference: String)? {
        var best: (GeneratedProgram, String)?
        var current = program
        var changed = true
        while changed {
            changed = false
            for index in current.image.insns.indices.reversed() {
                let insn = current.image.insns[index]
                let isSecondSlot = index > 0 && current.image.insns[index - 1].isWideLoad
                guard insn != Reduction.nothing, !isSecondSlot, !insn.isExit else { continue }
                var candidate = current
                candidate.image.insns[index] = Reduction.nothing
                if insn.isWideLoad { candidate.image.insns[index + 1] = Reduction.nothing }
                guard
                    case .differed(let text)? = try? Comparison(
                        program: candidate, nodes: nodes, showsAddresses: showsAddresses
                    ).run()
                else { continue }
                current = candidate
                best = (candidate, text)
                changed = true
            }
        }
        return best
    }
}

enum Reduction {
    static let nothing = Instruction(opcode: Opcode.gotoShort)
}
