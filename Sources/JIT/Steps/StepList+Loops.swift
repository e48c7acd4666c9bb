extension StepList {
    /// Decides which selects are branches, and where blocks lie. Without a loop there is nothing to tell what is likely;
    /// clang's order is as good.
    mutating func arrangeLoops() {
        guard steps.indices.contains(where: { isJumpBack(at: $0) }) else { return }
        var blocks = BlockList(self), loops = LoopNest(blocks)
        if GuessedSelects.mark(in: &self, blocks, loops) {
            blocks = BlockList(self)
            loops = LoopNest(blocks)
        }
        BlockLayout.apply(to: &self, blocks, loops)
    }
}

/// Loops that are short enough to lie in one cache line.
extension StepList {
    /// About four bytes each.
    private static let stepsMax = 20

    func isJumpBack(at index: Int) -> Bool {
        steps[index].target >= 0 && Int(steps[index].target) <= index && steps[index].kind != .nothing
    }

    /// From head to the last jump back, in ascending order, none inside another. What calls is not worth it.
    func shortLoops() -> [ClosedRange<Int>] {
        var loops: [ClosedRange<Int>] = []
        for index in steps.indices where isJumpBack(at: index) {
            let head = Int(steps[index].target)
            guard index - head < StepList.stepsMax,
                !steps[head...index].contains(where: { $0.kind == .plain && $0.insn.isCall })
            else { continue }
            // Several jumps back, or a loop around others, make one where all is short.
            var start = head
            while let last = loops.last, last.upperBound >= start {
                guard index - min(start, last.lowerBound) < StepList.stepsMax else { break }
                start = min(start, last.lowerBound)
                loops.removeLast()
            }
            if loops.last.map({ $0.upperBound < start }) ?? true { loops.append(start...index) }
        }
        return loops
    }
}
