import BPF

/// Numbers: arithmetic on ranges and what branches teach.
extension DirectedProgram {
    static let numbers: [DirectedProgram] = [
        .refuses("an unlimited offset", [Asm.unknown(3), Asm.add(1, reg: 3)] + Asm.done),
        .accepts("a masked index", [Asm.unknown(3), Asm.and(3, 63)] + Asm.read(at: 3)),
        .accepts(
            "or sets a lower bound",
            [Asm.unknown(3), Asm.and(3, 31), Asm.alu(Opcode.or, 3, 32), Asm.add(3, -32)] + Asm.read(at: 3)),
        .accepts(
            "a quotient is small",
            [Asm.load(.word, 3, 1, 0), Asm.alu(Opcode.div, 3, 1 << 26)] + Asm.read(at: 3)),
        .accepts("a remainder is small", [Asm.unknown(3), Asm.alu(Opcode.mod, 3, 64)] + Asm.read(at: 3)),
        .accepts(
            "an unsigned range is a signed one",
            [Asm.unknown(3)] + Asm.wide(4, 3 << 40) + [Asm.jump(Opcode.jlt, 3, reg: 4, Asm.toEnd)]
                + Asm.wide(4, 5 << 40)
                + [
                    Asm.jump(Opcode.jgt, 3, reg: 4, Asm.toEnd), Asm.alu(Opcode.arsh, 3, 36), Asm.add(3, -48),
                ] + Asm.read(at: 3)),
        .accepts(
            "a signed range is an unsigned one",
            [
                Asm.unknown(3), Asm.store(.double, 10, -8, 0), Asm.jump(Opcode.jslt, 3, 1, Asm.toEnd),
                Asm.jump(Opcode.jsgt, 3, 8, Asm.toEnd), Asm.mov(1, reg: 10), Asm.add(1, -8),
                Asm.mov(2, reg: 3), Asm.call(helper: "get_current_comm"),
            ] + Asm.done),
        .accepts(
            "the whole bounds its low half",
            [
                Asm.unknown(3), Asm.jump(Opcode.jlt, 3, 60, Asm.toEnd),
                Asm.jump(Opcode.jgt, 3, 70, Asm.toEnd),
                Asm.alu(Opcode.sub, 3, 60, wide: false),
            ] + Asm.read(at: 3, plus: 53)),
        .accepts(
            "the low half bounds the whole",
            [Asm.load(.word, 3, 1, 0)] + Asm.wide(4, 1 << 32)
                + [
                    Asm.alu(Opcode.or, 3, reg: 4), Asm.jump(Opcode.jgt, 3, 10 << 24, Asm.toEnd, wide: false),
                    Asm.alu(Opcode.rsh, 3, 24), Asm.add(3, -256),
                ] + Asm.read(at: 3, plus: 53)),
        .accepts(
            "known bits bound a number",
            [Asm.unknown(3), Asm.and(3, 63), Asm.alu(Opcode.xor, 3, 5)] + Asm.read(at: 3)),
        .accepts(
            "bounds make known bits",
            [Asm.unknown(3), Asm.jump(Opcode.jgt, 3, 63, Asm.toEnd), Asm.alu(Opcode.xor, 3, 1)]
                + Asm.read(at: 3)),

        .accepts(
            "equality gives the number",
            [Asm.unknown(3), Asm.jump(Opcode.jne, 3, 5, Asm.toEnd)] + Asm.read(at: 3)),
        .accepts(
            "inequality moves an end",
            [Asm.unknown(3), Asm.and(3, 63), Asm.jump(Opcode.jeq, 3, 0, Asm.toEnd), Asm.add(3, -1)]
                + Asm.read(at: 3)),
        .accepts(
            "a strict comparison", [Asm.unknown(3), Asm.jump(Opcode.jge, 3, 64, Asm.toEnd)] + Asm.read(at: 3)),
        .refuses(
            "an index off by one", [Asm.unknown(3), Asm.jump(Opcode.jgt, 3, 64, Asm.toEnd)] + Asm.read(at: 3)),
        .refuses(
            "a signed comparison has no lower end",
            [Asm.unknown(3), Asm.jump(Opcode.jsgt, 3, 63, Asm.toEnd)] + Asm.read(at: 3)),
        .refuses(
            "an equal low half is not the number",
            [Asm.unknown(3), Asm.jump(Opcode.jne, 3, 5, Asm.toEnd, wide: false)] + Asm.read(at: 3)),
        .refuses(
            "a small low half is no small number",
            [Asm.unknown(3), Asm.jump(Opcode.jgt, 3, 63, Asm.toEnd, wide: false)] + Asm.read(at: 3)),
        .accepts(
            "a common bit is set",
            [
                Asm.unknown(3), Asm.and(3, 3), Asm.jump(Opcode.jset, 3, 2, 2), Asm.mov(0, 0), Asm.exit,
                Asm.add(3, -2),
            ] + Asm.read(at: 3)),
        .accepts(
            "bits not in common are clear",
            [Asm.unknown(3), Asm.jump(Opcode.jset, 3, -64, Asm.toEnd)] + Asm.read(at: 3)),
        .refuses(
            "one of two common bits",
            [
                Asm.unknown(3), Asm.and(3, 127), Asm.jump(Opcode.jset, 3, 0x60, 2), Asm.mov(0, 0), Asm.exit,
                Asm.add(3, -96),
            ] + Asm.read(at: 3)),
        .accepts(
            "a check narrows a copy",
            [Asm.unknown(3), Asm.mov(4, reg: 3), Asm.jump(Opcode.jgt, 3, 63, Asm.toEnd)] + Asm.read(at: 4)),
        .refuses(
            "a check of the low half narrows no whole",
            [
                Asm.unknown(3), Asm.alu(Opcode.mov, 4, reg: 3, wide: false),
                Asm.jump(Opcode.jgt, 4, 63, Asm.toEnd),
            ] + Asm.read(at: 3)),
        .refuses(
            "a check of a sum narrows no summand",
            [Asm.unknown(3), Asm.mov(4, reg: 3), Asm.add(4, 1), Asm.jump(Opcode.jgt, 4, 63, Asm.toEnd)]
                + Asm.read(at: 3)),
        .accepts(
            "a branch decided by a constant",
            [Asm.mov(3, 0), Asm.jump(Opcode.jeq, 3, 0, 1), Asm.load(.byte, 0, 1, 100)] + Asm.done),

        .refuses("a product of a pointer", [Asm.alu(Opcode.mul, 1, 2)] + Asm.done),
        .refuses("a register never written", [Asm.mov(0, reg: 5)] + Asm.done),
        .refuses("the frame pointer changed", [Asm.add(10, 8)] + Asm.done),
        .refuses("division by the constant 0", [Asm.mov(0, 1), Asm.alu(Opcode.div, 0, 0)] + Asm.done),
        .refuses("a shift too far", [Asm.mov(0, 1), Asm.alu(Opcode.lsh, 0, 64)] + Asm.done),
        .refuses("a function without an end", subs: [1], [Asm.mov(0, 0), Asm.mov(0, 0), Asm.exit]),
    ]
}
