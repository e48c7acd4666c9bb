import BPF
import Verifier

/// Calls of helpers, kfuncs and subprogs; callback thunks.
extension X86Generator {
    mutating func emitCall(_ insn: Decoded, at pc: Int) throws(JITError) {
        settleForCall()
        if let inlined = request.inlinedCall(at: pc) { return try emit(inlined, at: pc) }
        switch insn.src {
        case PseudoCall.helper:
            guard let address = request.helpers[insn.imm] else {
                throw .missingFunction(insn: pc, name: "helper \(insn.imm)")
            }
            emitCall(address)
        case PseudoCall.kfunc:
            guard request.program.image.kfuncs.indices.contains(Int(insn.imm)) else { throw malformed(pc) }
            let index = Int(insn.imm)
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
        default: throw malformed(pc)
        }
    }

    /// Arguments go to their registers; what is wanted afterwards is computed before memory and R1–R5 change.
    private mutating func settleForCall() {
        flush((live | liveness.before[index]).registers)
        pendingSet = 0
    }

    /// A C function of type `ops_helper_fn`: the block is its sixth argument.
    private mutating func emitCall(_ address: UInt) {
        // What is called may draw on fuel for callbacks or iterators of its own.
        needs.formUnion([.block, .fuel])
        assembler.move(.b64, .r9, RegisterMap.block)
        assembler.move(.rax, constant: UInt64(address))
        callRAX()
    }

    mutating func callRAX() {
        guard request.options.usesRetpolines else { return assembler.call(.rax) }
        let label = retpoline ?? assembler.makeLabel()
        retpoline = label
        assembler.call(label)
    }

    /// Goes to where rax points by a return; what predictors make of that return is an endless loop.
    mutating func emitRetpoline() {
        guard let retpoline else { return }
        let trap = assembler.makeLabel(), go = assembler.makeLabel()
        assembler.bind(retpoline)
        assembler.call(go)
        assembler.bind(trap)
        assembler.pause()
        assembler.loadFence()
        assembler.jump(trap)
        assembler.bind(go)
        assembler.store(.b64, Memory(.rsp), .rax)
        assembler.ret()
    }

    /// `u64 thunk(r1, r2, r3, r4, r5, block)`: lets C call a subprog as a callback.
    mutating func emitThunk(of index: Int, at label: Label) {
        assembler.bind(label)
        assembler.push(RegisterMap.block)
        assembler.move(.b64, RegisterMap.block, .r9)
        assembler.call(bodyLabels[index])
        assembler.pop(RegisterMap.block)
        assembler.ret()
    }
}
