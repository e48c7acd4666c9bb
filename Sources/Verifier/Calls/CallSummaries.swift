import BPF

/// What the functions of a program may do, directly or through others, as their instructions alone tell.
///
/// For callers of global functions, which look at no path through them. Kernel counterpart: `might_sleep`,
/// `changes_pkt_data` and `has_tail_call` of `struct bpf_subprog_info`.
struct CallSummaries {
    private struct Effects: OptionSet {
        var rawValue: UInt8
        static let sleeps = Effects(rawValue: 1 << 0)
        static let changesPacket = Effects(rawValue: 1 << 1)
        static let callsTail = Effects(rawValue: 1 << 2)
    }
    private var effects: [Effects]
    private var direct: [Effects]

    init(_ image: ProgramImage, _ flow: ControlFlow) {
        effects = Array(repeating: [], count: flow.ranges.count)
        var callees: [Set<Int>] = Array(repeating: [], count: flow.ranges.count)
        for (subprog, range) in flow.ranges.enumerated() {
            for pc in range where !flow.isSecondSlot[pc] && image.insns[pc].isCall {
                effects[subprog].formUnion(CallSummaries.effects(of: image.insns[pc], image))
                if image.insns[pc].src == PseudoCall.subprog,
                    let callee = flow.subprog(startingAt: pc + 1 + Int(image.insns[pc].imm))
                {
                    callees[subprog].insert(callee)
                }
            }
        }
        direct = effects
        var changed = true
        while changed {
            changed = false
            for subprog in effects.indices {
                let all = callees[subprog].reduce(effects[subprog]) { $0.union(effects[$1]) }
                if all != effects[subprog] {
                    effects[subprog] = all
                    changed = true
                }
            }
        }
    }

    private static func effects(of insn: Instruction, _ image: ProgramImage) -> Effects {
        switch insn.src {
        case PseudoCall.helper:
            guard let prototype = HelperPrototype.known[insn.imm] else { return [] }
            var found: Effects = prototype.name == "bpf_tail_call" ? .callsTail : []
            if prototype.traits.contains(.mightSleep) { found.insert(.sleeps) }
            if prototype.traits.contains(.changesPacket) { found.insert(.changesPacket) }
            return found
        case PseudoCall.kfunc:
            guard image.kfuncs.indices.contains(Int(insn.imm)) else { return [] }
            let kfunc = image.kfuncs[Int(insn.imm)]
            var found: Effects = kfunc.flags.contains(.sleepable) ? .sleeps : []
            if case .changePacket? = KfuncRule.rule(for: kfunc.name)?.effect { found.insert(.changesPacket) }
            return found
        default: return []
        }
    }

    func mightSleep(_ subprog: Int) -> Bool { effects[subprog].contains(.sleeps) }
    func changesPacket(_ subprog: Int) -> Bool { effects[subprog].contains(.changesPacket) }
    /// Itself, not through others.
    func callsTail(_ subprog: Int) -> Bool { direct[subprog].contains(.callsTail) }
}
