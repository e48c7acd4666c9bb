import BPF
import Verifier

/// The steps of one subprog, in the order of its instructions, and how often each is jumped to.
struct StepList {
    var steps: [Step] = []
    /// Jumps that go to each step; at those with any, what is known about registers is what all paths agree on.
    var arrivals: [UInt16] = []

    init() {}

    /// Translates the instructions of `range`.
    ///
    /// - Throws: `malformed` for a jump out of the subprog.
    init(_ request: CompileRequest, _ range: Range<Int>, arguments: ContextUse?, frameBytes: Int)
        throws(JITError)
    {
        let insns = request.program.image.insns, facts = request.program.facts
        steps.reserveCapacity(range.count + 8)
        if let arguments { keepArguments(arguments, below: frameBytes) }
        var stepOfInsn = [Int32](repeating: -1, count: range.count + 1)
        var pc = range.lowerBound
        while pc < range.upperBound {
            let insn = Decoded(insns[pc])
            stepOfInsn[pc - range.lowerBound] = Int32(steps.count)
            if !facts[pc].isReachable {
                // One trap stands for a run of unreachable instructions.
                if steps.last?.kind != .trap {
                    steps.append(Step(insn, at: pc, kind: .trap))
                } else {
                    stepOfInsn[pc - range.lowerBound] -= 1
                }
                pc += 1
                continue
            }
            guard insn.dst <= 10, insn.src <= 10 else { throw .malformed(insn: pc, opcode: insn.opcode) }
            if let arguments, append(insn, pc, arguments, below: frameBytes) {
                pc += 1
                continue
            }
            steps.append(Step(insn, at: pc))
            pc += insn.isWideLoad && pc + 1 < range.upperBound ? 2 : 1
        }
        // A last instruction that falls off the end does not exist in verified code.
        steps.append(Step(Decoded(opcode: 0), at: range.upperBound - 1, kind: .trap))
        stepOfInsn[range.count] = Int32(steps.count - 1)
        try resolveJumps(range, stepOfInsn)
    }

    /// Translates instructions that stand in no image.
    init(_ insns: [Instruction]) throws(JITError) {
        for (index, insn) in insns.enumerated() { steps.append(Step(Decoded(insn), at: index)) }
        steps.append(Step(Decoded(opcode: 0), at: insns.count, kind: .trap))
        try resolveJumps(insns.indices, (0...insns.count).map { Int32($0) })
    }

    private mutating func resolveJumps(_ range: Range<Int>, _ stepOfInsn: [Int32]) throws(JITError) {
        for index in steps.indices where steps[index].kind == .plain {
            let insn = steps[index].insn
            guard insn.instructionClass == .jmp || insn.instructionClass == .jmp32, !insn.isCall, !insn.isExit
            else { continue }
            let pc = Int(steps[index].pc)
            let distance = insn.opcode == Opcode.gotoLong ? Int(insn.imm) : Int(insn.offset)
            let target = pc + 1 + distance - range.lowerBound
            guard stepOfInsn.indices.contains(target), stepOfInsn[target] >= 0 else {
                throw .malformed(insn: pc, opcode: insn.opcode)
            }
            steps[index].target = stepOfInsn[target]
            if insn.opcode == Opcode.gotoShort || insn.opcode == Opcode.gotoLong { steps[index].kind = .goto }
        }
    }

    /// To be called when jumps have changed.
    mutating func countArrivals() {
        arrivals.removeAll(keepingCapacity: true)
        arrivals.append(contentsOf: repeatElement(0, count: steps.count))
        for step in steps where step.target >= 0 && step.kind != .nothing {
            let target = Int(step.target)
            arrivals[target] = arrivals[target] == .max ? .max : arrivals[target] + 1
        }
    }

    /// A jump to `index` is no more.
    mutating func removeArrival(at index: Int) {
        if arrivals[index] != .max { arrivals[index] -= 1 }
    }

    /// Bit n: some step names register n.
    func registersUsed() -> UInt32 {
        var used: UInt32 = 0
        for step in steps where step.kind == .plain {
            let insn = step.insn
            switch insn.instructionClass {
            case .ld: used |= 1 << UInt32(insn.dst)
            case .jmp where insn.isCall: used |= 0x3f
            case .jmp where insn.isExit: used |= 1
            default: used |= 1 << UInt32(insn.dst) | 1 << UInt32(insn.src)
            }
        }
        return used
    }

    /// Whether machine code still calls something.
    func makesCalls(_ request: CompileRequest) -> Bool {
        steps.contains { step in
            step.kind == .plain && step.insn.isCall
                && request.inlinedCall(at: Int(step.pc))?.makesCalls ?? true
        }
    }

    /// Whether some step, or what it calls, looks into the instance block.
    func usesBlock(_ facts: [InsnFacts]) -> Bool {
        steps.contains { step in
            guard step.kind == .plain else { return false }
            let insn = step.insn
            switch insn.opcode {
            case Opcode.call, Opcode.mayGoto: return true
            case Opcode.loadImm64: return insn.src != PseudoLoad.constant
            default: return facts[Int(step.pc)].isProbed
            }
        }
    }

    // MARK: Arguments of a fused body

    /// Where the kept argument number `index` (of `ContextUse.framedSlots`) is, relative to R10.
    private static func offset(ofKept index: Int, below frameBytes: Int) -> Int16 {
        Int16(-frameBytes - 8 * (index + 1))
    }

    /// Arguments whose registers are overwritten before they are wanted go below the program's own stack, where no
    /// pointer of its own reaches, so `StackSlots` may put them into registers.
    private mutating func keepArguments(_ use: ContextUse, below frameBytes: Int) {
        for (index, slot) in use.framedSlots.enumerated() {
            let place = StepList.offset(ofKept: index, below: frameBytes)
            steps.append(
                Step(
                    Decoded(
                        opcode: 0x7b, dst: 10, src: StepList.register(ofArgument: slot), offset: place), at: 0
                ))
        }
    }

    /// R1…R5 are where C passes the first five arguments; the sixth has a virtual register.
    static func register(ofArgument slot: Int) -> UInt8 { slot < 5 ? UInt8(slot + 1) : sixthArgument }
    static let sixthArgument: UInt8 = 15

    /// Appends what an instruction becomes that deals with the context. Returns false if it does not.
    private mutating func append(
        _ insn: Decoded, _ pc: Int, _ use: ContextUse, below frameBytes: Int
    ) -> Bool {
        if use.moves.contains(pc) {
            steps.append(Step(insn, at: pc, kind: .nothing))
            return true
        }
        guard let load = use.loads[pc] else { return false }
        if load.source == .frame {
            let index = use.framedSlots.firstIndex(of: load.slot) ?? 0
            let place = StepList.offset(ofKept: index, below: frameBytes)
            steps.append(
                Step(Decoded(opcode: insn.opcode, dst: insn.dst, src: 10, offset: place), at: pc))
            return true
        }
        let source = StepList.register(ofArgument: load.slot)
        steps.append(Step(.move(insn.width == .b64 ? .b64 : .b32, insn.dst, source), at: pc))
        if insn.width == .b8 || insn.width == .b16 {
            let mask: Int32 = insn.width == .b8 ? 0xff : 0xffff
            steps.append(Step(Decoded(opcode: Opcode.and | 0x04, dst: insn.dst, imm: mask), at: pc))
        }
        return true
    }
}
