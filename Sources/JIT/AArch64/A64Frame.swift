/// Stack frame of one subprog, and what it saves.
///
/// ```
/// x29 ─▶     caller's x29, return address    unless the subprog calls nothing and saves nothing
///            saved R6–R9, R10                only those that it uses, in pairs
/// R10 ─▶     BPF stack                       rounded up to 16 bytes
/// sp  ─▶
/// ```
struct A64Frame {
    private let isLeaf: Bool
    private let saved: [(A64Register, A64Register)]
    private let stackBytes: Int32
    private let clearsStack: Bool

    init(_ shape: SubprogShape) {
        let kept = (6...10 as ClosedRange<UInt8>).filter(shape.uses).map { A64RegisterMap.machine[Int($0)] }
        saved = stride(from: 0, to: kept.count, by: 2).map { index in
            (kept[index], index + 1 < kept.count ? kept[index + 1] : .zero)
        }
        isLeaf = !shape.makesCalls && kept.isEmpty
        // At most 512, the limit of a chain of calls.
        stackBytes = shape.uses(10) ? Int32((shape.stackBytes + 15) & ~15) : 0
        clearsStack = shape.clearsStack
    }

    func emitPrologue(_ assembler: inout A64Assembler) {
        guard !isLeaf else { return }
        assembler.push(.framePointer, .link)
        assembler.add(.x, .framePointer, .sp, immediate: 0)
        for pair in saved { assembler.push(pair.0, pair.1) }
        if saved.contains(where: { $0.0 == A64RegisterMap.machine[10] || $0.1 == A64RegisterMap.machine[10] })
        {
            assembler.add(.x, A64RegisterMap.machine[10], .sp, immediate: 0)
        }
        if clearsStack {
            for _ in stride(from: 0, to: stackBytes, by: 16) { assembler.push(.zero, .zero) }
        } else if stackBytes > 0 {
            assembler.add(.x, .sp, .sp, immediate: -stackBytes)
        }
    }

    /// Hands R0 over, undoes the prologue and returns.
    func emitReturn(_ assembler: inout A64Assembler) {
        assembler.move(.x, A64RegisterMap.result, A64RegisterMap.machine[0])
        if !isLeaf {
            if stackBytes > 0 { assembler.add(.x, .sp, .sp, immediate: stackBytes) }
            for pair in saved.reversed() { assembler.pop(pair.0, pair.1) }
            assembler.pop(.framePointer, .link)
        }
        assembler.ret()
    }
}
