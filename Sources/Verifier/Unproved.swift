#if DEBUG
    import BPF

    extension Verification {
        /// The program as if it had been accepted, though nothing is proved of it: all of it may run, each function may use
        /// the whole stack. For tests of what still holds when the verifier is wrong; only debug builds have it.
        ///
        /// What is asked is the shape of a program, without which there is nothing to compile: instructions that exist, jumps
        /// that stay inside their function.
        func unproved(_ flow: ControlFlow, _ signature: Signature) -> VerifiedProgram {
            var facts = Array(repeating: InsnFacts(), count: image.insns.count)
            var frames = Array(
                repeating: FrameFacts(stackBytes: 512, isCallback: false), count: flow.ranges.count)
            var uses = ProgramUses()
            for (index, insn) in image.insns.enumerated() {
                facts[index].isReachable = true
                facts[index].isFuelled = flow.isFuelled[index]
                guard !flow.isSecondSlot[index] else { continue }
                if insn.isWideLoad, insn.src == PseudoLoad.function,
                    let callback = flow.subprog(startingAt: index + 1 + Int(insn.imm))
                {
                    frames[callback].isCallback = true
                }
                guard insn.isCall else { continue }
                if insn.src == PseudoCall.helper { uses.helpers.insert(insn.imm) }
                if insn.src == PseudoCall.kfunc, image.kfuncs.indices.contains(Int(insn.imm)) {
                    uses.kfuncs.insert(image.kfuncs[Int(insn.imm)].name)
                }
            }
            return VerifiedProgram(
                image: image, contextName: context.name, facts: facts, frames: frames, stackBytes: 512,
                bound: .max, processed: 0, returnsValue: signature.result != .void, usesContext: true,
                uses: uses)
        }
    }
#endif
