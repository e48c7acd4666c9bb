import BPF

/// Atomic operations. On x86-64 every plain load acquires and every plain store releases.
extension X86Generator {
    mutating func emitAtomic(_ insn: Decoded, at pc: Int) throws(JITError) {
        let width = insn.width
        // What they read and write is where it belongs, and nothing is still to be read from memory.
        emitHeldStore()
        flush(.max)
        if insn.src == 10 { wantRegister(10) }
        let src = register(insn.src)
        switch insn.imm {
        case Opcode.atomicLoadAcquire:
            // Here src is the address and dst the result.
            return assembler.load(width, machine(insn.dst), memory(insn.src, insn.offset))
        case Opcode.atomicStoreRelease:
            return assembler.store(width, memory(insn.dst, insn.offset), src)
        default: break
        }
        guard width == .b32 || width == .b64 else { throw malformed(pc) }
        let memory = memory(insn.dst, insn.offset)
        var effect = insn.imm
        // clang fetches even where nobody wants what was there.
        if isDead(insn.src), ALUOperation(atomic: effect & ~Opcode.atomicFetch) != nil {
            effect &= ~Opcode.atomicFetch
        }
        switch effect {
        case Int32(Opcode.add) | Opcode.atomicFetch:
            assembler.lock()
            assembler.exchangeAdd(width, memory, src)
        case Opcode.atomicXchg: assembler.exchange(width, memory, src)
        case Opcode.atomicCmpxchg:
            assembler.lock()
            assembler.compareExchange(width, memory, src)
            // When the values are equal a 32-bit cmpxchg leaves rax alone; BPF clears the upper half of R0 either way.
            if width == .b32 { assembler.move(.b32, .rax, .rax) }
        default:
            guard let operation = ALUOperation(atomic: effect & ~Opcode.atomicFetch) else {
                throw malformed(pc)
            }
            if effect & Opcode.atomicFetch != 0 {
                emitFetch(operation, width, memory, src)
            } else {
                assembler.lock()
                assembler.alu(operation, width, memory, src)
            }
        }
    }

    /// The machine has no fetching and, or, xor: compare and exchange until nobody came between.
    private mutating func emitFetch(
        _ operation: ALUOperation, _ width: Width, _ memory: Memory, _ src: Register
    ) {
        let keptRAX = RegisterMap.scratch1, new = RegisterMap.scratch2
        var memory = memory
        // rax (R0) holds the expected value meanwhile.
        assembler.move(.b64, keptRAX, .rax)
        if memory.base == .rax { memory.base = keptRAX }
        let operand = src == .rax ? keptRAX : src
        let again = assembler.makeLabel()
        assembler.load(width, .rax, memory)
        assembler.bind(again)
        assembler.move(width, new, .rax)
        assembler.alu(operation, width, new, operand)
        assembler.lock()
        assembler.compareExchange(width, memory, new)
        assembler.jump(.notEqual, again)
        if src != .rax {
            assembler.move(.b64, src, .rax)
            assembler.move(.b64, .rax, keptRAX)
        }
    }
}

extension ALUOperation {
    /// From the `imm` of an atomic without its fetch bit.
    fileprivate init?(atomic imm: Int32) {
        switch UInt8(exactly: imm) {
        case Opcode.add: self = .add
        case Opcode.or: self = .or
        case Opcode.and: self = .and
        case Opcode.xor: self = .xor
        default: return nil
        }
    }
}
