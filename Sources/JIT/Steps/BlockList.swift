/// The blocks of a subprog: runs of steps that are entered at the first and left at the last.
///
/// A select (`StepList.isSelect`) ends no block: what it skips is one move. One array of plain values, since this is made
/// for every subprog with loops.
struct BlockList {
    private struct Block {
        /// First step.
        var start: Int32
        /// Block reached without a jump, and block that the last step jumps to; -1: none.
        var next: Int32 = -1
        var target: Int32 = -1
    }
    /// One more stands behind the last, for where that ends.
    private var blocks: [Block] = []
    private var blockOfStart: [Int32]

    var count: Int { blocks.count - 1 }
    func range(_ block: Int) -> Range<Int> { Int(blocks[block].start)..<Int(blocks[block + 1].start) }
    func block(startingAt step: Int) -> Int { Int(blockOfStart[step]) }
    func next(_ block: Int) -> Int { Int(blocks[block].next) }
    func target(_ block: Int) -> Int { Int(blocks[block].target) }

    init(_ list: StepList) {
        let steps = list.steps
        blockOfStart = [Int32](repeating: -1, count: steps.count)
        blocks.reserveCapacity(steps.count / 2 + 2)
        var isStart = true
        for index in steps.indices {
            if isStart || list.isEntered(index) {
                blockOfStart[index] = Int32(blocks.count)
                blocks.append(Block(start: Int32(index)))
            }
            isStart = steps[index].endsFlow || steps[index].jumps && !list.isSelect(at: index)
        }
        blocks.append(Block(start: Int32(steps.count)))
        for block in 0..<count {
            let last = steps[Int(blocks[block + 1].start) - 1]
            if !last.endsFlow, block + 1 < count { blocks[block].next = Int32(block + 1) }
            if last.jumps { blocks[block].target = blockOfStart[Int(last.target)] }
        }
    }
}

extension Step {
    fileprivate var jumps: Bool { target >= 0 && kind != .nothing }
}

extension StepList {
    /// Whether the branch at `index` skips nothing but a move, so that it may become a conditional move (`emitSelect`).
    func isSelect(at index: Int) -> Bool {
        guard steps[index].isBranch, !steps[index].isGuessed, index + 2 < steps.count,
            arrivals[index + 1] == 0,
            steps[index + 1].anyMoveWidth != nil
        else { return false }
        let over = steps[index].target
        return Int(over) == index + 2
            || steps[index + 2].kind == .goto && steps[index + 2].target == over && arrivals[index + 2] == 0
    }

    /// Whether anything but a select right before it jumps to the step.
    fileprivate func isEntered(_ index: Int) -> Bool {
        guard arrivals[index] > 0 else { return false }
        let isOver = index >= 2 && Int(steps[index - 2].target) == index && isSelect(at: index - 2)
        return arrivals[index] > (isOver ? 1 : 0)
    }
}
