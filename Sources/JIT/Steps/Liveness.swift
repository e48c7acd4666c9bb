import BPF
import Verifier

/// A set of register halves: bit n is the lower half of register n, bit 16 + n its upper half.
typealias RegisterHalves = UInt32

extension RegisterHalves {
    static func both(_ register: UInt8) -> RegisterHalves { 0x1_0001 << UInt32(register) }
    static func lower(_ register: UInt8) -> RegisterHalves { 1 << UInt32(register) }
    static func upper(_ register: UInt8) -> RegisterHalves { 0x1_0000 << UInt32(register) }
    /// R0–R5, which a call loses.
    static let callerSaved: RegisterHalves = 0x3f_003f

    func holds(_ register: UInt8) -> Bool { self & .both(register) != 0 }
    func holdsUpper(_ register: UInt8) -> Bool { self & .upper(register) != 0 }
    /// Registers of which any half is in the set, as bits 0…15.
    var registers: UInt32 { (self | self >> 16) & 0xffff }
}

/// Which halves of registers still matter behind each step.
///
/// A 32-bit operation reads lower halves only; but where it is known that the upper half of its source is zero, that is
/// made use of, so there the whole register counts as read.
///
/// One backward pass settles straight code. Where a jump goes backwards it has seen too little if the head of its loop
/// turns out to want more; then what lies before the last such jump is done again.
struct Liveness {
    /// By step; what matters before it.
    private(set) var before: [RegisterHalves] = []

    init() {}

    /// Everything matters everywhere: for code in which every step is carried out.
    init(everythingIn list: StepList) {
        before = [RegisterHalves](repeating: .max, count: list.steps.count)
    }

    init(_ list: StepList, _ knowledge: Knowledge, _ request: CompileRequest, result: RegisterHalves) {
        before = [RegisterHalves](repeating: 0, count: list.steps.count)
        var jumpsBack = list.jumpsBack()
        var last = list.steps.count - 1
        while last >= 0 {
            for index in stride(from: last, through: 0, by: -1) {
                let step = list.steps[index]
                before[index] = step.liveBefore(
                    after(index, step), known: knowledge.before[index], request, result: result)
            }
            last = -1
            for number in jumpsBack.indices {
                let live = before[Int(jumpsBack[number].head)]
                guard live != jumpsBack[number].seen else { continue }
                jumpsBack[number].seen = live
                last = max(last, Int(jumpsBack[number].index))
            }
        }
    }

    func after(_ index: Int, _ step: Step) -> RegisterHalves {
        var live: RegisterHalves = 0
        if !step.endsFlow, index + 1 < before.count { live = before[index + 1] }
        if step.target >= 0, step.kind != .nothing { live |= before[Int(step.target)] }
        return live
    }
}

/// A jump backwards, and what it has seen to matter at its target.
private struct JumpBack {
    var index: Int32
    var head: Int32
    var seen: RegisterHalves = 0
}

extension StepList {
    fileprivate func jumpsBack() -> [JumpBack] {
        var jumps: [JumpBack] = []
        for index in steps.indices where isJumpBack(at: index) {
            jumps.append(JumpBack(index: Int32(index), head: steps[index].target))
        }
        return jumps
    }
}

extension Step {
    /// What this step computes, and nothing but that: if nobody wants it, the step can be left out.
    var pureResult: UInt8? {
        guard kind == .plain else { return nil }
        switch insn.instructionClass {
        case .alu, .alu64, .ld, .ldx: return insn.dst
        case .st, .stx, .jmp, .jmp32: return nil
        }
    }

    fileprivate func liveBefore(
        _ after: RegisterHalves, known: UInt32, _ request: CompileRequest, result: RegisterHalves
    ) -> RegisterHalves {
        switch kind {
        case .nothing, .goto: return after
        case .trap: return 0
        case .plain: break
        }
        if let pure = pureResult, !after.holds(pure) { return after }
        switch insn.instructionClass {
        case .ld: return after & ~.both(insn.dst)
        case .ldx: return after & ~.both(insn.dst) | .both(insn.src)
        case .st: return after | .both(insn.dst)
        case .stx: return liveBeforeStore(after)
        case .alu: return liveBeforeALU(after, isWide: false) | knownNarrow(after, known)
        case .alu64: return liveBeforeALU(after, isWide: after.holdsUpper(insn.dst))
        case .jmp where insn.isCall:
            return after & ~.callerSaved | request.callArguments(at: Int(pc))
        case .jmp where insn.isExit: return result
        case .jmp where insn.opcode == Opcode.mayGoto: return after
        case .jmp:
            return after | .both(insn.dst) | (insn.usesRegister ? .both(insn.src) : 0)
        case .jmp32:
            return after | .lower(insn.dst) | (insn.usesRegister ? .lower(insn.src) : 0)
        }
    }

    /// Upper halves that a 32-bit operation relies on being zero.
    private func knownNarrow(_ after: RegisterHalves, _ known: UInt32) -> RegisterHalves {
        switch insn.operation {
        case Opcode.mov where insn.usesRegister && known & Knowledge.isNarrow(insn.src) != 0:
            return after.holdsUpper(insn.dst) && insn.offset == 0 ? .upper(insn.src) : 0
        case Opcode.div, Opcode.mod: return known & Knowledge.isNarrow(insn.dst) != 0 ? .upper(insn.dst) : 0
        default: return 0
        }
    }

    private func liveBeforeStore(_ after: RegisterHalves) -> RegisterHalves {
        guard insn.mode == Opcode.modeAtomic else {
            return after | .both(insn.dst) | (insn.width == .b64 ? .both(insn.src) : .lower(insn.src))
        }
        // Those that fetch write their source, cmpxchg R0; what they write they also read.
        let expected: RegisterHalves = insn.imm == Opcode.atomicCmpxchg ? .both(0) : 0
        if insn.imm == Opcode.atomicLoadAcquire { return after & ~.both(insn.dst) | .both(insn.src) }
        return after | .both(insn.dst) | .both(insn.src) | expected
    }

    /// - Parameter isWide: the upper half of the result matters.
    private func liveBeforeALU(_ after: RegisterHalves, isWide: Bool) -> RegisterHalves {
        let half: (UInt8) -> RegisterHalves = isWide ? { .both($0) } : { .lower($0) }
        let isALU64 = insn.instructionClass == .alu64
        let rest = after & ~.both(insn.dst)
        let source = insn.usesRegister ? insn.src : nil
        switch insn.operation {
        case Opcode.mov:
            guard let source else { return rest }
            // A sign extension looks at the low bits only.
            return rest | (insn.offset == 0 ? half(source) : .lower(source))
        case Opcode.lsh: return rest | half(insn.dst) | (source.map { .lower($0) } ?? 0)
        case Opcode.rsh, Opcode.arsh:
            return rest | (isALU64 ? .both(insn.dst) : .lower(insn.dst)) | (source.map { .lower($0) } ?? 0)
        case Opcode.div, Opcode.mod:
            let all: (UInt8) -> RegisterHalves = isALU64 ? { .both($0) } : { .lower($0) }
            return rest | all(insn.dst) | (source.map(all) ?? 0)
        case Opcode.end: return rest | (insn.imm == 64 ? .both(insn.dst) : .lower(insn.dst))
        default: return rest | half(insn.dst) | (source.map(half) ?? 0)
        }
    }
}

extension CompileRequest {
    /// What the call at `pc` reads.
    func callArguments(at pc: Int) -> RegisterHalves {
        switch inlinedCall(at: pc) {
        case .readBlock, .readCPU, .random, .nothing: return 0
        case .arrayLookup, .percpuLookup: return .both(2)
        case .nextNumber: return .both(1)
        case .loop, nil: break
        }
        let insn = program.image.insns[pc]
        var count = 5
        if insn.src == PseudoCall.helper, let prototype = HelperPrototype.known[insn.imm] {
            count = prototype.arguments.count
        }
        let registers = (UInt32(1) << UInt32(count + 1)) - 2
        return registers | registers << 16
    }
}
