import BPF
import Verifier

/// Generates x86-64 code for one program, one BPF instruction after the other, in one pass.
///
/// Labels 0 ..< insns.count are the instructions; subprogs begin with a prologue, which has a label of its own since a
/// loop may jump back to the first instruction.
struct X86Generator {
    let request: CompileRequest
    let insns: [Instruction]
    let facts: [InsnFacts]
    let shapes: [SubprogShape]
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
    var frame: X86Frame

    /// The rare side of a branch: bind `entry`, run, continue at `exit`.
    struct ColdPath {
        enum Action {
            /// A probed load outside the arena reads 0.
            case clear(Register)
            /// Fuel went below zero: it is 0 again.
            case refillFuelToZero
        }
        var entry: Label
        var action: Action
        var exit: Label
    }

    init(_ request: CompileRequest) throws(JITError) {
        self.request = request
        insns = request.program.image.insns
        facts = request.program.facts
        shapes = request.subprogShapes()
        guard facts.count == insns.count, !insns.isEmpty else { throw .malformed(insn: 0, opcode: 0) }
        assembler = Assembler(
            labelCount: insns.count + shapes.count, capacity: insns.count * 6 + shapes.count * 32)
        bodyLabels = shapes.indices.map { [count = insns.count] in Label(index: Int32(count + $0)) }
        contextUse = request.program.usesContext ? ContextUse(request, shape: shapes[0]) : nil
        frame = X86Frame(shapes[0])
        if let contextUse {
            for slot in 0..<ContextUse.slotsMax where contextUse.usedSlots & 1 << UInt8(slot) != 0 {
                needs.insert(.argument(slot))
            }
        } else if request.program.usesContext {
            needs.insert(.context)
        }
        for (index, shape) in shapes.enumerated() where shape.isCallback {
            thunkLabels[index] = assembler.makeLabel()
        }
    }

    mutating func run() throws(JITError) -> CompiledProgram {
        for index in shapes.indices { try emitSubprog(index) }
        for (index, label) in thunkLabels.sorted(by: { $0.key < $1.key }) { emitThunk(of: index, at: label) }
        let output = assembler.finish(reporting: insns.count + shapes.count)
        return CompiledProgram(
            code: output.bytes,
            insnOffsets: Array(output.labelOffsets[..<insns.count]),
            subprogOffsets: Array(output.labelOffsets[insns.count...]),
            needs: needs)
    }

    private mutating func emitSubprog(_ index: Int) throws(JITError) {
        let shape = shapes[index]
        frame = X86Frame(shape, argumentSlots: index == 0 ? contextUse?.framedSlots ?? [] : [])
        assembler.bind(bodyLabels[index])
        frame.emitPrologue(&assembler)
        var pc = shape.range.lowerBound
        while pc < shape.range.upperBound {
            assembler.bind(Label(index: Int32(pc)))
            let insn = insns[pc]
            let isWide = insn.isWideLoad && pc + 1 < shape.range.upperBound
            if facts[pc].isReachable {
                try emit(insn, at: pc)
            } else if pc == shape.range.lowerBound || facts[pc - 1].isReachable {
                // One trap stands for a run of unreachable instructions.
                assembler.trap()
            }
            if isWide { assembler.bind(Label(index: Int32(pc + 1))) }
            pc += isWide ? 2 : 1
        }
        emitColdPaths()
    }

    private mutating func emit(_ insn: Instruction, at pc: Int) throws(JITError) {
        guard insn.dst <= 10, insn.src <= 10 else { throw malformed(pc) }
        switch insn.instructionClass {
        case .alu: try emitALU(insn, .b32, at: pc)
        case .alu64: try emitALU(insn, .b64, at: pc)
        case .jmp: try emitJump(insn, .b64, at: pc)
        case .jmp32: try emitJump(insn, .b32, at: pc)
        case .ld: try emitWideLoad(insn, at: pc)
        case .ldx: try emitLoad(insn, at: pc)
        case .st: try emitStoreImmediate(insn, at: pc)
        case .stx: try emitStore(insn, at: pc)
        }
    }

    private mutating func emitColdPaths() {
        for path in coldPaths {
            assembler.bind(path.entry)
            switch path.action {
            case .clear(let register): assembler.clear(register)
            case .refillFuelToZero: assembler.store(.b64, BlockField.fuel, constant: 0)
            }
            assembler.jump(path.exit)
        }
        coldPaths.removeAll(keepingCapacity: true)
    }

    // MARK: What the emitters share

    func machine(_ register: UInt8) -> Register { RegisterMap.machine[Int(register)] }

    func malformed(_ pc: Int) -> JITError { .malformed(insn: pc, opcode: insns[pc].opcode) }

    /// Label of the instruction `distance` slots after the one behind `pc`.
    func target(of pc: Int, distance: Int) throws(JITError) -> Label {
        let target = pc + 1 + distance
        guard insns.indices.contains(target) else { throw malformed(pc) }
        return Label(index: Int32(target))
    }
}
