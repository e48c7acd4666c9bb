import BPF
import Verifier

/// Small subprograms, and kfuncs with a known body, that take the place of their calls: of a subprogram all, so that
/// nothing of its own is left.
///
/// What that saves is less the call than what goes with it: a caller without calls has no frame and keeps its values in
/// registers that nobody has to save.
struct InlinedSubprogs {
    /// Steps of one, and of all copies in a program together.
    private static let stepsMax = 12
    private static let copiedMax = 64
    /// The same of kfuncs. Theirs may be longer, since a call by address takes longer too.
    private static let kfuncStepsMax = 24
    private static let kfuncsCopiedMax = 96

    struct Body {
        /// Without exits; targets count from 0, and behind the last step the caller goes on.
        var steps: [Step]
        var needsScratch: Bool
        /// The steps stand in no image; what they become belongs to the instruction that calls.
        var isKfunc = false
    }
    /// By the instruction that a subprogram starts with.
    private var bodies: [Int: Body] = [:]
    private var numbers = Set<Int>()
    /// By index into the image's kfuncs.
    private var kfuncs: [Int: Body] = [:]

    func contains(_ subprog: Int) -> Bool { numbers.contains(subprog) }
    var isEmpty: Bool { bodies.isEmpty && kfuncs.isEmpty }

    init(_ request: CompileRequest, _ shapes: [SubprogShape]) throws(JITError) {
        guard request.options.optimises else { return }
        if shapes.count > 1 { try addSubprogs(request, shapes) }
        let hasBodies = request.kfuncBodies.contains { !$0.isEmpty }
        if request.options.inlinesHelpers, hasBodies { try addKfuncs(request) }
    }

    private mutating func addSubprogs(_ request: CompileRequest, _ shapes: [SubprogShape]) throws(JITError) {
        let insns = request.program.image.insns
        var callsByStart: [Int: Int] = [:]
        for pc in insns.indices
        where insns[pc].isCall(PseudoCall.subprog) && request.program.facts[pc].isReachable {
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

    private mutating func addKfuncs(_ request: CompileRequest) throws(JITError) {
        let insns = request.program.image.insns
        var calls = [Int](repeating: 0, count: request.kfuncBodies.count)
        for pc in insns.indices
        where insns[pc].isCall(PseudoCall.kfunc) && request.program.facts[pc].isReachable {
            if calls.indices.contains(Int(insns[pc].imm)) { calls[Int(insns[pc].imm)] += 1 }
        }
        var copied = 0
        for (number, body) in request.kfuncBodies.enumerated() where calls[number] > 0 && !body.isEmpty {
            guard body.count <= InlinedSubprogs.kfuncStepsMax, body.allSatisfy(\.fitsAnywhere),
                let steps = try StepList(body).stepsInPlace(),
                copied + calls[number] * steps.count <= InlinedSubprogs.kfuncsCopiedMax
            else { continue }
            copied += calls[number] * steps.count
            kfuncs[number] = Body(
                steps: steps,
                needsScratch: steps.contains { request.needsScratch($0.insn, inlined: nil) }, isKfunc: true)
        }
    }

    /// What a step becomes, if it calls one of these.
    func body(for step: Step) -> Body? {
        guard step.kind == .plain, step.insn.isCall else { return nil }
        switch step.insn.src {
        case PseudoCall.subprog: return bodies[Int(step.pc) + 1 + Int(step.insn.imm)]
        case PseudoCall.kfunc: return kfuncs[Int(step.insn.imm)]
        default: return nil
        }
    }
}

extension Instruction {
    fileprivate func isCall(_ kind: UInt8) -> Bool { opcode == Opcode.call && registers >> 4 == kind }

    /// It works on R0–R5 and memory, and refers to nothing of an image.
    fileprivate var fitsAnywhere: Bool {
        guard dst <= 5, src <= 5 else { return false }
        switch instructionClass {
        case .ld: return false
        case .jmp, .jmp32: return opcode != Opcode.call && opcode != Opcode.callx && opcode != Opcode.mayGoto
        case .ldx, .st, .stx, .alu, .alu64: return true
        }
    }
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
                if body.isKfunc { copy.pc = step.pc }
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
