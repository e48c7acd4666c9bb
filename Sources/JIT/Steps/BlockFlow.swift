/// How often each way between blocks is taken, as far as the shape of the code tells: loops turn eight times, few values
/// are equal, and otherwise both sides of a branch are as likely.
struct BlockFlow {
    struct Edge {
        var from: Int32
        var to: Int32
        var weight: Double
        /// There is no other way: what does not fall through is a jump more.
        var isOnly: Bool
    }
    /// Most frequent first; of equals, only ways, then those that fall through already, then in the order of the code.
    private(set) var edges: [Edge] = []
    private struct Block {
        var frequency = 0.0
        /// How much of it goes on to the next without a jump.
        var share = 0.0
    }
    private var blocks: [Block]

    private static let turns = 8.0
    /// Of a comparison for equality.
    private static let equalShare = 0.375

    init(_ list: BlockList, _ loops: LoopNest, _ steps: [Step]) {
        blocks = [Block](repeating: Block(), count: list.count)
        blocks[0].frequency = 1
        edges.reserveCapacity(2 * list.count)
        // Before a block come all that lead to it, but for the ways back to the heads of loops.
        for block in loops.order {
            if loops.isHead(block) { blocks[block].frequency *= BlockFlow.turns }
            let next = list.next(block), target = list.target(block)
            let branch = steps[list.range(block).upperBound - 1]
            let share = BlockFlow.share(ofNext: next, target, from: block, loops, branch)
            blocks[block].share = share
            let frequency = blocks[block].frequency
            if next >= 0 { add(block, next, frequency * share, isOnly: target < 0, loops) }
            if target >= 0 { add(block, target, frequency * (1 - share), isOnly: next < 0, loops) }
        }
        edges.sort { left, right in
            if left.weight != right.weight { return left.weight > right.weight }
            if left.isOnly != right.isOnly { return left.isOnly }
            let falls = left.to == left.from + 1
            if falls != (right.to == right.from + 1) { return falls }
            return left.from != right.from ? left.from < right.from : left.to < right.to
        }
    }

    private mutating func add(_ from: Int, _ to: Int, _ weight: Double, isOnly: Bool, _ loops: LoopNest) {
        edges.append(Edge(from: Int32(from), to: Int32(to), weight: weight, isOnly: isOnly))
        if !loops.isBack(from: from, to: to) { blocks[to].frequency += weight }
    }

    func share(ofNext block: Int) -> Double { blocks[block].share }

    private static func share(
        ofNext next: Int, _ target: Int, from block: Int, _ loops: LoopNest, _ branch: Step
    ) -> Double {
        if next < 0 { return 0 }
        if target < 0 { return 1 }
        switch (loops.leaves(from: block, to: next), loops.leaves(from: block, to: target)) {
        case (true, false): return 1 / turns
        case (false, true): return 1 - 1 / turns
        default: break
        }
        switch branch.insn.operation {
        case Opcode.jeq: return 1 - equalShare
        case Opcode.jne: return equalShare
        default: return 0.5
        }
    }
}
