/// Puts the blocks of a subprog in an order in which the likely way falls through.
///
/// clang lays blocks out for BPF, where a jump costs nothing; here one that is taken costs about a cycle, and loops of a
/// few instructions feel it. Nothing is known about which way a branch goes, but loops turn (`BlockFlow`). So blocks
/// are chained along the most frequent edges first, which leaves most loops with one jump, the conditional one at their
/// end.
///
/// Source: Pettis, Hansen, "Profile guided code positioning" (PLDI 1990), section 4, with estimates for the profile.
struct BlockLayout {
    static func apply(to list: inout StepList, _ blocks: BlockList, _ loops: LoopNest) {
        guard blocks.count > 2 else { return }
        let flow = BlockFlow(blocks, loops, list.steps)
        let order = BlockLayout.order(blocks, flow)
        guard order.indices.contains(where: { order[$0] != $0 }) else { return }
        list.reorder(blocks, order, flow)
        list.countArrivals()
    }

    /// A block and, if it is an end of one, its chain.
    private struct Link {
        var following: Int32 = -1
        var isFollowing = false
        /// Of the last block of a chain: the first; of the first: the last, and the least number of all.
        var first: Int32
        var last: Int32
        var least: Int32

        init(_ block: Int32) {
            first = block
            last = block
            least = block
        }
    }

    /// The blocks, chain after chain; the first stays the first.
    private static func order(_ blocks: BlockList, _ flow: BlockFlow) -> [Int] {
        var links: [Link] = []
        links.reserveCapacity(blocks.count)
        for block in 0..<blocks.count { links.append(Link(Int32(block))) }
        for edge in flow.edges {
            let from = Int(edge.from), to = Int(edge.to)
            guard to != 0, links[from].following < 0, !links[to].isFollowing else { continue }
            let head = Int(links[from].first), tail = Int(links[to].last)
            guard head != to else { continue }
            links[from].following = edge.to
            links[to].isFollowing = true
            links[tail].first = Int32(head)
            links[head].last = Int32(tail)
            links[head].least = min(links[head].least, links[to].least)
        }
        // Block 0 is the head of its chain, and the least.
        var heads = links.indices.filter { !links[$0].isFollowing }
        heads.sort { links[$0].least < links[$1].least }
        var order: [Int] = []
        order.reserveCapacity(blocks.count)
        for head in heads {
            var block = head
            while block >= 0 {
                order.append(block)
                block = Int(links[block].following)
            }
        }
        return order
    }
}

extension StepList {
    /// Puts the blocks in another order and mends the jumps at their ends.
    fileprivate mutating func reorder(_ blocks: BlockList, _ order: [Int], _ flow: BlockFlow) {
        var placed: [Step] = [], startOfBlock = [Int32](repeating: 0, count: order.count)
        placed.reserveCapacity(steps.count + 8)
        // Until all have their places, targets are numbers of blocks, or distances inside one.
        for (position, number) in order.enumerated() {
            let range = blocks.range(number)
            startOfBlock[number] = Int32(placed.count)
            for index in range {
                placed.append(steps[index])
                let target = Int(steps[index].target)
                guard target >= 0 else { continue }
                let isInside = target > range.lowerBound && target < range.upperBound
                placed[placed.count - 1].target =
                    isInside
                    ? BlockTarget.inside + Int32(target - index) : Int32(blocks.block(startingAt: target))
            }
            let after = position + 1 < order.count ? order[position + 1] : -1
            placed.endBlock(number, of: blocks, before: after, flow)
        }
        for index in placed.indices where placed[index].target >= 0 {
            let target = placed[index].target
            placed[index].target =
                target < BlockTarget.inside
                ? startOfBlock[Int(target)] : Int32(index) + target - BlockTarget.inside
        }
        steps = placed
    }
}

private enum BlockTarget {
    /// More than there are blocks: the verifier takes a million instructions at most.
    static let inside: Int32 = 1 << 24
}

extension [Step] {
    /// Makes the jump at the end of a block fit what comes `after` it now.
    fileprivate mutating func endBlock(
        _ number: Int, of blocks: BlockList, before after: Int, _ flow: BlockFlow
    ) {
        guard let last else { return }
        let next = blocks.next(number), target = blocks.target(number)
        if next < 0 {
            if last.kind == .goto, target == after { removeLast() }
        } else if next != after {
            // One of two ways takes two jumps: the rarer.
            let prefersNext = target == after || flow.share(ofNext: number) > 0.5
            if target >= 0, prefersNext, let inverted = last.insn.invertedJump {
                self[count - 1].insn.opcode = inverted
                self[count - 1].target = Int32(next)
                if target != after { appendGoto(target, Int(last.pc)) }
            } else {
                appendGoto(next, Int(last.pc))
            }
        }
    }

    private mutating func appendGoto(_ block: Int, _ pc: Int) {
        var step = Step(Decoded(opcode: Opcode.gotoShort), at: pc, kind: .goto)
        step.target = Int32(block)
        append(step)
    }
}
