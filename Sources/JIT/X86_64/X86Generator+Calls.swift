import BPF
import Verifier

/// Calls of helpers, kfuncs and subprogs; callback thunks; `bpf_loop` in line.
extension X86Generator {
    mutating func emitCall(_ insn: Instruction, at pc: Int) throws(JITError) {
        switch insn.src {
        case PseudoCall.helper where insn.imm == BPFLoop.helperID: emitLoop()
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

    /// A C function of type `ops_helper_fn`: the block is its sixth argument.
    private mutating func emitCall(_ address: UInt) {
        // What is called may draw on fuel for callbacks or iterators of its own.
        needs.formUnion([.block, .fuel])
        assembler.move(.b64, .r9, RegisterMap.block)
        assembler.move(.rax, constant: UInt64(address))
        assembler.call(.rax)
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

    // MARK: bpf_loop

    private enum BPFLoop {
        static let helperID: Int32 = 181
        /// Kernel: `BPF_MAX_LOOPS`.
        static let turnsMax: Int32 = 8 << 20
        static let invalid = UInt64(bitPattern: -22)
        static let tooMany = UInt64(bitPattern: -7)
    }

    /// `bpf_loop(u32 nr_loops, callback, context, u64 flags)`: calls `callback(i, context)` for i = 0, 1, … until it
    /// returns non-zero, `nr_loops` turns are done, or fuel is out. Returns the number of turns.
    ///
    /// Kernel counterpart: `bpf_loop` (kernel/bpf/bpf_iter.c). Differs: fuel.
    private mutating func emitLoop() {
        needs.formUnion([.block, .fuel])
        let index = Register.rbx, count = Register.r13, context = Register.r14, callback = Register.r15
        let head = assembler.makeLabel(), stop = assembler.makeLabel(), done = assembler.makeLabel()
        let checkCount = assembler.makeLabel(), start = assembler.makeLabel()

        // R4 = flags, R1 = nr_loops, of which the kernel takes 32 bits.
        assembler.test(.b64, .rcx, .rcx)
        assembler.jump(.equal, checkCount)
        assembler.move(.rax, constant: BPFLoop.invalid)
        assembler.jump(done)
        assembler.bind(checkCount)
        assembler.alu(.cmp, .b32, .rdi, constant: BPFLoop.turnsMax)
        assembler.jump(.belowOrEqual, start)
        assembler.move(.rax, constant: BPFLoop.tooMany)
        assembler.jump(done)

        // Four registers are an even number, so rsp stays aligned.
        assembler.bind(start)
        let kept = [index, count, context, callback]
        for register in kept { assembler.push(register) }
        assembler.move(.b32, count, .rdi)
        assembler.move(.b64, callback, .rsi)
        assembler.move(.b64, context, .rdx)
        assembler.clear(index)
        assembler.bind(head)
        assembler.alu(.cmp, .b32, index, count)
        assembler.jump(.aboveOrEqual, stop)
        drawFuel(orGoTo: stop)
        assembler.move(.b64, .rdi, index)
        assembler.move(.b64, .rsi, context)
        assembler.alu(.add, .b32, index, constant: 1)
        // The callback is the address of a thunk.
        assembler.move(.b64, .r9, RegisterMap.block)
        assembler.call(callback)
        assembler.test(.b64, .rax, .rax)
        assembler.jump(.equal, head)
        assembler.bind(stop)
        assembler.move(.b64, .rax, index)
        for register in kept.reversed() { assembler.pop(register) }
        assembler.bind(done)
    }
}
