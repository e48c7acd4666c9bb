import BPF

/// One BPF instruction, done the obvious way from the text of RFC 9669: what the JIT's code is compared with.
///
/// Arithmetic wraps and shift counts are taken modulo the width, by definition of the instruction set.
struct ReferenceMachine: Equatable {
    /// R0…R9.
    var registers: [UInt64]
    var memory: [UInt8]
    /// Address of `memory[0]` as programs see it.
    var memoryBase: UInt64

    /// Runs one instruction. Returns whether a conditional jump was taken.
    @discardableResult
    mutating func step(_ insn: Instruction) -> Bool {
        let source = insn.usesRegister ? registers[Int(insn.src)] : UInt64(bitPattern: Int64(insn.imm))
        let dst = Int(insn.dst)
        switch insn.instructionClass {
        case .alu64: registers[dst] = alu64(insn, registers[dst], source)
        case .alu: registers[dst] = UInt64(alu32(insn, registers[dst], source))
        case .jmp: return holds(insn.operation, registers[dst], source)
        case .jmp32:
            // Sign-extended halves keep both the signed and the unsigned order.
            return holds(insn.operation, widened(registers[dst]), widened(source))
        case .ldx:
            let raw = read(registers[Int(insn.src)], insn.offset, insn.size.byteCount)
            registers[dst] = insn.mode == Opcode.modeMemSX ? signed(raw, insn.size.byteCount * 8) : raw
        case .st:
            write(registers[dst], insn.offset, insn.size.byteCount, UInt64(bitPattern: Int64(insn.imm)))
        case .stx where insn.mode == Opcode.modeAtomic: atomic(insn)
        case .stx: write(registers[dst], insn.offset, insn.size.byteCount, registers[Int(insn.src)])
        case .ld: preconditionFailure("not a one-slot instruction")
        }
        return false
    }

    private func alu64(_ insn: Instruction, _ a: UInt64, _ b: UInt64) -> UInt64 {
        let sa = Int64(bitPattern: a), sb = Int64(bitPattern: b)
        switch insn.operation {
        case Opcode.add: return a &+ b
        case Opcode.sub: return a &- b
        case Opcode.mul: return a &* b
        case Opcode.or: return a | b
        case Opcode.and: return a & b
        case Opcode.xor: return a ^ b
        case Opcode.lsh: return a &<< b
        case Opcode.rsh: return a &>> b
        case Opcode.arsh: return UInt64(bitPattern: sa &>> sb)
        case Opcode.neg: return 0 &- a
        case Opcode.mov: return insn.offset == 0 ? b : signed(b, Int(insn.offset))
        case Opcode.end: return swapped(a, Int(insn.imm))
        case Opcode.div where insn.offset == 0: return b == 0 ? 0 : a / b
        case Opcode.mod where insn.offset == 0: return b == 0 ? a : a % b
        case Opcode.div: return sb == 0 ? 0 : sb == -1 ? 0 &- a : UInt64(bitPattern: sa / sb)
        case Opcode.mod: return sb == 0 ? a : sb == -1 ? 0 : UInt64(bitPattern: sa % sb)
        default: preconditionFailure("no such operation")
        }
    }

    private func alu32(_ insn: Instruction, _ wideA: UInt64, _ wideB: UInt64) -> UInt32 {
        let a = UInt32(truncatingIfNeeded: wideA), b = UInt32(truncatingIfNeeded: wideB)
        let sa = Int32(bitPattern: a), sb = Int32(bitPattern: b)
        switch insn.operation {
        case Opcode.lsh: return a &<< b
        case Opcode.rsh: return a &>> b
        case Opcode.arsh: return UInt32(bitPattern: sa &>> sb)
        case Opcode.mov:
            return insn.offset == 0 ? b : UInt32(truncatingIfNeeded: signed(wideB, Int(insn.offset)))
        case Opcode.div where insn.offset == 0: return b == 0 ? 0 : a / b
        case Opcode.mod where insn.offset == 0: return b == 0 ? a : a % b
        case Opcode.div: return sb == 0 ? 0 : sb == -1 ? 0 &- a : UInt32(bitPattern: sa / sb)
        case Opcode.mod: return sb == 0 ? a : sb == -1 ? 0 : UInt32(bitPattern: sa % sb)
        default: return UInt32(truncatingIfNeeded: alu64(insn, wideA, wideB))
        }
    }

    /// `le` and `be` are of class ALU, `bswap` of class ALU64.
    static func byteOrder(_ insn: Instruction, _ value: UInt64) -> UInt64 {
        let machine = ReferenceMachine(registers: [], memory: [], memoryBase: 0)
        let truncated = insn.imm == 64 ? value : value & (1 << UInt64(insn.imm) - 1)
        let swaps = insn.instructionClass == .alu64 || insn.usesRegister
        return swaps ? machine.swapped(value, Int(insn.imm)) : truncated
    }

    private func swapped(_ value: UInt64, _ bits: Int) -> UInt64 {
        switch bits {
        case 16: UInt64(UInt16(truncatingIfNeeded: value).byteSwapped)
        case 32: UInt64(UInt32(truncatingIfNeeded: value).byteSwapped)
        default: value.byteSwapped
        }
    }

    private func signed(_ value: UInt64, _ bits: Int) -> UInt64 {
        let shift = UInt64(64 - bits)
        return UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift))
    }

    private func widened(_ value: UInt64) -> UInt64 { signed(value, 32) }

    private func holds(_ operation: UInt8, _ a: UInt64, _ b: UInt64) -> Bool {
        let sa = Int64(bitPattern: a), sb = Int64(bitPattern: b)
        switch operation {
        case Opcode.jeq: return a == b
        case Opcode.jne: return a != b
        case Opcode.jgt: return a > b
        case Opcode.jge: return a >= b
        case Opcode.jlt: return a < b
        case Opcode.jle: return a <= b
        case Opcode.jset: return a & b != 0
        case Opcode.jsgt: return sa > sb
        case Opcode.jsge: return sa >= sb
        case Opcode.jslt: return sa < sb
        case Opcode.jsle: return sa <= sb
        default: preconditionFailure("no such jump")
        }
    }

    // MARK: Memory

    private func read(_ address: UInt64, _ offset: Int16, _ count: Int) -> UInt64 {
        let start = Int(address &+ UInt64(bitPattern: Int64(offset)) &- memoryBase)
        return (0..<count).reduce(0) { $0 | UInt64(memory[start + $1]) << UInt64(8 * $1) }
    }

    private mutating func write(_ address: UInt64, _ offset: Int16, _ count: Int, _ value: UInt64) {
        let start = Int(address &+ UInt64(bitPattern: Int64(offset)) &- memoryBase)
        for i in 0..<count { memory[start + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
    }

    private mutating func atomic(_ insn: Instruction) {
        let count = insn.size.byteCount, dst = Int(insn.dst), src = Int(insn.src)
        let mask = count == 8 ? UInt64.max : 1 << UInt64(8 * count) - 1
        if insn.imm == Opcode.atomicLoadAcquire {
            registers[dst] = read(registers[src], insn.offset, count)
            return
        }
        let address = registers[dst], operand = registers[src]
        let old = insn.imm == Opcode.atomicStoreRelease ? 0 : read(address, insn.offset, count)
        var new: UInt64
        switch insn.imm {
        case Opcode.atomicStoreRelease, Opcode.atomicXchg: new = operand
        case Opcode.atomicCmpxchg: new = registers[0] & mask == old ? operand : old
        default:
            switch UInt8(insn.imm & 0xf0) {
            case Opcode.add: new = old &+ operand
            case Opcode.or: new = old | operand
            case Opcode.and: new = old & operand
            default: new = old ^ operand
            }
        }
        write(address, insn.offset, count, new)
        if insn.imm == Opcode.atomicCmpxchg {
            registers[0] = old
        } else if insn.imm & Opcode.atomicFetch != 0 {
            registers[src] = old
        }
    }
}
