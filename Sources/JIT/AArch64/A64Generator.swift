import BPF
import Verifier

/// Generates AArch64 code for one program, one BPF instruction after the other, in one pass, with nothing kept in mind
/// from one to the next.
///
/// Labels are those of `X86Generator`: 0 ..< insns.count are the instructions, then one per subprog.
struct A64Generator {
    let request: CompileRequest
    let insns: [Instruction]
    let facts: [InsnFacts]
    let shapes: [SubprogShape]
    /// Conditional branches reach 1 MiB; in code beyond that they jump around an unconditional one.
    let branchesFar: Bool
    var assembler: A64Assembler
    var needs: BodyNeeds = []

    /// One per subprog: its prologue.
    let bodyLabels: [Label]
    /// One per subprog that is a callback: its C-shaped thunk.
    var thunkLabels: [Int: Label] = [:]
    /// Loads outside the arena, which read 0: bind the first label, clear, go to the second.
    var missedLoads: [(entry: Label, register: A64Register, exit: Label)] = []
    var frame: A64Frame

    static func compile(_ request: CompileRequest) throws(JITError) -> CompiledProgram {
        var generator = try A64Generator(request, branchesFar: false)
        if let compiled = try generator.run() { return compiled }
        var far = try A64Generator(request, branchesFar: true)
        guard let compiled = try far.run() else {
            throw .unsupported(insn: 0, what: "a callback more than 1 MiB away from what names it")
        }
        return compiled
    }

    private init(_ request: CompileRequest, branchesFar: Bool) throws(JITError) {
        self.request = request
        self.branchesFar = branchesFar
        insns = request.program.image.insns
        facts = request.program.facts
        shapes = request.subprogShapes()
        guard facts.count == insns.count, !insns.isEmpty else { throw .malformed(insn: 0, opcode: 0) }
        assembler = A64Assembler(labelCount: insns.count + shapes.count, capacity: insns.count * 3)
        bodyLabels = shapes.indices.map { [count = insns.count] in Label(index: Int32(count + $0)) }
        frame = A64Frame(shapes[0])
        if request.program.usesContext { needs.insert(.context) }
        for (index, shape) in shapes.enumerated() where shape.isCallback {
            thunkLabels[index] = assembler.makeLabel()
        }
    }

    /// - Returns: nil if a branch does not reach its target.
    private mutating func run() throws(JITError) -> CompiledProgram? {
        for index in shapes.indices { try emitSubprog(index) }
        for (index, label) in thunkLabels.sorted(by: { $0.key < $1.key }) { emitThunk(of: index, at: label) }
        guard let output = assembler.finish(reporting: insns.count + shapes.count) else { return nil }
        return CompiledProgram(
            code: output.bytes,
            insnOffsets: Array(output.labelOffsets[..<insns.count]),
            subprogOffsets: Array(output.labelOffsets[insns.count...]),
            needs: needs)
    }

    private mutating func emitSubprog(_ index: Int) throws(JITError) {
        let shape = shapes[index]
        frame = A64Frame(shape)
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
        for missed in missedLoads {
            assembler.bind(missed.entry)
            assembler.move(.x, missed.register, .zero)
            assembler.branch(missed.exit)
        }
        missedLoads.removeAll(keepingCapacity: true)
    }

    private mutating func emit(_ insn: Instruction, at pc: Int) throws(JITError) {
        guard insn.dst <= 10, insn.src <= 10 else { throw malformed(pc) }
        switch insn.instructionClass {
        case .alu: try emitALU(insn, .w, at: pc)
        case .alu64: try emitALU(insn, .x, at: pc)
        case .jmp: try emitJump(insn, .x, at: pc)
        case .jmp32: try emitJump(insn, .w, at: pc)
        case .ld: try emitWideLoad(insn, at: pc)
        case .ldx: try emitLoad(insn, at: pc)
        case .st, .stx: try emitStore(insn, at: pc)
        }
    }

    // MARK: What the emitters share

    func machine(_ register: UInt8) -> A64Register { A64RegisterMap.machine[Int(register)] }

    func malformed(_ pc: Int) -> JITError { .malformed(insn: pc, opcode: insns[pc].opcode) }

    /// Label of the instruction `distance` slots after the one behind `pc`.
    func target(of pc: Int, distance: Int) throws(JITError) -> Label {
        let target = pc + 1 + distance
        guard insns.indices.contains(target) else { throw malformed(pc) }
        return Label(index: Int32(target))
    }

    /// `dst = base + offset`, for any offset. May use `dst` on the way, so it must not be `base` for a large one.
    mutating func loadAddress(_ dst: A64Register, _ base: A64Register, _ offset: Int) {
        if A64Assembler.isAddImmediate(Int64(offset)) {
            assembler.add(.x, dst, base, immediate: Int32(offset))
        } else {
            assembler.set(dst, UInt64(bitPattern: Int64(offset)))
            assembler.operate(.add, .x, dst, base, dst)
        }
    }

    mutating func branch(_ condition: A64Condition, _ label: Label) {
        guard branchesFar else { return assembler.branch(condition, label) }
        let around = assembler.makeLabel()
        assembler.branch(condition.inverted, around)
        assembler.branch(label)
        assembler.bind(around)
    }

    /// Goes to `label` if the register is zero, or if it is not.
    mutating func branch(
        ifZero: Bool, _ width: A64Width, _ register: A64Register, _ label: Label
    ) {
        if branchesFar {
            assembler.operate(.subs, width, .zero, register, .zero)
            branch(ifZero ? .equal : .notEqual, label)
        } else if ifZero {
            assembler.branchIfZero(width, register, label)
        } else {
            assembler.branchIfNotZero(width, register, label)
        }
    }
}
