/// Puts the blocks of a subprog in an order in which the likely way falls through.
///
/// clang lays blocks out for BPF, where a jump costs nothing; here one that is taken costs about a cycle, and loops of a
/// few instructions feel it. Nothing is known about which way a branch goes, but loops turn (`BlockFlow`). So blocks
/// are chained along the most frequent edges first, which leaves most loops with one jump, the conditional one at their
/// end.
///
/// Source: Pettis, Hansen, "Profile guided code positioning" (PLDI 1990), section 4, with estimates for the profile.
struct BlockLayout {
    static func apply(to list: inout StepList) {
        // Without a loop there is nothing to tell what is likely; clang's order is as good.
        guard list.steps.indices.contains(where: { list.isJumpBack(at: $0) }) else { return }
        let blocks = BlockList(list)
        guard blocks.count > 2 else { return }
        let flow = BlockFlow(blocks, list.steps)
        let order = BlockLayout.order(blocks, flow)
        guard order != Array(order.indices) else { return }
        list.reorder(blocks, order, flow)
        list.countArrivals()
    }

    /// The blocks, chain after chain; the first stays the first.
    private static func order(_ blocks: BlockList, _ flow: BlockFlow) -> [Int] {
        let count = blocks.count
        var following = [Int](repeating: -1, count: count),
            isFollowing = [Bool](repeating: false, count: count)
        // Of the last block of a chain: the first; of the first: the last, and the least number of all.
        var first = Array(0..<count), last = first, least = first
        for edge in flow.edges where edge.to != 0 && following[edge.from] < 0 && !isFollowing[edge.to] {
            let head = first[edge.from], tail = last[edge.to]
            guard head != edge.to else { continue }
            following[edge.from] = edge.to
            isFollowing[edge.to] = true
            first[tail] = head
            last[head] = tail
            least[head] = min(least[head], least[edge.to])
        }
        let heads = (0..<count).filter { !isFollowing[$0] }
        var order: [Int] = []
        order.reserveCapacity(count)
        // Block 0 is the head of its chain, and the least.
        for head in heads.sorted(by: { least[$0] < least[$1] }) {
            var block = head
            while block >= 0 {
                order.append(block)
                block = following[block]
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
        let next = blocks.next[number], target = blocks.target[number]
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
