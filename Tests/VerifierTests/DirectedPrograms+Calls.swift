import BPF

/// Helpers, kfuncs, references, locks, callbacks, iterators.
extension DirectedProgram {
    private static func kfunc(_ name: String) -> Instruction {
        Asm.call(kfunc: SmallKernel.shared.kfunc(name))
    }

    private static let toIterator = [Asm.mov(1, reg: 10), Asm.add(1, -8)]

    /// R6, R7 = two values of the map with a lock, tested; R1 = the lock of the first.
    private static let twoLocks =
        Asm.lookup(DirectedMaps.locked) + [Asm.jump(Opcode.jeq, 0, 0, Asm.toEnd), Asm.mov(6, reg: 0)]
        + Asm.lookup(DirectedMaps.locked)
        + [Asm.jump(Opcode.jeq, 0, 0, Asm.toEnd), Asm.mov(7, reg: 0), Asm.mov(1, reg: 6), Asm.add(1, 4)]

    static let calls: [DirectedProgram] = [
        .refuses(
            "arguments after a call",
            [Asm.mov(1, 1), Asm.call(helper: "ktime_get_ns"), Asm.mov(0, reg: 1), Asm.exit]),
        .refuses("a helper that is not offered", [Asm.call(helper: "get_prandom_u32")] + Asm.done),
        .refuses(
            "a push to an array",
            [Asm.store(.double, 10, -16, 0), Asm.store(.double, 10, -8, 0)] + Asm.map(1, DirectedMaps.array)
                + [Asm.mov(2, reg: 10), Asm.add(2, -16), Asm.mov(3, 0), Asm.call(helper: "map_push_elem")]
                + Asm.done),
        .refuses(
            "an update of constant data",
            [Asm.store(.word, 10, -4, 0), Asm.store(.double, 10, -24, 0), Asm.store(.double, 10, -16, 0)]
                + Asm.map(1, DirectedMaps.constants)
                + [
                    Asm.mov(2, reg: 10), Asm.add(2, -4), Asm.mov(3, reg: 10), Asm.add(3, -24), Asm.mov(4, 0),
                    Asm.call(helper: "map_update_elem"),
                ] + Asm.done),
        .refuses(
            "a key that leaves the stack",
            [Asm.store(.byte, 10, -1, 0)] + Asm.map(1, DirectedMaps.hash)
                + [Asm.mov(2, reg: 10), Asm.add(2, -1), Asm.call(helper: "map_lookup_elem")] + Asm.done),
        .refuses(
            "a string without an end",
            [Asm.mov(2, 8)] + Asm.mapValue(3, DirectedMaps.constants, 8) + [Asm.call(helper: "strncmp")]
                + Asm.done),
        .refuses(
            "a value untested as argument",
            Asm.lookup(DirectedMaps.hash)
                + [Asm.mov(3, reg: 0)] + Asm.map(1, DirectedMaps.hash)
                + [Asm.mov(2, reg: 10), Asm.add(2, -4), Asm.mov(4, 0), Asm.call(helper: "map_update_elem")]
                + Asm.done),
        .refuses(
            "a size that may be zero",
            [
                Asm.load(.byte, 2, 1, 0), Asm.and(2, 7), Asm.store(.double, 10, -8, 0), Asm.mov(1, reg: 10),
                Asm.add(1, -8), Asm.call(helper: "get_current_comm"),
            ] + Asm.done),
        .refuses(
            "a callback that returns anything", subs: [8],
            [Asm.mov(1, 4)] + Asm.function(2, 6)
                + [
                    Asm.mov(3, 0), Asm.mov(4, 0), Asm.call(helper: "loop"), Asm.mov(0, 0), Asm.exit,
                    Asm.mov(0, 7), Asm.exit,
                ]),
        .refuses(
            "another lock released",
            twoLocks + [
                Asm.call(helper: "spin_lock"), Asm.mov(1, reg: 7), Asm.add(1, 4),
                Asm.call(helper: "spin_unlock"),
            ] + Asm.done),
        .refuses(
            "a call under a lock",
            twoLocks + [
                Asm.call(helper: "spin_lock"), Asm.call(helper: "ktime_get_ns"), Asm.mov(1, reg: 6),
                Asm.add(1, 4),
                Asm.call(helper: "spin_unlock"),
            ] + Asm.done),
        .accepts(
            "a lock and its release",
            twoLocks + [
                Asm.call(helper: "spin_lock"), Asm.mov(1, reg: 6), Asm.add(1, 4),
                Asm.call(helper: "spin_unlock"),
            ] + Asm.done),

        .refuses(
            "a reference kept", op: .avoid,
            [Asm.mov(1, 5), kfunc("sock_find"), Asm.jump(Opcode.jeq, 0, 0, Asm.toEnd)] + Asm.done),
        .accepts(
            "a reference released, a failure not", op: .avoid,
            [
                Asm.mov(1, 5), kfunc("sock_find"), Asm.jump(Opcode.jeq, 0, 0, Asm.toEnd), Asm.mov(1, reg: 0),
                kfunc("sock_put"),
            ]
                + Asm.done),
        .refuses(
            "an object after its release", op: .avoid,
            [
                Asm.mov(1, 5), kfunc("sock_find"), Asm.jump(Opcode.jeq, 0, 0, Asm.toEnd), Asm.mov(6, reg: 0),
                Asm.mov(1, reg: 6), kfunc("sock_put"), Asm.load(.word, 2, 6, 16),
            ] + Asm.done),
        .refuses(
            "an object read from another", op: .avoid,
            [Asm.load(.double, 6, 1, 0), Asm.load(.double, 1, 6, 8), kfunc("sock_look")] + Asm.done),
        .refuses(
            "an object of another type", op: .avoid,
            [Asm.load(.double, 1, 1, 16), Asm.mov(2, 3), kfunc("tcp_slow_start")] + Asm.done),
        .refuses("an iterator never made", op: .avoid, toIterator + [kfunc("bpf_iter_num_next")] + Asm.done),
        .refuses(
            "an element written", op: .avoid,
            toIterator + [Asm.mov(2, 0), Asm.mov(3, 9), kfunc("bpf_iter_num_new")] + toIterator
                + [
                    kfunc("bpf_iter_num_next"), Asm.jump(Opcode.jeq, 0, 0, 2), Asm.store(.word, 0, 0, 1),
                    Asm.goto(-6),
                ]
                + toIterator + [kfunc("bpf_iter_num_destroy")] + Asm.done),
    ]
}
