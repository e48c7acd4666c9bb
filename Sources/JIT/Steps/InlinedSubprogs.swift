import BPF
import Verifier

/// Small subprograms that take the place of their calls, all of them, so that nothing of their own is left.
///
/// What that saves is less the call than what goes with it: a caller without calls has no frame and keeps its values in
/// registers that nobody has to save.
struct InlinedSubprogs {
    /// Steps of one, and of all copies in a program together.
    private static let stepsMax = 12
    private static let copiedMax = 64

    struct Body {
        /// Without exits; targets count from 0, and behind the last step the caller goes on.
        var steps: [Step]
        var needsScratch: Bool
    }
    /// By the instruction that a subprogram starts with.
    private var bodies: [Int: Body] = [:]
    private var numbers = Set<Int>()

    func contains(_ subprog: Int) -> Bool { numbers.contains(subprog) }
    var isEmpty: Bool { bodies.isEmpty }

    init(_ request: CompileRequest, _ shapes: [SubprogShape]) throws(JITError) {
        guard request.options.optimises, shapes.count > 1 else { return }
        let insns = request.program.image.insns
        var callsByStart: [Int: Int] = [:]
        for pc in insns.indices where insns[pc].isSubprogCall && request.program.facts[pc].isReachable {
            callsByStart[pc + 1 + Int(insns[pc].imm), default: 0] += 1
        }
        var copied = 0
        for (number, shape) in shapes.enumerated().dropFirst() where shape.fitsAnywhere {
            guard shape.range.count <= InlinedSubprogs.stepsMax,
                let calls = callsByStart[shape.range.lowerBound]
            else { continue }
            let list = try StepList(request, shape.range, arguments: nil, frameBytes: 0)
            guard let steps = list.stepsInPlace() else { continue }
            guard copied + calls * steps.count <= InlinedSubprogs.copiedMax else { continue }
            copied += calls * steps.count
            bodies[shape.range.lowerBound] = Body(steps: steps, needsScratch: shape.needsScratch)
            numbers.insert(number)
        }
    }

    /// What a step becomes, if it calls one of these.
    func body(for step: Step) -> Body? {
        guard step.kind == .plain, step.insn.isCall, step.insn.src == PseudoCall.subprog else { return nil }
        return bodies[Int(step.pc) + 1 + Int(step.insn.imm)]
    }
}

extension Instruction {
    fileprivate var isSubprogCall: Bool { opcode == Opcode.call && registers >> 4 == PseudoCall.subprog }
}

extension SubprogShape {
    /// It calls nothing, has no frame, and leaves the registers alone that its caller keeps.
    fileprivate var fitsAnywhere: Bool { !makesCalls && !isCallback && registersUsed & 0x7c0 == 0 }
}

extension StepList {
    /// The steps of a subprogram that only goes forwards, with jumps behind its last step for exits; nil: it loops.
    fileprivate func stepsInPlace() -> [Step]? {
        // A trap stands behind the last instruction.
        var body = Array(steps.dropLast())
        guard let last = body.last, last.kind == .plain, last.insn.isExit else { return nil }
        body.removeLast()
        for index in body.indices {
            let step = body[index]
            if step.target >= 0, Int(step.target) <= index || Int(step.target) > body.count { return nil }
            if step.kind == .plain, step.insn.isExit {
                body[index] = Step(Decoded(opcode: Opcode.gotoShort), at: Int(step.pc), kind: .goto)
                body[index].target = Int32(body.count)
            }
        }
        return body
    }

    /// Puts subprograms in the place of their calls.
    ///
    /// - Returns: whether any has been, and whether these need scratch registers.
    mutating func inline(_ inlined: InlinedSubprogs) -> (isChanged: Bool, needsScratch: Bool) {
        guard !inlined.isEmpty, steps.contains(where: { inlined.body(for: $0) != nil }) else {
            return (false, false)
        }
        var placed: [Step] = [], moved: [Int32] = [], own: [Int] = [], needsScratch = false
        moved.reserveCapacity(steps.count)
        for step in steps {
            moved.append(Int32(placed.count))
            guard let body = inlined.body(for: step) else {
                own.append(placed.count)
                placed.append(step)
                continue
            }
            let start = Int32(placed.count)
            for var copy in body.steps {
                if copy.target >= 0 { copy.target += start }
                placed.append(copy)
            }
            needsScratch = needsScratch || body.needsScratch
        }
        for index in own where placed[index].target >= 0 {
            placed[index].target = moved[Int(placed[index].target)]
        }
        steps = placed
        return (true, needsScratch)
    }
}
