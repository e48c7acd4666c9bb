/// The loops among the blocks of a subprog: for each block the innermost loop that it is in, named by its head.
///
/// Code from a compiler has loops with one entry. Of others only what leads back to the head without passing it is found,
/// which costs speed and nothing else.
struct LoopNest {
    /// Blocks that can be reached, each behind all that lead to it but for ways back.
    private(set) var order: [Int] = []
    private(set) var isHead: [Bool]
    private var position: [Int]
    private var innermost: [Int]
    /// Of a head: the head of the loop around its own.
    private var outer: [Int]

    init(_ blocks: BlockList) {
        let count = blocks.count
        isHead = [Bool](repeating: false, count: count)
        position = [Int](repeating: -1, count: count)
        innermost = position
        outer = position
        findOrder(blocks)
        guard let ways = WaysBack(blocks, self) else { return }
        // The heads of inner loops come behind those of outer ones.
        for head in order.reversed() where isHead[head] { collect(head, ways) }
    }

    /// Depth first, with a stack of its own: each block is done when all behind it are.
    private mutating func findOrder(_ blocks: BlockList) {
        var isSeen = [Bool](repeating: false, count: blocks.count)
        var stack: [(block: Int, ways: Int)] = [(0, 2)]
        isSeen[0] = true
        order.reserveCapacity(blocks.count)
        while let (block, ways) = stack.last {
            guard ways > 0 else {
                order.append(block)
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].ways -= 1
            let way = ways == 2 ? blocks.next[block] : blocks.target[block]
            if way >= 0, !isSeen[way] {
                isSeen[way] = true
                stack.append((way, 2))
            }
        }
        order.reverse()
        for (index, block) in order.enumerated() { position[block] = index }
        for block in order {
            let next = blocks.next[block], target = blocks.target[block]
            if next >= 0, isBack(from: block, to: next) { isHead[next] = true }
            if target >= 0, isBack(from: block, to: target) { isHead[target] = true }
        }
    }

    /// Takes in all that leads back to `head` without passing it. A loop inside counts as one block, its head.
    private mutating func collect(_ head: Int, _ ways: WaysBack) {
        var work: [Int] = []
        ways.forEach(to: head) { if isBack(from: $0, to: head) { work.append($0) } }
        while let block = work.popLast() {
            var top = block
            if innermost[block] >= 0 {
                top = innermost[block]
                while outer[top] >= 0 { top = outer[top] }
                if top == head { continue }
                outer[top] = head
            } else {
                innermost[block] = head
                if block == head { continue }
            }
            // Ways back to an inner head come from blocks that count to it already.
            ways.forEach(to: top) { if !isBack(from: $0, to: top) { work.append($0) } }
        }
        if innermost[head] < 0 { innermost[head] = head }
    }

    func isBack(from: Int, to: Int) -> Bool { position[to] <= position[from] }

    /// Whether the way ends the innermost loop that `from` is in.
    func leaves(from: Int, to: Int) -> Bool {
        let loop = innermost[from]
        guard loop >= 0 else { return false }
        var around = innermost[to]
        while around >= 0 {
            if around == loop { return false }
            around = outer[around]
        }
        return true
    }
}

/// From where each block is reached: chains through an array with two places per block.
private struct WaysBack {
    private var heads: [Int]
    private var links: [Int]

    /// - Returns: nil if there are no loops.
    init?(_ blocks: BlockList, _ loops: LoopNest) {
        guard loops.isHead.contains(true) else { return nil }
        heads = [Int](repeating: -1, count: blocks.count)
        links = [Int](repeating: -1, count: 2 * blocks.count)
        for block in loops.order {
            add(2 * block, to: blocks.next[block])
            add(2 * block + 1, to: blocks.target[block])
        }
    }

    private mutating func add(_ way: Int, to block: Int) {
        guard block >= 0 else { return }
        links[way] = heads[block]
        heads[block] = way
    }

    func forEach(to block: Int, _ body: (Int) -> Void) {
        var way = heads[block]
        while way >= 0 {
            body(way / 2)
            way = links[way]
        }
    }
}
