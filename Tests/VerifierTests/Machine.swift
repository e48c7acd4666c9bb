import BPF
import Verifier

/// Runs a program on numbers, checking every access against the memory it was handed.
///
/// Written from RFC 9669 alone; knows nothing of the verifier. One region of memory, a stack per frame, no maps.
struct Machine {
    enum Fault: Error, Equatable {
        case access(insn: Int, address: UInt64, byteCount: Int)
        case uninitialised(insn: Int, register: Int)
        case tooLong(insn: Int)
        case unknown(insn: Int)
    }

    static let memoryBase: UInt64 = 0x1000_0000
    /// R10 of frame i is this plus i pages.
    static let stackBase: UInt64 = 0x2000_1000

    var memory: [UInt8]
    private var stacks: [[UInt8]] = []
    private(set) var frames: [[UInt64]] = []
    private var returns: [Int] = []
    private(set) var executed = 0
    /// What unwritten stack and fresh registers hold.
    private var garbage: SplitMix

    init(memory: [UInt8], seed: UInt64) {
        self.memory = memory
        garbage = SplitMix(seed: seed)
        push()
        frames[0][1] = Machine.memoryBase
        frames[0][2] = UInt64(memory.count)
    }

    private mutating func push() {
        stacks.append((0..<512).map { _ in UInt8(truncatingIfNeeded: garbage.next()) })
        var registers = (0..<11).map { _ in garbage.next() }
        registers[10] = Machine.stackBase + UInt64(frames.count) * 0x1000
        frames.append(registers)
    }

    /// - Parameters:
    ///   - fuel: turns that may_goto may take.
    ///   - limit: instructions after which the run is too long.
    ///   - visit: called before each instruction.
    mutating func run(
        _ insns: [Instruction], fuel: UInt64, limit: UInt64, visit: (Int, [[UInt64]]) -> Void
    ) throws(Fault) -> UInt64 {
        var pc = 0
        var fuel = fuel
        while true {
            guard insns.indices.contains(pc) else { throw .unknown(insn: pc) }
            guard UInt64(executed) < limit else { throw .tooLong(insn: pc) }
            visit(pc, frames)
            executed += 1
            let insn = insns[pc]
            let top = frames.count - 1
            switch insn.instructionClass {
            case .alu, .alu64: arithmetic(insn, top)
            case .ld:
                guard pc + 1 < insns.count else { throw .unknown(insn: pc) }
                frames[top][Int(insn.dst)] =
                    UInt64(UInt32(bitPattern: insn.imm)) | UInt64(UInt32(bitPattern: insns[pc + 1].imm)) << 32
                pc += 1
            case .ldx:
                let size = insn.size.byteCount
                var value = try load(
                    frames[top][Int(insn.src)] &+ UInt64(bitPattern: Int64(insn.offset)), size, pc)
                if insn.mode == Opcode.modeMemSX {
                    let spare = 64 - size * 8
                    value = UInt64(bitPattern: Int64(bitPattern: value << UInt64(spare)) >> Int64(spare))
                }
                frames[top][Int(insn.dst)] = value
            case .st, .stx:
                let address = frames[top][Int(insn.dst)] &+ UInt64(bitPattern: Int64(insn.offset))
                let value =
                    insn.instructionClass == .st
                    ? UInt64(bitPattern: Int64(insn.imm)) : frames[top][Int(insn.src)]
                try store(value, address, insn.size.byteCount, pc)
            case .jmp, .jmp32:
                if insn.isExit {
                    let result = frames[top][0]
                    if top == 0 { return result }
                    frames.removeLast()
                    stacks.removeLast()
                    frames[top - 1][0] = result
                    for register in 1...5 { frames[top - 1][register] = garbage.next() }
                    pc = returns.removeLast()
                    continue
                }
                if insn.isCall {
                    let arguments = frames[top][1...5]
                    push()
                    for (index, argument) in arguments.enumerated() { frames[top + 1][index + 1] = argument }
                    returns.append(pc + 1)
                    pc += 1 + Int(insn.imm)
                    continue
                }
                pc += jumpDistance(insn, top, &fuel)
            }
            pc += 1
        }
    }

    private func jumpDistance(_ insn: Instruction, _ top: Int, _ fuel: inout UInt64) -> Int {
        if insn.opcode == Opcode.gotoShort { return Int(insn.offset) }
        if insn.opcode == Opcode.gotoLong { return Int(insn.imm) }
        if insn.opcode == Opcode.mayGoto {
            if fuel == 0 { return Int(insn.offset) }
            fuel -= 1
            return 0
        }
        guard let comparison = Comparison(operation: insn.operation) else { return 0 }
        let b = insn.usesRegister ? frames[top][Int(insn.src)] : UInt64(bitPattern: Int64(insn.imm))
        let holds = Concrete.compare(
            comparison, wide: insn.instructionClass == .jmp, frames[top][Int(insn.dst)], b)
        return holds ? Int(insn.offset) : 0
    }

    private mutating func arithmetic(_ insn: Instruction, _ top: Int) {
        let wide = insn.instructionClass == .alu64
        let a = frames[top][Int(insn.dst)]
        let b = insn.usesRegister ? frames[top][Int(insn.src)] : UInt64(bitPattern: Int64(insn.imm))
        var result: UInt64
        switch insn.operation {
        case Opcode.mov:
            result = b
            if insn.offset != 0 {
                let spare = UInt64(64 - insn.offset)
                result = UInt64(bitPattern: Int64(bitPattern: b << spare) >> Int64(spare))
            }
            if !wide { result &= 0xffff_ffff }
        case Opcode.neg:
            result = 0 &- a
            if !wide { result &= 0xffff_ffff }
        case Opcode.end:
            let low = insn.imm == 64 ? a : a & ((1 << UInt64(insn.imm)) - 1)
            result = wide || insn.usesRegister ? low.byteSwapped >> UInt64(64 - insn.imm) : low
        default:
            result = Concrete.arithmetic(insn.operation, wide: wide, isSigned: insn.offset == 1, a, b)
        }
        frames[top][Int(insn.dst)] = result
    }

    // MARK: Memory

    private func place(_ address: UInt64, _ byteCount: Int, _ pc: Int) throws(Fault) -> (
        stack: Int?, offset: Int
    ) {
        let offset = address &- Machine.memoryBase
        if offset <= UInt64(memory.count), UInt64(byteCount) <= UInt64(memory.count) - offset {
            return (nil, Int(offset))
        }
        for index in stacks.indices {
            let low = Machine.stackBase + UInt64(index) * 0x1000 - 512
            let offset = address &- low
            if offset <= 512, UInt64(byteCount) <= 512 - offset { return (index, Int(offset)) }
        }
        throw .access(insn: pc, address: address, byteCount: byteCount)
    }

    private func load(_ address: UInt64, _ byteCount: Int, _ pc: Int) throws(Fault) -> UInt64 {
        let (stack, offset) = try place(address, byteCount, pc)
        var value: UInt64 = 0
        for index in (0..<byteCount).reversed() {
            value = value << 8 | UInt64(stack.map { stacks[$0][offset + index] } ?? memory[offset + index])
        }
        return value
    }

    private mutating func store(_ value: UInt64, _ address: UInt64, _ byteCount: Int, _ pc: Int) throws(Fault)
    {
        let (stack, offset) = try place(address, byteCount, pc)
        for index in 0..<byteCount {
            let byte = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
            if let stack { stacks[stack][offset + index] = byte } else { memory[offset + index] = byte }
        }
    }
}
