import BPF

/// Jumps that clang leaves behind: jumps to jumps, and branches around jumps.
extension StepList {
    mutating func simplifyJumps() {
        removeUnreachableBranches()
        for index in steps.indices where steps[index].target >= 0 {
            steps[index].target = threaded(steps[index].target)
        }
        countArrivals()
        removeTraps()
        invertBranches()
        for index in steps.indices
        where steps[index].kind == .goto && nextStep(after: index) == Int(steps[index].target) {
            steps[index].kind = .nothing
            removeArrival(at: Int(steps[index].target))
        }
    }

    /// A side that no path takes needs no jump. (`may_goto` counts fuel whichever way it goes.)
    private mutating func removeUnreachableBranches() {
        for index in steps.indices where steps[index].isBranch && steps[index].insn.opcode != Opcode.mayGoto {
            if steps[Int(steps[index].target)].kind == .trap {
                steps[index].kind = .nothing
            } else if index + 1 < steps.count, steps[index + 1].kind == .trap {
                steps[index].kind = .goto
            }
        }
    }

    /// Traps between steps that follow each other would only be jumped over.
    private mutating func removeTraps() {
        var isReached = true
        for index in steps.indices.dropLast() {
            if arrivals[index] > 0 { isReached = true }
            if steps[index].kind == .trap, !isReached { steps[index].kind = .nothing }
            if steps[index].endsFlow { isReached = false }
        }
    }

    /// Where a jump to `target` really goes, gotos followed.
    private func threaded(_ target: Int32) -> Int32 {
        var target = target
        // A chain of gotos in accepted code is short; a ring of them would not end.
        for _ in 0..<8 {
            let next = nextStep(from: Int(target))
            guard next < steps.count, steps[next].kind == .goto else { return Int32(next) }
            target = steps[next].target
        }
        return target
    }

    /// Whether nothing is left between `index` and `target`.
    func isNext(_ target: Int, after index: Int) -> Bool { nextStep(after: index) == target }

    private func nextStep(after index: Int) -> Int { nextStep(from: index + 1) }

    /// The first step at or behind `index` that does something.
    private func nextStep(from index: Int) -> Int {
        var index = index
        while index + 1 < steps.count, steps[index].kind == .nothing { index += 1 }
        return index
    }

    /// `if (c) goto next; goto far;` becomes `if (!c) goto far;`.
    private mutating func invertBranches() {
        for index in steps.indices where steps[index].isBranch && index + 1 < steps.count {
            let far = index + 1
            guard steps[far].kind == .goto, arrivals[far] == 0,
                nextStep(after: far) == Int(steps[index].target),
                let inverted = steps[index].insn.invertedJump
            else { continue }
            removeArrival(at: Int(steps[index].target))
            steps[index].insn.opcode = inverted
            steps[index].target = steps[far].target
            steps[far].kind = .nothing
        }
    }
}

extension Decoded {
    /// The opcode of the jump taken exactly when this one is not; nil for `jset` and `may_goto`, which have none.
    var invertedJump: UInt8? {
        let operation: UInt8
        switch self.operation {
        case Opcode.jeq: operation = Opcode.jne
        case Opcode.jne: operation = Opcode.jeq
        case Opcode.jgt: operation = Opcode.jle
        case Opcode.jge: operation = Opcode.jlt
        case Opcode.jlt: operation = Opcode.jge
        case Opcode.jle: operation = Opcode.jgt
        case Opcode.jsgt: operation = Opcode.jsle
        case Opcode.jsge: operation = Opcode.jslt
        case Opcode.jslt: operation = Opcode.jsge
        case Opcode.jsle: operation = Opcode.jsgt
        default: return nil
        }
        return opcode & 0x0f | operation
    }
}
