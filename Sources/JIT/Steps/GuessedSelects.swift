import BPF

/// Finds the selects that are better left to the branch predictor.
///
/// A conditional move waits for its condition and for both of its values; a branch that is guessed right waits for
/// nothing. Where the condition hangs on what the select itself made one turn of the loop before (a level that may not
/// exceed a limit, the next node of a tree), that wait is paid in every turn, one after the other, and is soon longer than
/// what wrong guesses cost. Elsewhere turns overlap, the wait costs nothing, and guesses would be wrong for nothing.
///
/// So the innermost loops are walked a few turns, counting when each value would be there at the earliest, once with
/// conditional moves and once with guesses that are right. What grows slower with guesses is a chain that they cut.
///
/// Source: the idea is LLVM's (X86CmovConversion, "Loop-based heuristics"); the counting here is simpler.
struct GuessedSelects {
    /// Cycles that a turn must get shorter by. A comparison with a limit is mostly guessed right; whatever else is
    /// compared may well be random, and a wrong guess costs about fifteen.
    private static let leastGainAtLimit = 2
    private static let leastGain = 5
    /// After so many turns each chain shows how fast it grows.
    private static let turns = 4
    /// Steps and selects of a loop that is looked at: many are a table in disguise, and take as long to count as to emit.
    private static let stepsMax = 160
    private static let selectsMax = 4

    /// - Returns: whether any was found; then blocks end where they did not before.
    static func mark(in list: inout StepList, _ blocks: BlockList, _ loops: LoopNest) -> Bool {
        guard list.steps.indices.contains(where: { list.isSelect(at: $0) }) else { return false }
        var hasMarked = false
        for members in loops.innermostLoops() {
            let ranges = members.map { blocks.range($0) }
            let selects = ranges.reduce(0) { $0 + $1.count { list.isSelect(at: $0) } }
            guard (1...selectsMax).contains(selects), ranges.reduce(0, { $0 + $1.count }) <= stepsMax else {
                continue
            }
            if mark(ranges, in: &list) { hasMarked = true }
        }
        return hasMarked
    }

    /// When the condition of a select is known in a turn.
    private struct Condition {
        var moved = 0
        var guessed = 0
    }

    /// - Parameter ranges: the blocks of one loop, in the order of a turn.
    private static func mark(_ ranges: [Range<Int>], in list: inout StepList) -> Bool {
        let order = ranges.flatMap { Array($0) }
        // Only what waits for itself can gain; where nothing does, there is nothing to count.
        let waiting = order.indices.filter {
            list.isSelect(at: order[$0]) && list.waitsForItself(order, $0)
        }.map { order[$0] }
        guard !waiting.isEmpty else { return false }
        var moved = Readiness(), guessed = Readiness()
        var conditions: [Int: Condition] = [:]
        for turn in 1...turns {
            var position = 0
            while position < order.count {
                let index = order[position]
                position += 1
                guard list.isSelect(at: index) else {
                    moved.take(list.steps[index])
                    guessed.take(list.steps[index])
                    continue
                }
                let branch = list.steps[index], move = list.steps[index + 1]
                position += 1
                let before = conditions[index] ?? Condition()
                let condition = Condition(moved: moved.condition(branch), guessed: guessed.condition(branch))
                conditions[index] = condition
                moved.select(move, waitingFor: condition.moved)
                guessed.guess(move)
                guard turn == turns else { continue }
                let gain = (condition.moved - before.moved) - (condition.guessed - before.guessed)
                let least = branch.insn.comparesWithLimit ? leastGainAtLimit : leastGain
                if gain >= least, waiting.contains(index) { list.steps[index].isGuessed = true }
            }
        }
        return waiting.contains { list.steps[$0].isGuessed }
    }
}

extension StepList {
    /// Whether what a select makes has a part in its condition one turn later.
    fileprivate func waitsForItself(_ order: [Int], _ position: Int) -> Bool {
        var made: UInt32 = 1 << UInt32(steps[order[position] + 1].insn.dst)
        for distance in 2..<order.count {
            let step = steps[order[(position + distance) % order.count]]
            guard step.kind == .plain else { continue }
            let insn = step.insn, dst = UInt32(1) << UInt32(insn.dst), src = UInt32(1) << UInt32(insn.src)
            switch insn.instructionClass {
            case .ld: made &= ~dst
            case .ldx: made = made & src == 0 ? made & ~dst : made | dst
            case .alu, .alu64:
                let isFed = insn.usesRegister && made & src != 0
                if isFed { made |= dst } else if insn.operation == Opcode.mov { made &= ~dst }
            case .jmp where insn.isCall: made &= ~0x3f
            case .st, .stx, .jmp, .jmp32: break
            }
        }
        let compared = steps[order[position]].insn
        var operands: UInt32 = 1 << UInt32(compared.dst)
        if compared.usesRegister { operands |= 1 << UInt32(compared.src) }
        return made & operands != 0
    }
}

/// When each register of the steps holds its value, in cycles from the start of a loop.
private struct Readiness {
    private var cycles = [16 of Int](repeating: 0)

    private static let loadCycles = 4
    private static let multiplyCycles = 3
    private static let divideCycles = 12

    mutating func take(_ step: Step) {
        guard step.kind == .plain else { return }
        let insn = step.insn, dst = Int(insn.dst)
        switch insn.instructionClass {
        case .ld: cycles[dst] = 0
        case .ldx: cycles[dst] = cycles[Int(insn.src)] + Readiness.loadCycles
        case .alu, .alu64:
            let source = insn.usesRegister ? cycles[Int(insn.src)] : 0
            switch insn.operation {
            case Opcode.mov: cycles[dst] = source + (insn.offset == 0 ? 0 : 1)
            case Opcode.mul: cycles[dst] = max(cycles[dst], source) + Readiness.multiplyCycles
            case Opcode.div, Opcode.mod: cycles[dst] = max(cycles[dst], source) + Readiness.divideCycles
            default: cycles[dst] = max(cycles[dst], source) + 1
            }
        case .jmp where insn.isCall: cycles[0] = 0
        case .st, .stx, .jmp, .jmp32: break
        }
    }

    /// When the flags of a comparison are there.
    func condition(_ branch: Step) -> Int {
        let insn = branch.insn
        return max(cycles[Int(insn.dst)], insn.usesRegister ? cycles[Int(insn.src)] : 0) + 1
    }

    /// `if (c) goto over; x = y;` as a conditional move.
    mutating func select(_ move: Step, waitingFor condition: Int) {
        guess(move)
        let dst = Int(move.insn.dst)
        cycles[dst] = max(condition, cycles[dst]) + 1
    }

    /// The same where x is known without the condition.
    mutating func guess(_ move: Step) {
        let dst = Int(move.insn.dst)
        cycles[dst] = max(cycles[dst], move.insn.usesRegister ? cycles[Int(move.insn.src)] : 0)
    }
}

extension Decoded {
    /// Whether it asks on which side of a constant a value lies, and not merely for its sign.
    fileprivate var comparesWithLimit: Bool {
        guard !usesRegister else { return false }
        switch operation {
        case Opcode.jgt, Opcode.jge, Opcode.jlt, Opcode.jle: return true
        case Opcode.jsgt, Opcode.jsge, Opcode.jslt, Opcode.jsle: return !(-1...1).contains(imm)
        default: return false
        }
    }
}
