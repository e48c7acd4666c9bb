import BPF

/// Calls of subprogs, callbacks and the ways out.
extension Explorer {
    static let frameLimit = 8

    /// Pushes a frame; R1–R5 of the caller become those of the callee.
    mutating func enter(subprog: Int, callback: Callback? = nil, arguments: [Register]) throws(Rejection) {
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
        if callback != nil { isCallback[subprog] = true }
        var frame = Frame(subprog: subprog, callSite: pc, index: state.frames.count)
        frame.callback = callback
        for (index, argument) in arguments.enumerated() { frame.registers[index + 1] = argument }
        state.frames.append(frame)
        note(callback == nil ? .call : .callback)
    }

    mutating func callSubprog(_ insn: Instruction) throws(Rejection) -> Flow {
        guard let subprog = flow.subprog(startingAt: pc + 1 + Int(insn.imm)) else { return .next }
        if image.subprogs[subprog].isGlobal { return try callGlobal(subprog) }
        try enter(subprog: subprog, arguments: (1...5).map { state[$0] })
        return .jump(flow.ranges[subprog].lowerBound)
    }

    /// A helper or kfunc has returned, or a subprog: R1–R5 hold nothing any more.
    mutating func clobberArguments() {
        if isWeakened(.callKeepsArguments) { return }
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
        if let callback = frame.callback {
            try checkCallbackExit(result, callback)
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
        if result.kind == .stack && !isWeakened(.calleeAddressReturns) {
            throw Rejection(
                .registerType, "cannot return stack pointer to the caller",
                reason: "The stack it points to may be gone when the function returns.")
        }
        state.frames.removeLast()
        note(.returned)
        clobberArguments()
        state[0] = result
        return .jump(frame.callSite + 1)
    }

    private mutating func checkMainExit() throws(Rejection) {
        let result = state[0]
        switch entry.kind {
        case .main: try checkMainResult(result)
        case .global: try checkScalarResult(result)
        case .asynchronous: try checkCallbackExit(result, .asynchronous)
        }
        if isWeakened(.holdingsAtExit) { return }
        try checkNothingHeld(at: "BPF_EXIT instruction in main prog")
    }

    private func checkScalarResult(_ result: Register) throws(Rejection) {
        _ = try readable(0)
        guard result.isScalar else {
            throw Rejection(
                .registerType, "At subprogram exit the register R0 is not a scalar value",
                reason: "A global function returns a number, not an address.",
                suggestion: "Declare it static, or return a number.")
        }
    }

    private mutating func checkMainResult(_ result: Register) throws(Rejection) {
        switch signature.result {
        case .void: break
        case .scalar: _ = try readable(0)
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
                state.held.drop(reference: result.reference)
            } else {
                mark(result.dependencies)
            }
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
        // An error is an int, whose upper half nobody looks at.
        let (least, most) =
            range.lowerBound < 0
            ? (Int64(result.scalar.s32min), Int64(result.scalar.s32max))
            : (result.scalar.smin, result.scalar.smax)
        guard least >= range.lowerBound, most <= range.upperBound else {
            let value = result.scalar.isUnknown ? "unknown scalar value" : "smin=\(least) smax=\(most)"
            throw Rejection(
                .callType, "At program exit the register R0 has \(value) should have been in \(wanted)",
                reason: "Whoever calls a \(context.name) program knows no other results.",
                suggestion: "Return a constant in \(wanted), on every path.")
        }
    }

    private mutating func checkCallbackExit(_ result: Register, _ callback: Callback) throws(Rejection) {
        let allowed = callback.results
        guard
            result.isScalar && allowed.contains(result.scalar.umin) && allowed.contains(result.scalar.umax)
                || isWeakened(.callbackReturnsAnything)
        else {
            let place = callback == .asynchronous ? "async callback" : "callback"
            throw Rejection(
                .callType,
                "At \(place) return the register R0 should have been in [0, \(allowed.upperBound)]",
                reason: callback == .asynchronous
                    ? "A callback that runs on its own returns 0."
                    : "A callback returns 0 to go on and 1 to stop.",
                suggestion: allowed.upperBound == 0 ? "Return 0." : "Return the constants 0 and 1.")
        }
        mark(result.dependencies)
    }
}
