/// The loops among the blocks of a subprog: for each block the innermost loop that it is in, named by its head.
///
/// Code from a compiler has loops with one entry. Of others only what leads back to the head without passing it is found,
/// which costs speed and nothing else.
struct LoopNest {
    private struct Block {
        /// Place in `order`; -1: it cannot be reached.
        var position: Int32 = -1
        /// Head of the innermost loop around it; -1: none.
        var innermost: Int32 = -1
        /// Of a head: the head of the loop around its own; -1: none.
        var outer: Int32 = -1
        var isHead = false
        var isSeen = false
    }
    /// Blocks that can be reached, each behind all that lead to it but for ways back.
    private(set) var order: [Int] = []
    private var blocks: [Block]

    init(_ list: BlockList) {
        blocks = [Block](repeating: Block(), count: list.count)
        findOrder(list)
        guard markHeads(list) else { return }
        let ways = WaysBack(list, order)
        var work: [Int] = []
        // The heads of inner loops come behind those of outer ones.
        for head in order.reversed() where isHead(head) { collect(head, ways, &work) }
    }

    func isHead(_ block: Int) -> Bool { blocks[block].isHead }

    func isBack(from: Int, to: Int) -> Bool { blocks[to].position <= blocks[from].position }

    /// Depth first, with a stack of its own: each block is done when all behind it are.
    private mutating func findOrder(_ list: BlockList) {
        var stack: [(block: Int, ways: Int)] = []
        stack.reserveCapacity(list.count)
        stack.append((0, 2))
        blocks[0].isSeen = true
        order.reserveCapacity(list.count)
        while let (block, ways) = stack.last {
            guard ways > 0 else {
                order.append(block)
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].ways -= 1
            let way = ways == 2 ? list.next(block) : list.target(block)
            if way >= 0, !blocks[way].isSeen {
                blocks[way].isSeen = true
                stack.append((way, 2))
            }
        }
        order.reverse()
        for index in order.indices { blocks[order[index]].position = Int32(index) }
    }

    /// Whether there is any.
    private mutating func markHeads(_ list: BlockList) -> Bool {
        var hasLoops = false
        for block in order {
            let next = list.next(block), target = list.target(block)
            if next >= 0, isBack(from: block, to: next) {
                blocks[next].isHead = true
                hasLoops = true
            }
            if target >= 0, isBack(from: block, to: target) {
                blocks[target].isHead = true
                hasLoops = true
            }
        }
        return hasLoops
    }

    /// Takes in all that leads back to `head` without passing it. A loop inside counts as one block, its head.
    private mutating func collect(_ head: Int, _ ways: WaysBack, _ work: inout [Int]) {
        addSources(of: head, areBack: true, ways, to: &work)
        while let block = work.popLast() {
            var top = block
            if blocks[block].innermost >= 0 {
                top = Int(blocks[block].innermost)
                while blocks[top].outer >= 0 { top = Int(blocks[top].outer) }
                if top == head { continue }
                blocks[top].outer = Int32(head)
            } else {
                blocks[block].innermost = Int32(head)
                if block == head { continue }
            }
            // Ways back to an inner head come from blocks that count to it already.
            addSources(of: top, areBack: false, ways, to: &work)
        }
        if blocks[head].innermost < 0 { blocks[head].innermost = Int32(head) }
    }

    /// The blocks of each loop that has no other inside, each behind all that lead to it in a turn.
    func innermostLoops() -> [[Int]] {
        var members = [[Int]](repeating: [], count: blocks.count)
        for block in order where blocks[block].innermost >= 0 {
            members[Int(blocks[block].innermost)].append(block)
        }
        for block in order where isHead(block) && blocks[block].outer >= 0 {
            members[Int(blocks[block].outer)] = []
        }
        return members.filter { !$0.isEmpty }
    }

    private func addSources(of block: Int, areBack: Bool, _ ways: WaysBack, to work: inout [Int]) {
        var way = ways.first(to: block)
        while way >= 0 {
            let source = way / 2
            if isBack(from: source, to: block) == areBack { work.append(source) }
            way = ways.next(way)
        }
    }

    /// Whether the way ends the innermost loop that `from` is in.
    func leaves(from: Int, to: Int) -> Bool {
        let loop = blocks[from].innermost
        guard loop >= 0 else { return false }
        var around = blocks[to].innermost
        while around >= 0 {
            if around == loop { return false }
            around = blocks[Int(around)].outer
        }
        return true
    }
}

/// From where each block is reached: chains through an array with two places per block. Way 2n is block n's `next`, way
/// 2n + 1 its `target`.
private struct WaysBack {
    private var heads: [Int32]
    private var links: [Int32]

    init(_ list: BlockList, _ order: [Int]) {
        heads = [Int32](repeating: -1, count: list.count)
        links = [Int32](repeating: -1, count: 2 * list.count)
        for block in order {
            add(2 * block, to: list.next(block))
            add(2 * block + 1, to: list.target(block))
        }
    }

    private mutating func add(_ way: Int, to block: Int) {
        guard block >= 0 else { return }
        links[way] = heads[block]
        heads[block] = Int32(way)
    }

    /// -1: none.
    func first(to block: Int) -> Int { Int(heads[block]) }
    func next(_ way: Int) -> Int { Int(links[way]) }
}
