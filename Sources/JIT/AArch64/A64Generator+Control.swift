import BPF
import Verifier

/// Jumps, `may_goto`, exits, calls, callback thunks.
extension A64Generator {
    mutating func emitJump(_ insn: Instruction, _ width: A64Width, at pc: Int) throws(JITError) {
        switch insn.opcode {
        case Opcode.gotoShort: try emitGoto(distance: Int(insn.offset), at: pc)
        case Opcode.gotoLong: try emitGoto(distance: Int(insn.imm), at: pc)
        case Opcode.call: try emitCall(insn, at: pc)
        case Opcode.exit: frame.emitReturn(&assembler)
        case Opcode.mayGoto: drawFuel(orGoTo: try target(of: pc, distance: Int(insn.offset)))
        default: try emitConditionalJump(insn, width, at: pc)
        }
    }

    private mutating func emitGoto(distance: Int, at pc: Int) throws(JITError) {
        let label = try target(of: pc, distance: distance)
        if distance != 0 { assembler.branch(label) }
    }

    private mutating func emitConditionalJump(
        _ insn: Instruction, _ width: A64Width, at pc: Int
    ) throws(JITError) {
        guard let condition = A64Condition(jump: insn.operation) else { throw malformed(pc) }
        let label = try target(of: pc, distance: Int(insn.offset))
        let left = machine(insn.dst)
        let isEquality = insn.operation == Opcode.jeq || insn.operation == Opcode.jne
        if insn.operation == Opcode.jset {
            assembler.test(width, left, operand(insn, width))
        } else if insn.usesRegister {
            assembler.compare(width, left, machine(insn.src))
        } else if insn.imm == 0, isEquality {
            return branch(ifZero: insn.operation == Opcode.jeq, width, left, label)
        } else if A64Assembler.isAddImmediate(Int64(insn.imm)) {
            assembler.compare(width, left, immediate: insn.imm)
        } else {
            assembler.compare(width, left, operand(insn, width))
        }
        branch(condition, label)
    }

    /// Takes one unit of fuel, or leaves it at 0 and goes to `label`.
    mutating func drawFuel(orGoTo label: Label) {
        needs.formUnion([.block, .fuel])
        let fuel = A64RegisterMap.scratch1
        assembler.load(.double, fuel, A64RegisterMap.block, BlockField.fuel.blockOffset)
        branch(ifZero: true, .x, fuel, label)
        assembler.add(.x, fuel, fuel, immediate: -1)
        assembler.store(.double, A64RegisterMap.block, BlockField.fuel.blockOffset, fuel)
    }

    // MARK: Calls

    private mutating func emitCall(_ insn: Instruction, at pc: Int) throws(JITError) {
        if let inlined = request.inlinedCall(at: pc) { return try emit(inlined, at: pc) }
        switch insn.src {
        case PseudoCall.helper:
            guard let address = request.helpers[insn.imm] else {
                throw .missingFunction(insn: pc, name: "helper \(insn.imm)")
            }
            emitCall(address)
        case PseudoCall.kfunc:
            let index = Int(insn.imm)
            guard request.program.image.kfuncs.indices.contains(index) else { throw malformed(pc) }
            guard request.kfuncs.indices.contains(index), request.kfuncs[index] != 0 else {
                throw .missingFunction(insn: pc, name: "kfunc \(request.program.image.kfuncs[index].name)")
            }
            emitCall(request.kfuncs[index])
        case PseudoCall.subprog:
            let start = pc + 1 + Int(insn.imm)
            guard let index = shapes.firstIndex(where: { $0.range.lowerBound == start }) else {
                throw malformed(pc)
            }
            assembler.call(bodyLabels[index])
            assembler.move(.x, machine(0), A64RegisterMap.result)
        default: throw malformed(pc)
        }
    }

    /// A C function of type `ops_helper_fn`: the block is its sixth argument.
    private mutating func emitCall(_ address: UInt) {
        // What is called may draw on fuel for callbacks or iterators of its own.
        needs.formUnion([.block, .fuel])
        assembler.move(.x, A64RegisterMap.argument[5], A64RegisterMap.block)
        assembler.set(A64RegisterMap.callee, UInt64(address))
        assembler.call(A64RegisterMap.callee)
        assembler.move(.x, machine(0), A64RegisterMap.result)
    }

    /// `u64 thunk(r1, r2, r3, r4, r5, block)`: lets C call a subprog as a callback.
    mutating func emitThunk(of index: Int, at label: Label) {
        assembler.bind(label)
        assembler.push(.framePointer, .link)
        assembler.add(.x, .framePointer, .sp, immediate: 0)
        assembler.push(A64RegisterMap.block, .zero)
        assembler.move(.x, A64RegisterMap.block, A64RegisterMap.argument[5])
        assembler.call(bodyLabels[index])
        assembler.pop(A64RegisterMap.block, .zero)
        assembler.pop(.framePointer, .link)
        assembler.ret()
    }
}

extension A64Condition {
    /// From bits 4–7 of a jump's opcode.
    fileprivate init?(jump operation: UInt8) {
        switch operation {
        case Opcode.jeq: self = .equal
        case Opcode.jne, Opcode.jset: self = .notEqual
        case Opcode.jgt: self = .unsignedHigher
        case Opcode.jge: self = .unsignedHigherOrSame
        case Opcode.jlt: self = .unsignedLower
        case Opcode.jle: self = .unsignedLowerOrSame
        case Opcode.jsgt: self = .greater
        case Opcode.jsge: self = .greaterOrEqual
        case Opcode.jslt: self = .less
        case Opcode.jsle: self = .lessOrEqual
        default: return nil
        }
    }
}
