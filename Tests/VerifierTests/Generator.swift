import BPF
import Verifier

/// Random programs over 64 bytes of memory, made of snippets that are often right and sometimes just wrong.
///
/// R6 keeps the memory's address; R0, R3–R5, R8, R9 hold numbers; R7 is for pointers in between. Programs may have one
/// subprog, forward jumps, counted loops and may_goto loops.
struct Generator {
    private var random: SplitMix
    private var insns: [Instruction] = []
    private static let numbers: [UInt8] = [0, 3, 4, 5, 8, 9]
    static let byteCount = 64

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    /// - Returns: the program and where its second function starts, if it has one.
    static func program(seed: UInt64) -> (insns: [Instruction], subprogs: [ProgramImage.Subprog]) {
        var generator = Generator(seed: seed)
        return generator.make()
    }

    private mutating func make() -> ([Instruction], [ProgramImage.Subprog]) {
        insns = [Asm.mov(6, reg: 1)]
        for register in Self.numbers { initialise(register) }
        let hasCall = random.below(4) == 0
        let length = 4 + random.below(24)
        for step in 0..<length {
            if hasCall && step == length / 2 { insns.append(Asm.call(subprog: .min)) }
            snippet(depth: 0)
            if hasCall && step == length / 2 {
                // A call leaves R1–R5 undefined.
                for register: UInt8 in [3, 4, 5] { initialise(register) }
            }
        }
        insns += [Asm.mov(0, reg: pick()), Asm.exit]
        guard hasCall else { return (insns, []) }
        return addSubprog()
    }

    private mutating func addSubprog() -> ([Instruction], [ProgramImage.Subprog]) {
        let start = insns.count
        for index in insns.indices where insns[index].isCall {
            insns[index].imm = Int32(start - index - 1)
            // Arguments: the memory and a number.
            insns[index - 1] = insns[index - 1]
        }
        insns += [
            Asm.mov(0, 7), Asm.mov(3, 1), Asm.mov(4, reg: 2), Asm.mov(5, 3), Asm.mov(8, 4), Asm.mov(9, 5),
        ]
        insns.append(Asm.mov(6, reg: 1))
        for _ in 0..<(1 + random.below(6)) { snippet(depth: 1) }
        insns += [Asm.mov(0, reg: pick()), Asm.exit]
        return (insns, [.init(name: "main", start: 0), .init(name: "sub", start: start)])
    }

    private mutating func pick() -> UInt8 { Self.numbers[random.below(Self.numbers.count)] }
    private mutating func size() -> AccessSize { [.byte, .half, .word, .double][random.below(4)] }
    private mutating func imm() -> Int32 { Int32(truncatingIfNeeded: random.number()) }

    private mutating func initialise(_ register: UInt8) {
        if random.below(2) == 0 {
            insns.append(Asm.mov(register, imm()))
        } else {
            let size = size()
            insns.append(
                Asm.load(size, register, 6, Int16(random.below(Self.byteCount - size.byteCount + 1))))
        }
    }

    private mutating func snippet(depth: Int) {
        switch random.below(depth > 2 ? 8 : 13) {
        case 0, 1, 2: arithmetic()
        case 3:
            let size = size()
            let signed = random.below(3) == 0 && size != .double
            let offset = Int16(random.below(Self.byteCount - size.byteCount + 1))
            insns.append(signed ? Asm.loadSigned(size, pick(), 6, offset) : Asm.load(size, pick(), 6, offset))
        case 4:
            let size = size()
            insns.append(
                Asm.store(size, 6, Int16(random.below(Self.byteCount - size.byteCount + 1)), reg: pick()))
        case 5: stack()
        case 6, 7: index()
        case 8, 9: conditional(depth)
        case 10: loop(depth)
        case 11: mayGoto(depth)
        default: insns.append(Asm.mov(pick(), reg: pick()))
        }
    }

    private mutating func arithmetic() {
        let wide = random.below(2) == 0
        let operation = ScalarTests.operations[random.below(ScalarTests.operations.count)]
        let isDivision = operation == Opcode.div || operation == Opcode.mod
        let offset: Int16 = isDivision && random.below(2) == 0 ? 1 : 0
        switch random.below(10) {
        case 0: insns.append(Instruction(opcode: Opcode.neg | (wide ? 7 : 4), dst: pick()))
        case 1:
            insns.append(
                Instruction(
                    opcode: Opcode.end | (wide ? 7 : 4), dst: pick(), imm: [16, 32, 64][random.below(3)]))
        case 2:
            let widths: [Int16] = wide ? [8, 16, 32] : [8, 16]
            insns.append(
                Asm.alu(
                    Opcode.mov, pick(), reg: pick(), wide: wide, offset: widths[random.below(widths.count)]))
        case 3, 4, 5: insns.append(Asm.alu(operation, pick(), reg: pick(), wide: wide, offset: offset))
        default:
            var constant = imm()
            if operation == Opcode.lsh || operation == Opcode.rsh || operation == Opcode.arsh {
                constant &= wide ? 63 : 31
            }
            if isDivision && constant == 0 { constant = 3 }
            insns.append(Asm.alu(operation, pick(), constant, wide: wide, offset: offset))
        }
    }

    private mutating func stack() {
        let size = size()
        let offset =
            -Int16((1 + random.below(4)) * 8)
            + Int16(random.below(3) == 0 ? random.below(9 - size.byteCount) : 0)
        switch random.below(5) {
        case 0: insns.append(Asm.store(size, 10, offset, imm()))
        case 1, 2: insns.append(Asm.store(size, 10, offset, reg: pick()))
        case 3:
            insns += [
                Asm.store(.double, 10, -40, reg: 6), Asm.load(.double, 7, 10, -40),
                Asm.load(.byte, pick(), 7, 5),
            ]
        default:
            insns += [Asm.store(.double, 10, offset & ~7, reg: pick()), Asm.load(size, pick(), 10, offset)]
        }
    }

    /// An access at an index, limited in one of many ways, some of them not quite enough.
    private mutating func index() {
        let register = pick()
        let size = size()
        let room = Int32(Self.byteCount - size.byteCount)
        let slack = Int32([0, 0, 0, 0, 1, -1][random.below(6)])
        let isMemory = random.below(3) != 0
        var body = [
            isMemory ? Asm.mov(7, reg: 6) : Asm.mov(7, reg: 10), Asm.add(7, reg: register),
        ]
        let displacement: Int16 = isMemory ? 0 : -64
        if !isMemory { for slot in 1...8 { insns.append(Asm.store(.double, 10, Int16(-8 * slot), 0)) } }
        body.append(
            random.below(2) == 0
                ? Asm.load(size, pick(), 7, displacement) : Asm.store(size, 7, displacement, reg: pick()))
        let skip = Int16(body.count)
        let wide = random.below(2) == 0
        switch random.below(6) {
        case 0: insns.append(Asm.and(register, room + slack))
        case 1: insns.append(Asm.jump(Opcode.jgt, register, room + slack, skip, wide: wide))
        case 2:
            insns.append(Asm.jump(Opcode.jsgt, register, room + slack, skip + 1, wide: wide))
            insns.append(Asm.jump(Opcode.jslt, register, slack < 0 ? -1 : 0, skip, wide: wide))
        case 3: insns.append(Asm.alu(Opcode.mod, register, room + 1 + slack))
        case 4: insns.append(Asm.alu(Opcode.rsh, register, 58 + slack, wide: true))
        default:
            let other = pick()
            insns.append(Asm.jump(Opcode.jgt, other, room, skip + 1, wide: wide))
            insns.append(Asm.jump(Opcode.jge, register, reg: other, skip, wide: wide))
        }
        insns += body
    }

    private mutating func conditional(_ depth: Int) {
        let operations = [
            Opcode.jeq, Opcode.jne, Opcode.jgt, Opcode.jge, Opcode.jlt, Opcode.jle, Opcode.jsgt, Opcode.jsge,
            Opcode.jslt,
            Opcode.jsle, Opcode.jset,
        ]
        let operation = operations[random.below(operations.count)]
        let wide = random.below(2) == 0
        let at = insns.count
        insns.append(
            random.below(2) == 0
                ? Asm.jump(operation, pick(), imm(), 0, wide: wide)
                : Asm.jump(operation, pick(), reg: pick(), 0, wide: wide))
        for _ in 0...random.below(3) { snippet(depth: depth + 1) }
        insns[at].offset = Int16(insns.count - at - 1)
    }

    private mutating func loop(_ depth: Int) {
        let counter: UInt8 = 9
        insns.append(Asm.mov(counter, Int32(random.below(3))))
        let start = insns.count
        for _ in 0...random.below(2) { snippet(depth: depth + 2) }
        insns.append(Asm.add(counter, 1 + Int32(random.below(3))))
        insns.append(
            Asm.jump(Opcode.jlt, counter, Int32(2 + random.below(8)), Int16(start - insns.count - 1)))
    }

    private mutating func mayGoto(_ depth: Int) {
        let start = insns.count
        insns.append(Asm.mayGoto(0))
        for _ in 0...random.below(3) { snippet(depth: depth + 2) }
        insns.append(Asm.goto(Int16(start - insns.count - 1)))
        insns[start].offset = Int16(insns.count - start - 1)
    }
}
