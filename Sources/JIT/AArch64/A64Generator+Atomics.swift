import BPF

/// Atomic operations, with the order of memory that the kernel gives them: those that fetch acquire and release.
extension A64Generator {
    /// What memory becomes, from what it held and the operand.
    private enum Change {
        case add, and, or, xor, swap

        /// From the `imm` of an atomic.
        init?(_ imm: Int32) {
            switch imm {
            case Int32(Opcode.add), Int32(Opcode.add) | Opcode.atomicFetch: self = .add
            case Int32(Opcode.and), Int32(Opcode.and) | Opcode.atomicFetch: self = .and
            case Int32(Opcode.or), Int32(Opcode.or) | Opcode.atomicFetch: self = .or
            case Int32(Opcode.xor), Int32(Opcode.xor) | Opcode.atomicFetch: self = .xor
            case Opcode.atomicXchg: self = .swap
            default: return nil
            }
        }
    }

    mutating func emitAtomic(_ insn: Instruction, at pc: Int) throws(JITError) {
        let size = insn.size.a64
        let isLoad = insn.imm == Opcode.atomicLoadAcquire
        // The machine's atomics take an address without offset.
        var address = machine(isLoad ? insn.src : insn.dst)
        if insn.offset != 0 {
            loadAddress(A64RegisterMap.scratch1, address, Int(insn.offset))
            address = A64RegisterMap.scratch1
        }
        let src = machine(insn.src)
        switch insn.imm {
        case Opcode.atomicLoadAcquire: return assembler.loadAcquire(size, machine(insn.dst), address)
        case Opcode.atomicStoreRelease: return assembler.storeRelease(size, address, src)
        default: break
        }
        guard size == .word || size == .double else { throw malformed(pc) }
        if insn.imm == Opcode.atomicCmpxchg { return emitCompareExchange(size, address, src) }
        guard let change = Change(insn.imm) else { throw malformed(pc) }
        let fetches = insn.imm & Opcode.atomicFetch != 0
        if request.features.contains(.lse) {
            emitAtomic(change, size, address, src, fetches: fetches)
        } else {
            emitExclusive(change, size, address, src, fetches: fetches)
        }
    }

    private mutating func emitAtomic(
        _ change: Change, _ size: A64Size, _ address: A64Register, _ src: A64Register, fetches: Bool
    ) {
        let old = fetches ? src : A64RegisterMap.scratch3
        switch change {
        case .add: assembler.atomic(.add, size, src: src, dst: old, address)
        case .or: assembler.atomic(.or, size, src: src, dst: old, address)
        case .xor: assembler.atomic(.xor, size, src: src, dst: old, address)
        case .swap: assembler.atomic(.swap, size, src: src, dst: old, address)
        case .and:
            let inverse = A64RegisterMap.scratch2
            assembler.operate(.orNot, .x, inverse, .zero, src)
            assembler.atomic(.clear, size, src: inverse, dst: old, address)
        }
    }

    /// For processors without the atomics of Armv8.1: try until nobody came between.
    private mutating func emitExclusive(
        _ change: Change, _ size: A64Size, _ address: A64Register, _ src: A64Register, fetches: Bool
    ) {
        let old = A64RegisterMap.scratch2, new = A64RegisterMap.scratch3, failed = A64RegisterMap.scratch4
        let again = assembler.makeLabel()
        assembler.bind(again)
        assembler.loadExclusive(size, old, address)
        switch change {
        case .add: assembler.operate(.add, .x, new, old, src)
        case .and: assembler.operate(.and, .x, new, old, src)
        case .or: assembler.operate(.or, .x, new, old, src)
        case .xor: assembler.operate(.xor, .x, new, old, src)
        case .swap: assembler.move(.x, new, src)
        }
        assembler.storeExclusive(size, address, new, failed: failed)
        assembler.branchIfNotZero(.w, failed, again)
        assembler.barrier()
        if fetches { assembler.move(.x, src, old) }
    }

    /// R0 is what memory is expected to hold, and becomes what it held.
    private mutating func emitCompareExchange(
        _ size: A64Size, _ address: A64Register, _ src: A64Register
    ) {
        let expected = machine(0), old = A64RegisterMap.scratch2
        if request.features.contains(.lse) {
            // Not in R0 itself, which may also be the address or the new value.
            assembler.move(.x, old, expected)
            assembler.compareAndSwap(size, expected: old, new: src, address)
        } else {
            let again = assembler.makeLabel(), done = assembler.makeLabel()
            assembler.bind(again)
            assembler.loadExclusive(size, old, address)
            assembler.compare(size == .double ? .x : .w, old, expected)
            assembler.branch(.notEqual, done)
            assembler.storeExclusive(size, address, src, failed: A64RegisterMap.scratch4)
            assembler.branchIfNotZero(.w, A64RegisterMap.scratch4, again)
            assembler.bind(done)
            assembler.barrier()
        }
        // Loads of a word, and so both of these, clear what lies above it.
        assembler.move(.x, expected, old)
    }
}
