import BPF

/// Calls of subprogs, callbacks and the ways out.
extension Explorer {
    static let frameLimit = 8

    /// Pushes a frame; R1–R5 of the caller become those of the callee.
    mutating func enter(subprog: Int, isCallback: Bool, arguments: [Register]) throws(Rejection) {
        guard state.frames.count < Explorer.frameLimit else {
            throw Rejection(
                .programStructure, "the call stack of \(state.frames.count + 1) frames is too deep",
                reason: "Functions can be nested 8 deep.")
        }
        guard !state.frames.contains(where: { $0.subprog == subprog }) else {
            throw Rejection(
                .programStructure, "recursive call of \(image.subprogs[subprog].name)",
                reason: "A function cannot be called while it runs: its stack would have no bound.")
        }
        callees[state.frames[state.top].subprog].insert(subprog)
        if isCallback { self.isCallback[subprog] = true }
        var frame = Frame(subprog: subprog, callSite: pc, index: state.frames.count)
        frame.isCallback = isCallback
        if isCallback { frame.entryReferences = state.references }
        for (index, argument) in arguments.enumerated() { frame.registers[index + 1] = argument }
        state.frames.append(frame)
        note(isCallback ? .callback : .call)
    }

    mutating func callSubprog(_ insn: Instruction) throws(Rejection) -> Flow {
        guard let subprog = flow.subprog(startingAt: pc + 1 + Int(insn.imm)) else { return .next }
        if state.lock != nil && image.subprogs[subprog].isGlobal {
            throw Rejection(
                .resourceLifetime, "global function calls are not allowed while holding a lock",
                reason: "What a global function does is not known to its caller.")
        }
        try enter(subprog: subprog, isCallback: false, arguments: (1...5).map { state[$0] })
        return .jump(flow.ranges[subprog].lowerBound)
    }

    /// A helper or kfunc has returned, or a subprog: R1–R5 hold nothing any more.
    mutating func clobberArguments() {
        for register in 0...5 { state[register] = .uninitialised }
    }

    // MARK: Exit

    mutating func stepExit() throws(Rejection) -> Flow {
        if state.frames.count == 1 {
            try checkMainExit()
            return .end
        }
        let frame = state.frames[state.top]
        let result = frame.registers[0]
        if frame.isCallback {
            try checkCallbackExit(result, frame.entryReferences)
            state.frames.removeLast()
            note(.returned)
            // The call decides again, with whatever this turn has changed.
            return .jump(frame.callSite)
        }
        guard result.kind != .uninitialised else {
            // A void function: nothing to return, and its caller will not look.
            state.frames.removeLast()
            note(.returned)
            clobberArguments()
            return .jump(frame.callSite + 1)
        }
        if result.kind == .stack && Int(result.payload) >= state.top {
            throw Rejection(
                .registerType, "cannot return stack pointer to the caller",
                reason: "The stack it points to is gone when the function returns.")
        }
        state.frames.removeLast()
        note(.returned)
        clobberArguments()
        state[0] = result
        return .jump(frame.callSite + 1)
    }

    private mutating func checkMainExit() throws(Rejection) {
        if let lock = state.lock {
            throw Rejection(
                .resourceLifetime, "bpf_spin_lock is missing unlock",
                reason: "The lock taken at instruction \(lock.insn) is still held when the program returns.",
                suggestion: "Call bpf_spin_unlock() on every path.")
        }
        let result = state[0]
        switch signature.result {
        case .void: break
        case .scalar:
            _ = try readable(0)
            guard result.isScalar else {
                throw Rejection(
                    .registerType, "R0 leaks addr as return value",
                    reason: "The program must return a number, not an address.")
            }
        case .range(let range): try checkResult(result, range)
        case .object(let type):
            _ = try readable(0)
            if !result.isNullConstant {
                guard result.kind == .object, result.reference != 0, result.constantOffset == 0,
                    let target = context.target, target.embeds(type, in: TypeID(Int(result.payload)), at: 0)
                else {
                    throw Rejection(
                        .registerType, "R0 must be a referenced pointer or NULL",
                        reason: "\(context.name) returns an object that the program owns, or NULL.")
                }
                state.references.removeAll { $0.id == result.reference }
            } else {
                mark(result.dependencies)
            }
        }
        if let reference = state.references.first {
            throw Rejection(
                .resourceLifetime,
                "Unreleased reference id=\(reference.id) alloc_insn=\(reference.insn)",
                reason: reference.insn < 0
                    ? "The program owns a reference to its argument and must release it or pass it on."
                    : "What was acquired at instruction \(reference.insn) is not released on this path.",
                suggestion: "Release it on every path, also where something fails.")
        }
    }

    private mutating func checkResult(_ result: Register, _ range: ClosedRange<Int64>) throws(Rejection) {
        _ = try readable(0)
        let wanted = "[\(range.lowerBound), \(range.upperBound)]"
        guard result.isScalar else {
            throw Rejection(
                .callType, "At program exit the register R0 is not a known value (\(result.kind.name))",
                reason: "\(context.name) programs return a number in \(wanted).")
        }
        mark(result.dependencies)
        guard result.scalar.smin >= range.lowerBound, result.scalar.smax <= range.upperBound else {
            let value =
                result.scalar.isUnknown
                ? "unknown scalar value" : "smin=\(result.scalar.smin) smax=\(result.scalar.smax)"
            throw Rejection(
                .callType, "At program exit the register R0 has \(value) should have been in \(wanted)",
                reason: "Whoever calls a \(context.name) program knows no other results.",
                suggestion: "Return a constant in \(wanted), on every path.")
        }
    }

    private mutating func checkCallbackExit(_ result: Register, _ held: [Reference]) throws(Rejection) {
        guard state.references == held else {
            throw Rejection(
                .resourceLifetime, "the callback does not leave references as it found them",
                reason:
                    "What a callback acquires it must release in the same turn, and it may release nothing else."
            )
        }
        guard result.isScalar, result.scalar.umax <= 1 else {
            throw Rejection(
                .callType, "At callback return the register R0 should have been in [0, 1]",
                reason: "A callback returns 0 to go on and 1 to stop.",
                suggestion: "Return the constants 0 and 1.")
        }
        mark(result.dependencies)
    }

    // MARK: The sum of stacks

    /// Most bytes of stack on any chain of calls.
    func stackDepth() throws(Rejection) -> Int {
        var depths: [Int: Int] = [:]
        var active: Set<Int> = []
        func depth(_ subprog: Int) throws(Rejection) -> Int {
            if let known = depths[subprog] { return known }
            guard active.insert(subprog).inserted else {
                throw Rejection(
                    .programStructure, "\(image.subprogs[subprog].name) calls itself through others",
                    reason: "The stack of functions that call each other has no bound.")
            }
            var deepest = 0
            for callee in callees[subprog].sorted() { deepest = max(deepest, try depth(callee)) }
            active.remove(subprog)
            depths[subprog] = deepest + stackBytes[subprog]
            return deepest + stackBytes[subprog]
        }
        let total = try depth(0)
        guard total <= Explorer.stackLimit else {
            throw Rejection(
                .memory, "combined stack size of the calls is \(total). Too large",
                reason: "All functions of a chain of calls together have 512 bytes of stack.",
                suggestion: "Move large variables to a map, for instance a per-CPU array.")
        }
        return total
    }
}
