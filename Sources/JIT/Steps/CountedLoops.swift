import BPF
import Verifier

/// Repeats the bodies of small loops whose number of turns is known, so that several turns share one jump and one count.
///
/// What a turn adds to the counter becomes a displacement of the next turn's addresses, and a sum over all turns is kept
/// in two registers, so that its additions need not wait for each other. clang does this for processors whose width it
/// knows; for BPF it does not. A jump taken costs a cycle or two whatever the turn, which short turns feel most.
struct CountedLoops {
    /// Turns that share a jump: of bodies up to so many steps.
    private static let sharings = [(turns: 4, bodyMax: 7), (turns: 2, bodyMax: bodyMax)]
    private static let bodyMax = 16
    /// All copies in a subprog, and their share of its steps: small programs stay small.
    private static let copiedMax = 40
    private static let copiedShare = (of: 5, most: 4)

    private struct Loop {
        /// Body, the branch back included.
        var range: Range<Int>
        var turns: Int
    }

    /// - Parameter spare: virtual registers that nothing uses, for second sums.
    static func unroll(_ list: inout StepList, spare: Range<UInt8>) {
        var spare = spare, index = 0
        var room = min(copiedMax, list.steps.count * copiedShare.most / copiedShare.of)
        while index < list.steps.count {
            defer { index += 1 }
            guard let loop = loop(endingAt: index, list) else { continue }
            let body = loop.range.count - 1
            for (shared, bodyMax) in sharings where body <= bodyMax && loop.turns >= 2 * shared {
                let rest = loop.turns % shared, copied = (shared - 1 + rest) * body
                guard copied <= room else { continue }
                room -= copied
                index += list.repeatBody(loop.range, turns: shared, before: rest, spare: &spare)
                // The next loop, further down, is found by them.
                list.countArrivals()
                break
            }
        }
    }

    /// A loop with one way in and one way back, whose counter starts at a constant, is changed once a turn by a constant
    /// and compared with one. Inside it may branch forwards, and leave for anywhere.
    private static func loop(endingAt end: Int, _ list: StepList) -> Loop? {
        let branch = list.steps[end], insn = branch.insn
        guard branch.isBranch, Int(branch.target) < end, !insn.usesRegister, insn.opcode != Opcode.mayGoto,
            insn.operation == Opcode.jne || insn.operation == Opcode.jlt
        else { return nil }
        let head = Int(branch.target)
        guard end - head <= bodyMax, list.arrivals[head] == 1 else { return nil }
        var count: Int?
        // Jumps inside that lead to each step, and the step up to which some path leaves out what lies between.
        var arrivals = [17 of UInt16](repeating: 0), skippedTo = head
        arrivals[0] = 1
        for index in head...end {
            let step = list.steps[index]
            guard list.arrivals[index] == arrivals[index - head], step.kind != .trap else { return nil }
            guard index < end, step.kind != .nothing else { continue }
            let target = Int(step.target)
            if target >= head, target <= end {
                guard target > index else { return nil }
                arrivals[target - head] += 1
                skippedTo = max(skippedTo, target)
            }
            guard step.kind == .plain else { continue }
            switch step.insn.instructionClass {
            case .jmp, .jmp32: if target < 0 || step.insn.opcode == Opcode.mayGoto { return nil }
            case .alu, .alu64, .ld, .ldx:
                guard step.insn.dst == insn.dst else { continue }
                guard count == nil, index >= skippedTo, step.addedConstant != nil else { return nil }
                count = index
            case .st: break
            case .stx: if step.insn.mode == Opcode.modeAtomic { return nil }
            }
        }
        guard let count, let added = list.steps[count].addedConstant,
            let start = list.constant(of: insn.dst, before: head)
        else { return nil }
        // All values stay far from where any width would wrap.
        let limit = Int64(insn.imm), distance = limit - start, step = Int64(added)
        guard start >= 0, limit >= 0, step != 0, distance / step > 0, distance % step == 0 || step > 0,
            insn.operation == Opcode.jlt ? step > 0 : distance % step == 0
        else { return nil }
        // Only a count upwards may step over its limit.
        let turns = step > 0 ? (distance + step - 1) / step : distance / step
        return Loop(range: head..<end + 1, turns: Int(turns))
    }
}

extension Step {
    /// The constant that a step adds to its register.
    fileprivate var addedConstant: Int32? {
        guard kind == .plain else { return nil }
        switch insn.opcode {
        case Opcode.add | 0x07, Opcode.add | 0x04: return insn.imm
        default: return nil
        }
    }

    /// x of `r += x` or `r ^= x`: sums whose terms can be taken in any order, and start from 0.
    fileprivate var sum: (register: UInt8, term: UInt8)? {
        guard kind == .plain, insn.dst != insn.src else { return nil }
        switch insn.opcode {
        case Opcode.add | 0x0f, Opcode.add | 0x0c, Opcode.xor | 0x0f, Opcode.xor | 0x0c:
            return (insn.dst, insn.src)
        default: return nil
        }
    }

    fileprivate func writes(_ register: UInt8) -> Bool {
        switch insn.instructionClass {
        case .alu, .alu64, .ld, .ldx: return insn.dst == register
        // Those that fetch write their source, others R0 or their first operand.
        case .stx where insn.mode == Opcode.modeAtomic: return true
        case .st, .stx, .jmp, .jmp32: return false
        }
    }

    fileprivate func names(_ register: UInt8) -> Bool {
        guard kind == .plain else { return false }
        switch insn.instructionClass {
        case .ld: return insn.dst == register
        case .ldx, .stx: return insn.dst == register || insn.src == register
        case .st: return insn.dst == register
        case .alu, .alu64, .jmp, .jmp32:
            return insn.dst == register || insn.usesRegister && insn.src == register
        }
    }
}

extension StepList {
    /// What a register holds before a step, where straight code before it says so.
    fileprivate func constant(of register: UInt8, before index: Int) -> Int64? {
        var index = index - 1
        while index >= 0 {
            let step = steps[index]
            if step.kind != .nothing {
                guard step.kind == .plain, !step.insn.isExit, !step.insn.isCall else { return nil }
                if step.writes(register) {
                    let isMove =
                        step.insn.opcode == Opcode.mov | 0x07 || step.insn.opcode == Opcode.mov | 0x04
                    return isMove ? Int64(step.insn.imm) : nil
                }
            }
            if arrivals[index] > 0 { return nil }
            index -= 1
        }
        return nil
    }

    /// Puts `before` copies of a loop's body before it and makes each turn of the loop `turns` of its own.
    ///
    /// - Returns: how many steps came before the last of the loop.
    fileprivate mutating func repeatBody(
        _ range: Range<Int>, turns: Int, before: Int, spare: inout Range<UInt8>
    ) -> Int {
        let body = Array(steps[range]), turn = Array(body.dropLast())
        var replacement: [Step] = []
        // One sum gets a second register; where turns may end early, it could be missing.
        var second: (sum: UInt8, register: UInt8, width: Width, isXor: Bool)?
        if turn.allSatisfy({ $0.target < 0 }),
            let sum = turn.lazy.compactMap(\.sum).first(where: { sum in
                turn.filter { $0.names(sum.register) }.count == 1
            }),
            let register = spare.popFirst(),
            let insn = turn.first(where: { $0.sum?.register == sum.register })?.insn
        {
            let width: Width = insn.instructionClass == .alu64 ? .b64 : .b32
            second = (sum.register, register, width, insn.operation == Opcode.xor)
            replacement.append(Step(.move(.b64, register, constant: 0), at: Int(body[0].pc)))
        }
        let added = (before + turns - 1) * turn.count + (second == nil ? 0 : 2)
        for number in 0..<before + turns {
            let moved = Int32(replacement.count)
            for var step in turn {
                if let second, number % 2 == 1, step.sum?.register == second.sum {
                    step.insn.dst = second.register
                }
                if step.target >= range.upperBound {
                    step.target += Int32(added)
                } else if step.target >= range.lowerBound {
                    // The jump back of a turn is the start of the next one.
                    step.target += moved
                }
                replacement.append(step)
            }
        }
        let head = range.lowerBound + replacement.count - turns * turn.count
        var branch = body[body.count - 1]
        branch.target = Int32(head)
        replacement.append(branch)
        if let second {
            let code: UInt8 = second.width == .b64 ? 0x0f : 0x0c
            let operation = second.isXor ? Opcode.xor : Opcode.add
            replacement.append(
                Step(
                    Decoded(opcode: operation | code, dst: second.sum, src: second.register),
                    at: Int(branch.pc)))
        }
        // Jumps to what lies behind move along; none goes into the loop from outside.
        for index in steps.indices where Int(steps[index].target) > range.lowerBound && !range.contains(index)
        {
            steps[index].target += Int32(added)
        }
        steps.replaceSubrange(range, with: replacement)
        return added
    }
}
