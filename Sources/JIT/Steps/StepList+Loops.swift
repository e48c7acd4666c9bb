/// Loops that are short enough to lie in one cache line.
extension StepList {
    /// About four bytes each.
    private static let stepsMax = 20

    /// From head to the last jump back, in ascending order, none inside another. What calls is not worth it.
    func shortLoops() -> [ClosedRange<Int>] {
        var loops: [ClosedRange<Int>] = []
        for (index, step) in steps.enumerated() where step.target >= 0 && step.kind != .nothing {
            let head = Int(step.target)
            guard head <= index, index - head < StepList.stepsMax,
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
