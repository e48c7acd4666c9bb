/// The sum of stacks on any chain of calls, which must fit 512 bytes. What runs later starts with an empty stack.
///
/// Kernel counterpart: `check_max_stack_depth`.
struct StackDepth {
    let image: ProgramImage
    let stackBytes: [Int]
    let callees: [Set<Int>]
    let summaries: CallSummaries

    /// Stack of a caller at most, where a function makes a tail call: the program jumped to starts with what is left.
    private static let bytesBeforeTailCallMax = 256
    /// Frames are aligned to this on the stack of the machine.
    private static let alignment = 16

    /// Most bytes of BPF stack on any chain of calls from one of `roots`.
    func check(from roots: [Int]) throws(Rejection) -> Int {
        var most = 0
        for root in roots { most = max(most, try bytes(from: root, path: [], before: 0)) }
        return most
    }

    /// - Parameters:
    ///   - path: functions that are running already, outermost first.
    ///   - before: bytes of stack that they use, aligned.
    private func bytes(from subprog: Int, path: [Int], before: Int) throws(Rejection) -> Int {
        guard !path.contains(subprog) else {
            throw Rejection(
                .programStructure, "recursive call of \(image.subprogs[subprog].name)",
                reason: "The stack of functions that call each other has no bound.")
        }
        guard path.count < Explorer.frameLimit else {
            throw Rejection(
                .programStructure, "the call stack of \(path.count + 1) frames is too deep !",
                reason: "Functions can be nested \(Explorer.frameLimit) deep.")
        }
        if !path.isEmpty, summaries.callsTail(subprog), before >= StackDepth.bytesBeforeTailCallMax {
            throw Rejection(
                .memory,
                "tail_calls are not allowed when call stack of previous frames is \(before) bytes. Too large",
                reason: "The program that a tail call jumps to needs stack of its own.",
                suggestion: "Make the tail call in the main function, or use less stack before it.")
        }
        let own = stackBytes[subprog]
        let total = before + (own + StackDepth.alignment - 1) / StackDepth.alignment * StackDepth.alignment
        guard total <= Explorer.stackLimit || isWeakened(.stackSumUnlimited) else {
            throw Rejection(
                .memory, "combined stack size of \(path.count + 1) calls is \(total). Too large",
                reason: "All functions of a chain of calls together have 512 bytes of stack.",
                suggestion: "Move large variables to a map, for instance a per-CPU array.")
        }
        var deepest = 0
        for callee in callees[subprog].sorted() {
            deepest = max(deepest, try bytes(from: callee, path: path + [subprog], before: total))
        }
        return deepest + own
    }
}

extension Explorer {
    /// Most bytes of stack on any chain of calls.
    func stackDepth() throws(Rejection) -> Int {
        let depth = StackDepth(image: image, stackBytes: stackBytes, callees: callees, summaries: summaries)
        return try depth.check(from: [0] + entries.filter { $0.kind == .asynchronous }.map(\.subprog))
    }
}
