import BPF
import Verifier

/// Generates x86-64 code for one program: per subprog a list of steps, three analyses of it, and one pass that emits
/// code where values are wanted (see `Pending`).
///
/// Labels 0 ..< insns.count are the instructions, then come the subprogs' prologues, then the steps. Not copyable, since
/// it is large; the questions that emitters ask all the time are inlined, or each would be asked of a copy.
struct X86Generator: ~Copyable {
    let request: CompileRequest
    let insns: [Instruction]
    let facts: [InsnFacts]
    let shapes: [SubprogShape]
    let inlined: InlinedSubprogs
    /// How the main function gets its arguments without a context; nil: R1 is as the program expects it.
    let contextUse: ContextUse?
    var assembler: Assembler
    var needs: BodyNeeds = []

    /// One per subprog: its prologue.
    let bodyLabels: [Label]
    /// One per subprog that is a callback: its C-shaped thunk.
    var thunkLabels: [Int: Label] = [:]
    /// Code for the rare side of a branch, put behind the subprog that wants it.
    var coldPaths: [ColdPath] = []

    // MARK: The subprog at hand

    var list: StepList
    var liveness: Liveness
    var knowledge: Knowledge
    var registers: RegisterAssignment
    var frame: X86Frame
    /// Label of step 0; the others follow.
    var firstStepLabel: Int32 = 0
    /// Short loops that are still to come or begun, the next one last, and where the one at hand ends.
    private var loops: [ClosedRange<Int>] = []
    private var loopEnd: Label?
    /// The step at hand, and what matters behind it.
    var index = 0
    var live: RegisterHalves = 0
    /// By step register. Bit n of `pendingSet`: entry n is not `none`.
    var pending: [Pending]
    var pendingSet: UInt32 = 0
    /// The flags say whether this register is zero and what its sign is, as long as no code follows `offset`.
    var flags: (register: Register, width: Width, offset: Int32) = (.rsp, .b64, -1)

    /// Where calls by address go; nil: there are none, or they are plain.
    var retpoline: Label?
    var held = HeldStore(place: .none)
    /// What r11 holds, as long as no code follows `offset`.
    var scratch: (value: UInt64, offset: Int32) = (0, -1)
    /// No exit so far returns more than a lower half.
    private var subprogReturnsNarrow = true

    /// The rare side of a branch: bind `entry`, run, continue at `exit`.
    struct ColdPath {
        enum Action {
            /// A probed load outside the arena reads 0.
            case clear(Register)
            /// R1's iterator has no more numbers.
            case endNumbers
            /// Fuel went below zero: it is 0 again.
            case refillFuelToZero
        }
        var entry: Label
        var action: Action
        var exit: Label
    }

    init(_ request: CompileRequest) throws(JITError) {
        let image = request.program.image
        guard request.program.facts.count == image.insns.count, !image.insns.isEmpty else {
            throw .malformed(insn: 0, opcode: 0)
        }
        let shapes = request.subprogShapes(), inlined = try InlinedSubprogs(request, shapes)
        self.request = request
        self.shapes = shapes
        self.inlined = inlined
        insns = image.insns
        facts = request.program.facts
        assembler = Assembler(
            labelCount: insns.count + shapes.count, capacity: insns.count * 6 + shapes.count * 32)
        bodyLabels = shapes.indices.map { [count = insns.count] in Label(index: Int32(count + $0)) }
        contextUse = request.program.usesContext ? ContextUse(request, shape: shapes[0]) : nil
        if let contextUse {
            for slot in 0..<ContextUse.slotsMax where contextUse.usedSlots & 1 << UInt8(slot) != 0 {
                needs.insert(.argument(slot))
            }
        } else if request.program.usesContext {
            needs.insert(.context)
        }
        list = StepList()
        liveness = Liveness()
        knowledge = Knowledge()
        registers = RegisterAssignment(
            used: 0, makesCalls: true, needsScratch: true, usesBlock: true, sixthArgument: false)
        frame = X86Frame(stackBytes: 0, makesCalls: true, saved: [])
        pending = [Pending](repeating: .none, count: 17)
        for (index, shape) in shapes.enumerated() where shape.isCallback {
            thunkLabels[index] = assembler.makeLabel()
        }
    }

    mutating func run() throws(JITError) -> CompiledProgram {
        for index in shapes.indices where !inlined.contains(index) { try emitSubprog(index) }
        for (index, label) in thunkLabels.sorted(by: { $0.key < $1.key }) { emitThunk(of: index, at: label) }
        emitRetpoline()
        let output = assembler.finish(reporting: insns.count + shapes.count)
        return CompiledProgram(
            code: output.bytes,
            insnOffsets: insnOffsets(output.labelOffsets[..<insns.count]),
            subprogOffsets: Array(output.labelOffsets[insns.count...]),
            needs: needs)
    }

    /// An instruction of which nothing is left, and the second half of a wide one, counts to the one before.
    private func insnOffsets(_ labels: ArraySlice<Int32>) -> [Int32] {
        var last: Int32 = 0
        return labels.map { offset in
            if offset >= 0 { last = offset }
            return last
        }
    }

    private mutating func emitSubprog(_ number: Int) throws(JITError) {
        try prepareSubprog(number)
        assembler.bind(bodyLabels[number])
        frame.emitPrologue(&assembler)
        index = 0
        while index < list.steps.count {
            let step = list.steps[index]
            if list.arrivals[index] > 0 { arrive() }
            // A pass may have put several steps in the place of one instruction.
            assembler.bindFirst(Label(index: step.pc))
            live = liveness.after(index, step)
            try emit(step)
            dropDeadValues()
            if !request.options.optimises { flush(.max) }
            index += 1
            endLoop()
        }
        emitColdPaths()
        if number == 0, subprogReturnsNarrow { needs.insert(.narrowResult) }
    }

    /// Analyses, and all that depends on them.
    private mutating func prepareSubprog(_ number: Int) throws(JITError) {
        // One copy, not one for each analysis.
        let request = request
        let arguments = number == 0 ? contextUse : nil
        var shape = shapes[number]
        list = try StepList(request, shape.range, arguments: arguments, frameBytes: shape.stackBytes)
        let added = list.inline(inlined)
        if added.isChanged {
            shape.makesCalls = list.makesCalls(request)
            shape.needsScratch = shape.needsScratch || added.needsScratch
        }
        let usesBlock = !request.options.optimises || list.usesBlock(facts)
        if request.options.blindsConstants { list.blindConstants(insns) }
        if request.options.optimises { list.simplifyJumps() } else { list.countArrivals() }
        let sixth = arguments.map { $0.usedSlots & 1 << 5 != 0 } ?? false
        let needsScratch = !request.options.optimises || shape.needsScratch
        if request.options.optimises {
            let used = list.registersUsed()
            let room = RegisterAssignment.virtualRoom(
                used: used, makesCalls: shape.makesCalls, needsScratch: needsScratch,
                usesBlock: usesBlock, sixthArgument: sixth)
            let first = Step.virtualRegisters.lowerBound
            // A register would not be 0 where the program reads what it has not written.
            let promoted = StackSlots.promote(
                &list, count: shape.clearsStack || used & 1 << 10 == 0 ? 0 : room,
                programBytes: shape.stackBytes)
            RepeatedLoads.replace(in: &list, facts)
            list.simplifyShifts()
            list.arrangeLoops()
            CountedLoops.unroll(&list, spare: first + promoted..<first + UInt8(max(room, Int(promoted))))
        }
        let used = list.registersUsed()
        registers = RegisterAssignment(
            used: used, makesCalls: shape.makesCalls, needsScratch: needsScratch, usesBlock: usesBlock,
            sixthArgument: sixth)
        let kept = arguments.map { 8 * $0.framedSlots.count } ?? 0
        let ownBytes = (shape.stackBytes + 7) & ~7, namesStack = used & 1 << 10 != 0
        frame = X86Frame(
            stackBytes: namesStack ? ownBytes + kept : 0, makesCalls: shape.makesCalls,
            saved: registers.saved,
            clearedBytes: namesStack && shape.clearsStack ? ownBytes : 0)
        let returnsNothing = number == 0 && !request.program.returnsValue
        knowledge = Knowledge(list, request)
        liveness =
            request.options.optimises
            ? Liveness(list, knowledge, request, result: returnsNothing ? 0 : .both(0))
            : Liveness(everythingIn: list)
        loops = request.options.optimises ? list.shortLoops() : []
        loops.reverse()
        firstStepLabel = assembler.makeLabels(list.steps.count)
        pendingSet = 0
        subprogReturnsNarrow = true
    }

    /// A step that something jumps to: every path must bring values in the same places.
    private mutating func arrive() {
        // Values that only the jumps before need are gone already.
        emitHeldStore()
        flush(.max)
        startLoop()
        assembler.bind(label(of: index))
        flags.offset = -1
        scratch.offset = -1
    }

    private mutating func startLoop() {
        guard let loop = loops.last, loop.lowerBound == index else { return }
        let end = assembler.makeLabel()
        assembler.startLoop(until: end)
        needs.insert(.cacheLine)
        loopEnd = end
    }

    private mutating func endLoop() {
        guard let loop = loops.last, loop.upperBound < index else { return }
        if let loopEnd { assembler.bind(loopEnd) }
        loopEnd = nil
        loops.removeLast()
    }

    private mutating func emit(_ step: Step) throws(JITError) {
        if held.byteCount > 0, !keepsHeldStore(step) { emitHeldStore() }
        switch step.kind {
        case .nothing: return
        case .trap: return assembler.trap()
        case .goto: return emitGoto(step)
        case .plain: break
        }
        let insn = step.insn, pc = Int(step.pc)
        if request.options.optimises, let result = step.pureResult, !live.holds(result) { return }
        switch insn.instructionClass {
        case .alu: try emitALU(insn, .b32, at: pc)
        case .alu64: try emitALU(insn, .b64, at: pc)
        case .jmp where insn.isCall: try emitCall(insn, at: pc)
        case .jmp where insn.isExit: emitExit()
        case .jmp: try emitBranch(step, .b64)
        case .jmp32: try emitBranch(step, .b32)
        case .ld: try emitWideLoad(insn, at: pc)
        case .ldx: try emitLoad(insn, at: pc)
        case .st: try emitStoreImmediate(insn, at: pc)
        case .stx: try emitStore(insn, at: pc)
        }
    }

    private mutating func emitExit() {
        if liveness.before[index].holds(0) { settle(0) }
        if !knowledge.isNarrow(0, at: index) { subprogReturnsNarrow = false }
        pendingSet = 0
        frame.emitReturn(&assembler)
    }

    private mutating func emitColdPaths() {
        for path in coldPaths {
            assembler.bind(path.entry)
            switch path.action {
            case .clear(let register): assembler.clear(register)
            case .endNumbers:
                assembler.store(.b64, Memory(.rdi), constant: 0)
                assembler.clear(.rax)
            case .refillFuelToZero: assembler.store(.b64, BlockField.fuel, constant: 0)
            }
            assembler.jump(path.exit)
        }
        coldPaths.removeAll(keepingCapacity: true)
    }

    // MARK: What the emitters share

    func malformed(_ pc: Int) -> JITError { .malformed(insn: pc, opcode: insns[pc].opcode) }

    @inline(__always)
    func label(of step: Int) -> Label { Label(index: firstStepLabel + Int32(step)) }
}
