import BPF

/// Memory, the stack, map values and objects.
extension DirectedProgram {
    static let memory: [DirectedProgram] = [
        .refuses("below its memory", [Asm.load(.byte, 0, 1, -1)] + Asm.done),
        .refuses("beyond its memory", [Asm.load(.double, 0, 1, 57)] + Asm.done),
        .refuses("a misaligned atomic", [Asm.mov(3, 1), Asm.atomic(0, .double, 1, 4, reg: 3)] + Asm.done),
        .refuses(
            "a fetched number is unknown",
            [Asm.mov(3, 1), Asm.atomic(Opcode.atomicFetch, .double, 1, 0, reg: 3)] + Asm.read(at: 3)),
        .refuses(
            "what cmpxchg finds is unknown",
            [Asm.mov(0, 1), Asm.mov(3, 1), Asm.atomic(Opcode.atomicCmpxchg, .double, 1, 0, reg: 3)]
                + Asm.read(at: 0)),

        .refuses(
            "part of a saved pointer",
            [Asm.store(.double, 10, -8, reg: 1), Asm.load(.word, 0, 10, -8)] + Asm.done),
        .refuses(
            "a saved number partly overwritten",
            [
                Asm.unknown(4), Asm.store(.double, 10, -8, 5), Asm.store(.byte, 10, -7, reg: 4),
                Asm.load(.double, 3, 10, -8),
            ] + Asm.read(at: 3)),
        .refuses(
            "a saved number overwritten somewhere",
            [
                Asm.unknown(4), Asm.and(4, 7), Asm.store(.double, 10, -8, 5), Asm.mov(5, reg: 10),
                Asm.add(5, reg: 4), Asm.store(.byte, 5, -8, reg: 4), Asm.load(.double, 3, 10, -8),
            ] + Asm.read(at: 3)),
        .refuses(
            "the low half of a saved number is not the number",
            [
                Asm.unknown(3), Asm.store(.double, 10, -8, reg: 3), Asm.load(.word, 4, 10, -8),
                Asm.jump(Opcode.jgt, 4, 63, Asm.toEnd),
            ] + Asm.read(at: 3)),
        .refuses(
            "a callee's address in its caller's stack", subs: [5],
            [
                Asm.store(.double, 10, -8, 0), Asm.mov(1, reg: 10), Asm.call(subprog: 2), Asm.mov(0, 0),
                Asm.exit,
                Asm.store(.double, 1, -8, reg: 10),
            ] + Asm.done),
        .refuses(
            "a callee's address returned", subs: [3],
            [Asm.call(subprog: 2), Asm.mov(0, 0), Asm.exit, Asm.mov(0, reg: 10), Asm.exit]),
        .refuses(
            "what a helper has filled is unknown",
            [
                Asm.mov(7, reg: 1), Asm.store(.double, 10, -16, 5), Asm.store(.double, 10, -8, 5),
                Asm.mov(1, reg: 10), Asm.add(1, -16), Asm.mov(2, 16), Asm.call(helper: "get_current_comm"),
                Asm.load(.double, 3, 10, -8), Asm.mov(1, reg: 7),
            ] + Asm.read(at: 3)),
        .refuses(
            "too much stack along a call", subs: [4],
            [Asm.store(.double, 10, -400, 0), Asm.call(subprog: 2), Asm.mov(0, 0), Asm.exit]
                + [Asm.store(.double, 10, -200, 0)] + Asm.done),

        .refuses("a value untested", Asm.lookup(DirectedMaps.hash) + [Asm.load(.word, 3, 0, 0)] + Asm.done),
        .refuses(
            "a value found missing",
            Asm.lookup(DirectedMaps.hash) + [Asm.jump(Opcode.jne, 0, 0, 1), Asm.load(.word, 3, 0, 0)]
                + Asm.done),
        .refuses("a value moved untested", Asm.lookup(DirectedMaps.hash) + [Asm.add(0, 4)] + Asm.done),
        .refuses(
            "constant data written",
            Asm.mapValue(3, DirectedMaps.constants, 0) + [Asm.store(.byte, 3, 0, 1)] + Asm.done),
        .accepts(
            "constant data is known",
            Asm.mapValue(3, DirectedMaps.constants, 0) + [Asm.load(.double, 3, 3, 0)] + Asm.read(at: 3)),
        .refuses(
            "a lock written",
            Asm.lookup(DirectedMaps.locked)
                + [Asm.jump(Opcode.jeq, 0, 0, Asm.toEnd), Asm.store(.word, 0, 4, 1)] + Asm.done),
        .refuses(
            "the key of an element written", subs: [10],
            Asm.map(1, DirectedMaps.array) + Asm.function(2, 7)
                + [
                    Asm.mov(3, 0), Asm.mov(4, 0), Asm.call(helper: "for_each_map_elem"), Asm.mov(0, 0),
                    Asm.mov(0, 0),
                    Asm.exit, Asm.store(.word, 2, 0, 1),
                ] + Asm.done),

        .refuses(
            "beyond an object", op: .avoid,
            [Asm.load(.double, 6, 1, 0), Asm.load(.double, 2, 6, 144)] + Asm.done),
        .refuses(
            "a field not offered", op: .avoid,
            [Asm.load(.double, 6, 1, 0), Asm.store(.word, 6, 28, 1)] + Asm.done),
        .refuses("an argument too many", op: .avoid, [Asm.load(.double, 2, 1, 24)] + Asm.done),
    ]
}
