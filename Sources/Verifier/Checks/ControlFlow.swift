import BPF

/// The shape of a program: functions, jumps, points where paths are compared. Static facts only.
struct ControlFlow {
    /// Index of the subprog each instruction belongs to.
    private(set) var subprogOf: [Int32] = []
    /// First and past-the-last instruction of each subprog.
    private(set) var ranges: [Range<Int>] = []
    /// Second slot of a 64-bit immediate load.
    private(set) var isSecondSlot: [Bool] = []
    /// Several paths meet here, or a fuelled turn starts: states are compared.
    private(set) var isPrunePoint: [Bool] = []
    /// Draws on fuel: may_goto, and calls that turn a loop.
    private(set) var isFuelled: [Bool] = []
    /// A jump or a call leads to an earlier instruction: facts that run against the flow need more than one pass.
    private(set) var hasBackEdges = false

    /// - Throws: `Rejection` for a malformed program, with the instruction in `failure`.
    init(_ image: ProgramImage, failure: inout Int) throws(Rejection) {
        let count = image.insns.count
        failure = 0
        guard count > 0 else {
            throw Rejection(
                .programStructure, "the program has no instructions", reason: "A program must at least exit.")
        }
        guard count <= 1_000_000 else {
            throw Rejection(
                .programStructure, "the program has \(count) instructions, at most 1000000 are allowed",
                reason: "Verification looks at 1 M instructions at most.")
        }
        try collectSubprogs(image, count)
        isSecondSlot = Array(repeating: false, count: count)
        isPrunePoint = Array(repeating: false, count: count)
        isFuelled = Array(repeating: false, count: count)
        var pc = 0
        while pc < count {
            failure = pc
            try checkEncoding(image, at: pc)
            if image.insns[pc].isWideLoad {
                isSecondSlot[pc + 1] = true
                pc += 1
            }
            pc += 1
        }
        for pc in 0..<count where !isSecondSlot[pc] {
            failure = pc
            try checkFlow(image, at: pc)
        }
        for range in ranges {
            failure = range.upperBound - 1
            try checkEnd(image.insns, of: range)
        }
    }

    private mutating func collectSubprogs(_ image: ProgramImage, _ count: Int) throws(Rejection) {
        var last = -1
        for (index, subprog) in image.subprogs.enumerated() {
            guard subprog.start > last, subprog.start < count, index > 0 || subprog.start == 0 else {
                throw Rejection(
                    .programStructure, "subprog \(index) starts at instruction \(subprog.start)",
                    reason: "Functions of a program start at ascending instructions, the first at 0.")
            }
            last = subprog.start
        }
        let starts = image.subprogs.map(\.start)
        guard !starts.isEmpty else {
            throw Rejection(
                .programStructure, "the program has no function",
                reason: "A program is at least one function.")
        }
        ranges = starts.indices.map { starts[$0]..<($0 + 1 < starts.count ? starts[$0 + 1] : count) }
        for (index, range) in ranges.enumerated() {
            subprogOf.append(contentsOf: repeatElement(Int32(index), count: range.count))
        }
    }

    /// The subprog that starts at `insn`; nil if none does.
    func subprog(startingAt insn: Int) -> Int? {
        guard insn >= 0, insn < subprogOf.count else { return nil }
        let index = Int(subprogOf[insn])
        return ranges[index].lowerBound == insn ? index : nil
    }

    /// Where a jump at `pc` goes; nil if it is no jump.
    static func target(of insn: Instruction, at pc: Int) -> Int? {
        switch insn.instructionClass {
        case .jmp:
            if insn.isCall || insn.isExit || insn.opcode == Opcode.callx { return nil }
            return pc + 1 + Int(insn.offset)
        case .jmp32:
            return insn.opcode == Opcode.gotoLong ? pc + 1 + Int(insn.imm) : pc + 1 + Int(insn.offset)
        default: return nil
        }
    }

    static func isUnconditional(_ insn: Instruction) -> Bool {
        insn.opcode == Opcode.gotoShort || insn.opcode == Opcode.gotoLong
    }

    private mutating func checkFlow(_ image: ProgramImage, at pc: Int) throws(Rejection) {
        let insn = image.insns[pc]
        if let target = ControlFlow.target(of: insn, at: pc) {
            let range = ranges[Int(subprogOf[pc])]
            guard range.contains(target) else {
                throw Rejection(
                    .programStructure, "jump out of range from insn \(pc) to \(target)",
                    reason:
                        "A jump must stay inside its function, which is instructions \(range.lowerBound) to \(range.upperBound - 1)."
                )
            }
            guard !isSecondSlot[target] else {
                throw Rejection(
                    .programStructure, "jump into the middle of ldimm64 insn \(target - 1)",
                    reason: "The second half of a 64-bit load is no instruction.")
            }
            isPrunePoint[target] = true
            if target <= pc { hasBackEdges = true }
            if insn.opcode == Opcode.mayGoto { markFuelled(pc) }
        }
        guard insn.isCall else { return }
        switch insn.src {
        case PseudoCall.helper:
            if HelperPrototype.isLoop(insn.imm) { markFuelled(pc) }
        case PseudoCall.kfunc:
            guard image.kfuncs.indices.contains(Int(insn.imm)) else { return }
            let kfunc = image.kfuncs[Int(insn.imm)]
            let callsBack = KfuncRule.rule(for: kfunc.name)?.effect?.callsBack ?? false
            if kfunc.flags.contains(.iterNext) || callsBack { markFuelled(pc) }
        default:
            if insn.imm < 0 { hasBackEdges = true }
            // Paths through the callee meet again behind the call.
            if pc + 1 < isPrunePoint.count { isPrunePoint[pc + 1] = true }
        }
    }

    private mutating func markFuelled(_ pc: Int) {
        isFuelled[pc] = true
        isPrunePoint[pc] = true
    }

    private func checkEnd(_ insns: [Instruction], of range: Range<Int>) throws(Rejection) {
        let last = insns[range.upperBound - 1]
        let ends = !isSecondSlot[range.upperBound - 1] && (last.isExit || ControlFlow.isUnconditional(last))
        if !ends && !isWeakened(.fallsOffTheEnd) {
            throw Rejection(
                .programStructure, "last insn is not an exit or jmp",
                reason: "Execution would run past the end of the function.",
                suggestion: "End every path of the function with return.")
        }
    }
}
