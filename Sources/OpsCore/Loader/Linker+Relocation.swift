import BPF
import Verifier

/// A function after everything but calls of subprogs has been patched; the same for every program that contains it.
struct RelocatedFunction {
    var insns: [Instruction]
    /// Calls and callback addresses of other functions, ascending.
    var calls: [(insn: Int, function: Int)] = []
    var poisons: [Int: String] = [:]
    /// Instructions that a CO-RE relocation adjusted.
    var corePatched: Set<Int> = []
    var lines: [LineSpec] = []
}

extension Linker {
    /// Patches a function's operands, once.
    mutating func relocate(_ index: Int) throws(OpsError) -> RelocatedFunction {
        if let done = relocated[index] { return done }
        let function = spec.functions[index]
        var part = RelocatedFunction(insns: function.insns, lines: function.lines)
        try applyCORE(of: function, to: &part)
        for reference in function.references { patch(reference, in: &part) }
        relocated[index] = part
        return part
    }

    /// The parser has checked that the instruction is a call, or a wide load with its second slot.
    private func patch(_ reference: InsnReference, in part: inout RelocatedFunction) {
        let insn = reference.insn
        // CO-RE has made it unexecutable, and nothing may bring it back.
        guard part.poisons[insn] == nil else { return }
        let isCall = part.insns[insn].isCall
        switch reference.target {
        case .map(let map):
            setLoad(insn, PseudoLoad.mapFD, map, 0, in: &part)
            poisonUnlessCreated(map, at: insn, in: &part)
        case .mapValue(let map, let offset):
            setLoad(insn, PseudoLoad.mapValue, map, offset, in: &part)
            poisonUnlessCreated(map, at: insn, in: &part)
        case .function(let function):
            if !isCall { setLoad(insn, PseudoLoad.function, 0, 0, in: &part) }
            part.calls.append((insn, function))
        case .extern(let extern):
            if isCall { setCall(insn, extern, in: &part) } else { setAddress(insn, extern, in: &part) }
        }
    }

    private func setLoad(
        _ insn: Int, _ kind: UInt8, _ low: Int, _ high: Int, in part: inout RelocatedFunction
    ) {
        part.insns[insn].src = kind
        part.insns[insn].imm = Int32(truncatingIfNeeded: low)
        part.insns[insn + 1].imm = Int32(truncatingIfNeeded: high)
    }

    private func poisonUnlessCreated(_ map: Int, at insn: Int, in part: inout RelocatedFunction) {
        guard let reason = linked.maps[map].unsupported, !options.isForJudgement else { return }
        part.poisons[insn] = "BPF map '\(spec.maps[map].name)' is referenced but wasn't created: \(reason)"
    }

    private func setCall(_ insn: Int, _ extern: Int, in part: inout RelocatedFunction) {
        part.insns[insn].src = PseudoCall.kfunc
        switch externs[extern] {
        case .kfunc(let index): part.insns[insn].imm = Int32(truncatingIfNeeded: index)
        case .missing(let reason):
            part.insns[insn].imm = 0
            part.poisons[insn] =
                "kfunc '\(spec.externs[extern].name)' is referenced but wasn't resolved: \(reason)"
        case .variable:
            part.poisons[insn] = "'\(spec.externs[extern].name)' is a kernel variable, not a kfunc"
        case .configured:
            part.poisons[insn] = "'\(spec.externs[extern].name)' is a configuration value, not a kfunc"
        }
    }

    /// `if (kfunc)` asks whether a weak kfunc is there; its address is good for nothing else. So it is a constant: 1 or 0.
    private func setAddress(_ insn: Int, _ extern: Int, in part: inout RelocatedFunction) {
        switch externs[extern] {
        case .kfunc: setLoad(insn, PseudoLoad.constant, 1, 0, in: &part)
        case .variable(let id): setLoad(insn, PseudoLoad.btfID, id.index, 0, in: &part)
        case .missing, .configured: setLoad(insn, PseudoLoad.constant, 0, 0, in: &part)
        }
    }
}
