/// How often each way between blocks is taken, as far as the shape of the code tells: loops turn eight times, few values
/// are equal, and otherwise both sides of a branch are as likely.
struct BlockFlow {
    struct Edge {
        var from: Int
        var to: Int
        var weight: Double
        /// There is no other way: what does not fall through is a jump more.
        var isOnly: Bool
    }
    /// Most frequent first; of equals, only ways, then those that fall through already, then in the order of the code.
    private(set) var edges: [Edge] = []
    /// By block, how much of it goes on to the next without a jump.
    private var shares: [Double]

    private static let turns = 8.0
    /// Of a comparison for equality.
    private static let equalShare = 0.375

    init(_ blocks: BlockList, _ steps: [Step]) {
        let loops = LoopNest(blocks)
        var frequency = [Double](repeating: 0, count: blocks.count)
        shares = frequency
        frequency[0] = 1
        edges.reserveCapacity(2 * blocks.count)
        // Before a block come all that lead to it, but for the ways back to the heads of loops.
        for block in loops.order {
            if loops.isHead[block] { frequency[block] *= BlockFlow.turns }
            let next = blocks.next[block], target = blocks.target[block]
            let branch = steps[blocks.range(block).upperBound - 1]
            let share = BlockFlow.share(ofNext: next, target, from: block, loops, branch)
            shares[block] = share
            if next >= 0 { add(block, next, frequency[block] * share, isOnly: target < 0, loops, &frequency) }
            if target >= 0 {
                add(block, target, frequency[block] * (1 - share), isOnly: next < 0, loops, &frequency)
            }
        }
        edges.sort { left, right in
            if left.weight != right.weight { return left.weight > right.weight }
            if left.isOnly != right.isOnly { return left.isOnly }
            let falls = left.to == left.from + 1
            if falls != (right.to == right.from + 1) { return falls }
            return left.from != right.from ? left.from < right.from : left.to < right.to
        }
    }

    private mutating func add(
        _ from: Int, _ to: Int, _ weight: Double, isOnly: Bool, _ loops: LoopNest,
        _ frequency: inout [Double]
    ) {
        edges.append(Edge(from: from, to: to, weight: weight, isOnly: isOnly))
        if !loops.isBack(from: from, to: to) { frequency[to] += weight }
    }

    func share(ofNext block: Int) -> Double { shares[block] }

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
