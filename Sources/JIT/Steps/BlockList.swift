/// The blocks of a subprog: runs of steps that are entered at the first and left at the last.
///
/// A select (`StepList.isSelect`) ends no block: what it skips is one move. Arrays by block, not an array of arrays, since
/// this is made for every subprog.
struct BlockList {
    /// First step of each block, and the number of steps at the end.
    private var starts: [Int] = []
    private var blockOfStart: [Int32]
    /// Block reached without a jump, and block that the last step jumps to; -1: none.
    private(set) var next: [Int] = []
    private(set) var target: [Int] = []

    var count: Int { next.count }
    func range(_ block: Int) -> Range<Int> { starts[block]..<starts[block + 1] }
    func block(startingAt step: Int) -> Int { Int(blockOfStart[step]) }

    init(_ list: StepList) {
        let steps = list.steps
        blockOfStart = [Int32](repeating: -1, count: steps.count)
        var isStart = true
        for (index, step) in steps.enumerated() {
            if isStart || list.isEntered(index) {
                blockOfStart[index] = Int32(starts.count)
                starts.append(index)
            }
            isStart = step.endsFlow || step.jumps && !list.isSelect(at: index)
        }
        starts.append(steps.count)
        for block in 0..<starts.count - 1 {
            let last = steps[starts[block + 1] - 1]
            next.append(last.endsFlow || block + 2 == starts.count ? -1 : block + 1)
            target.append(last.jumps ? Int(blockOfStart[Int(last.target)]) : -1)
        }
    }
}

extension Step {
    fileprivate var jumps: Bool { target >= 0 && kind != .nothing }
}

extension StepList {
    /// Whether the branch at `index` skips nothing but a move, so that it may become a conditional move (`emitSelect`).
    fileprivate func isSelect(at index: Int) -> Bool {
        guard steps[index].isBranch, index + 2 < steps.count, arrivals[index + 1] == 0,
            steps[index + 1].anyMoveWidth != nil
        else { return false }
        let behind = steps[index + 2], over = steps[index].target
        return Int(over) == index + 2
            || behind.kind == .goto && behind.target == over && arrivals[index + 2] == 0
    }

    /// Whether anything but a select right before it jumps to the step.
    fileprivate func isEntered(_ index: Int) -> Bool {
        guard arrivals[index] > 0 else { return false }
        let isOver = index >= 2 && Int(steps[index - 2].target) == index && isSelect(at: index - 2)
        return arrivals[index] > (isOver ? 1 : 0)
    }
}
