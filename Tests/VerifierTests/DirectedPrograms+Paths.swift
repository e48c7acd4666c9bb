import BPF

/// Programs in which two paths meet: the second must be followed unless the first has proved as much.
extension DirectedProgram {
    /// Enough steps and jumps for the verifier to keep a state at the next join.
    private static let warmUp: [Instruction] =
        [Asm.unknown(8), Asm.jump(Opcode.jeq, 8, 1, 0)] + (0..<21).map { Asm.mov(9, $0) }

    /// Two ways to the same place: `first` is looked at before `second`.
    private static func either(_ first: [Instruction], _ second: [Instruction]) -> [Instruction] {
        warmUp + [Asm.jump(Opcode.jeq, 8, 7, Int16(first.count + 1))] + first + [
            Asm.goto(Int16(second.count))
        ] + second
    }

    static let paths: [DirectedProgram] = [
        .refuses(
            "an index too large on the second path",
            either([Asm.mov(3, 5)], [Asm.mov(3, 1000)]) + Asm.read(at: 3)),
        .accepts("an index small on both paths", either([Asm.mov(3, 5)], [Asm.mov(3, 6)]) + Asm.read(at: 3)),
        .refuses(
            "a copy on the first path only",
            either([Asm.unknown(3), Asm.mov(4, reg: 3)], [Asm.unknown(3), Asm.load(.double, 4, 1, 8)])
                + [Asm.jump(Opcode.jgt, 3, 63, Asm.toEnd)] + Asm.read(at: 4)),
        .refuses(
            "a saved index too large on the second path",
            either([Asm.store(.double, 10, -8, 5)], [Asm.store(.double, 10, -8, 1000)])
                + [Asm.load(.double, 3, 10, -8)] + Asm.read(at: 3)),
        .refuses(
            "a reference on the second path only", op: .avoid,
            [Asm.load(.double, 6, 1, 0), Asm.load(.double, 8, 6, 0)] + warmUp.dropFirst()
                + [
                    Asm.jump(Opcode.jeq, 8, 7, 2), Asm.mov(0, 0), Asm.goto(4), Asm.mov(1, 5),
                    Asm.call(kfunc: SmallKernel.shared.kfunc("sock_find")), Asm.jump(Opcode.jeq, 0, 0, 1),
                    Asm.mov(0, 0), Asm.mov(9, 1), Asm.mov(9, 1),
                ] + Asm.done),
        .refuses(
            "a caller that goes wrong after the same callee", subs: [33],
            warmUp + [
                Asm.mov(6, reg: 1), Asm.mov(7, reg: 1), Asm.jump(Opcode.jeq, 8, 7, 3), Asm.call(subprog: 6),
                Asm.mov(0, 0),
                Asm.exit, Asm.call(subprog: 3), Asm.load(.byte, 0, 6, 100),
            ] + Asm.done
                + [
                    Asm.call(helper: "ktime_get_ns"), Asm.jump(Opcode.jeq, 0, 1, 0), Asm.mov(2, 1),
                    Asm.mov(2, 2), Asm.mov(2, 3),
                    Asm.jump(Opcode.jeq, 0, 2, 0), Asm.mov(2, 1), Asm.mov(2, 2),
                    Asm.jump(Opcode.jeq, 0, 3, 0), Asm.mov(2, 1),
                ] + Asm.done),
        .accepts(
            "a register read after a join",
            either([Asm.mov(3, 1)], [Asm.mov(3, 2)]).replacingFirst(with: [
                Asm.unknown(8), Asm.mov(6, reg: 1),
            ])
                + [Asm.load(.byte, 0, 6, 0)] + Asm.done),
        .accepts(
            "stack read after a join",
            [Asm.store(.double, 10, -8, 5)] + either([Asm.mov(3, 1)], [Asm.mov(3, 2)])
                + [Asm.load(.double, 3, 10, -8)] + Asm.read(at: 3)),
        .refuses("an endless loop", [Asm.mov(0, 0), Asm.goto(-1), Asm.exit]),
        .accepts(
            "a loop that a counter ends",
            [Asm.mov(3, 0), Asm.add(3, 1), Asm.jump(Opcode.jlt, 3, 50, -2)] + Asm.read(at: 3)),
    ]
}

extension [Instruction] {
    fileprivate func replacingFirst(with insns: [Instruction]) -> [Instruction] { insns + dropFirst() }
}
