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
            for (way, share) in [(next, share), (target, 1 - share)] where way >= 0 {
                let weight = frequency[block] * share
                edges.append(Edge(from: block, to: way, weight: weight, isOnly: next < 0 || target < 0))
                if !loops.isBack(from: block, to: way) { frequency[way] += weight }
            }
        }
        edges.sort { left, right in
            if left.weight != right.weight { return left.weight > right.weight }
            if left.isOnly != right.isOnly { return left.isOnly }
            let falls = (left.to == left.from + 1, right.to == right.from + 1)
            return falls.0 != falls.1 ? falls.0 : (left.from, left.to) < (right.from, right.to)
        }
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
