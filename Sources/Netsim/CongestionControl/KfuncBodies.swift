internal import BPF
internal import KernelABI

/// What the kfuncs that run on most ACKs compute, as BPF instructions, which compiled programs have in the place of a
/// call. Each does what the function of its name in Reno.swift does; a test compares them on sockets of any contents.
///
/// Assumed: R1 is a `tcp_sock` of the world (kfuncs take trusted arguments only), laid out as in KernelABI, and of other
/// arguments the lower 32 bits count. R1–R5 are the body's own, as they are a function's.
enum KfuncBodies {
    /// R1: socket. Returns half of the window, at least 2.
    static let renoSsthresh: [Instruction] = [
        load(r0, field(\.snd_cwnd)),
        alu(Opcode.rsh, r0, 1),
        jump(Opcode.jge, r0, 2, over: 1),
        alu(Opcode.mov, r0, 2),
        exit,
    ]

    /// R1: socket. Returns the larger of its windows now and before the loss.
    static let renoUndoCwnd: [Instruction] = [
        load(r0, field(\.snd_cwnd)),
        load(r2, field(\.prior_cwnd)),
        jump(Opcode.jge, r0, r2, over: 1),
        alu(Opcode.mov, r0, r2),
        exit,
    ]

    /// R1: socket, R2: segments ACKed. Returns those that are left.
    static let slowStart: [Instruction] = [
        load(r0, field(\.snd_cwnd)),
        alu(Opcode.mov, r3, r0),
        // The window grows by what was ACKed, up to ssthresh.
        alu(Opcode.add, r0, r2),
        load(r4, field(\.snd_ssthresh)),
        jump(Opcode.jle, r0, r4, over: 1),
        alu(Opcode.mov, r0, r4),
        // R3: ACKed less growth.
        alu(Opcode.sub, r3, r0),
        alu(Opcode.add, r3, r2),
        load(r4, field(\.snd_cwnd_clamp)),
        jump(Opcode.jle, r0, r4, over: 1),
        alu(Opcode.mov, r0, r4),
        store(r0, field(\.snd_cwnd)),
        alu(Opcode.mov, r0, r3),
        exit,
    ]

    /// R1: socket, R2: segments ACKed for each of growth, R3: segments ACKed.
    static let congestionAvoidance: [Instruction] = [
        load(r0, field(\.snd_cwnd_cnt)),
        load(r4, field(\.snd_cwnd)),
        alu(Opcode.mov, r2, r2),
        jump(Opcode.jlt, r0, r2, over: 2),
        alu(Opcode.mov, r0, 0),
        alu(Opcode.add, r4, 1),
        alu(Opcode.add, r0, r3),
        // R5: the count, less what becomes growth.
        alu(Opcode.mov, r5, r0),
        jump(Opcode.jlt, r0, r2, over: 5),
        // A w of 0 counts as 1, but nothing is taken off for it.
        jump(Opcode.jeq, r2, 0, over: 1),
        alu(Opcode.div, r0, r2),
        alu(Opcode.add, r4, r0),
        alu(Opcode.mul, r0, r2),
        alu(Opcode.sub, r5, r0),
        store(r5, field(\.snd_cwnd_cnt)),
        load(r0, field(\.snd_cwnd_clamp)),
        jump(Opcode.jle, r4, r0, over: 1),
        alu(Opcode.mov, r4, r0),
        store(r4, field(\.snd_cwnd)),
        exit,
    ]

    // MARK: Instructions, all of 32 bits

    private struct Register { var number: UInt8 }
    private static let r0 = Register(number: 0), r1 = Register(number: 1), r2 = Register(number: 2)
    private static let r3 = Register(number: 3), r4 = Register(number: 4), r5 = Register(number: 5)

    /// Offset of a field of 4 bytes.
    private static func field(_ path: KeyPath<tcp_sock, UInt32>) -> Int16 {
        guard let offset = MemoryLayout<tcp_sock>.offset(of: path), let short = Int16(exactly: offset) else {
            preconditionFailure("tcp_sock has no such field")
        }
        return short
    }

    private static func load(_ register: Register, _ offset: Int16) -> Instruction {
        Instruction(opcode: Opcode.modeMem | 0x01, dst: register.number, src: r1.number, offset: offset)
    }
    private static func store(_ register: Register, _ offset: Int16) -> Instruction {
        Instruction(opcode: Opcode.modeMem | 0x03, dst: r1.number, src: register.number, offset: offset)
    }
    private static func alu(_ operation: UInt8, _ target: Register, _ source: Register) -> Instruction {
        Instruction(opcode: operation | 0x0c, dst: target.number, src: source.number)
    }
    private static func alu(_ operation: UInt8, _ target: Register, _ constant: Int32) -> Instruction {
        Instruction(opcode: operation | 0x04, dst: target.number, imm: constant)
    }
    private static func jump(
        _ operation: UInt8, _ left: Register, _ right: Register, over count: Int16
    ) -> Instruction {
        Instruction(opcode: operation | 0x0e, dst: left.number, src: right.number, offset: count)
    }
    private static func jump(
        _ operation: UInt8, _ left: Register, _ right: Int32, over count: Int16
    ) -> Instruction {
        Instruction(opcode: operation | 0x06, dst: left.number, offset: count, imm: right)
    }
    private static let exit = Instruction(opcode: Opcode.exit)
}
