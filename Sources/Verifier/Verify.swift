/// Proves a program safe in a context, or says why not.
///
/// Accepted means: on every run, whatever the arguments, maps and objects hold, the program reads and writes only what
/// it was handed, releases every reference and lock, and ends within `VerifiedProgram.bound` instructions.
///
/// Kernel counterpart: `bpf_check`.
package func verify(_ image: ProgramImage, in context: ProgramContext) -> VerificationOutcome {
    verify(image, in: context, options: VerificationOptions()).outcome
}

/// How to verify, apart from the rules.
package struct VerificationOptions: Sendable {
    /// 0: no log; 1: what leads to the refusal; 2: every path.
    package var logLevel: Int
    /// Asked every few thousand instructions; once it says true, the verification ends with a refusal.
    package var isCancelled: (@Sendable () -> Bool)?
    #if DEBUG
        /// Accepts whatever has the shape of a program: `Verification.unproved`.
        package var provesNothing = false
    #endif

    package init(logLevel: Int = 0, isCancelled: (@Sendable () -> Bool)? = nil) {
        self.logLevel = logLevel
        self.isCancelled = isCancelled
    }
}

/// As above, with a log in the kernel's format if one is asked for.
package func verify(
    _ image: ProgramImage, in context: ProgramContext, options: VerificationOptions
) -> (outcome: VerificationOutcome, log: String) {
    var verifier = Verification(image, context)
    verifier.isCancelled = options.isCancelled
    #if DEBUG
        verifier.provesNothing = options.provesNothing
    #endif
    if options.logLevel > 0 { verifier.watch(logLevel: options.logLevel) }
    do {
        let program = try verifier.run()
        return (.accepted(program), verifier.log())
    } catch {
        let report = verifier.report(error)
        return (error.isUnsupported ? .unsupported(report) : .rejected(report), verifier.log(report.problem))
    }
}

/// One run of the verifier; keeps what a report needs when a stage throws.
struct Verification {
    let image: ProgramImage
    let context: ProgramContext
    /// Instruction in question while the program's shape is checked.
    var failure = 0
    var explorer: Explorer?
    /// For tests: see `Explorer`.
    var isPruningOff = false
    var prunesByRanges = false
    var observesStates = false
    var watcher: Watcher?
    var isCancelled: (@Sendable () -> Bool)?
    var budget: Int?
    var memoryLimit: Int?
    #if DEBUG
        var provesNothing = false
    #endif

    init(_ image: ProgramImage, _ context: ProgramContext) {
        self.image = image
        self.context = context
    }

    mutating func run() throws(Rejection) -> VerifiedProgram {
        let flow = try ControlFlow(image, failure: &failure)
        let signature = try Signature(context)
        #if DEBUG
            if provesNothing { return unproved(flow, signature) }
        #endif
        let liveness = Liveness(image, flow, mainReturnsValue: signature.result != .void)
        var explorer = Explorer(image, context, flow, liveness, signature)
        explorer.isPruningOff = isPruningOff
        explorer.prunesByRanges = prunesByRanges
        explorer.watcher = watcher
        explorer.isCancelled = isCancelled
        if let budget { explorer.budget = budget }
        if let memoryLimit { explorer.memoryLimit = memoryLimit }
        if observesStates { explorer.observed = Array(repeating: [], count: image.insns.count) }
        do {
            try explorer.run()
        } catch {
            self.explorer = explorer
            throw error
        }
        self.explorer = explorer
        let stackBytes = try explorer.stackDepth()
        let bound = explorer.cost.instructions(turns: context.fuel)
        guard bound <= context.boundLimit else {
            throw Rejection(
                .policy, "the longest path is \(bound) instructions, the limit is \(context.boundLimit)",
                reason: "The bound counts every fuelled turn at its longest.",
                suggestion: "Make the bodies of loops shorter.")
        }
        return try explorer.verified(stackBytes: stackBytes, bound: bound)
    }
}

extension Explorer {
    func verified(stackBytes total: Int, bound: UInt64) throws(Rejection) -> VerifiedProgram {
        var facts = Array(repeating: InsnFacts(), count: notes.count)
        for (index, note) in notes.enumerated() {
            if note.isProbed && note.isDirect {
                throw Rejection(
                    .registerType, "insn \(index): same insn cannot be used with different pointers",
                    reason:
                        "On one path it reads through a pointer that must be checked at run time, on another plain memory."
                )
            }
            facts[index].isReachable = note.isReachable
            facts[index].isProbed = note.isProbed
            facts[index].constantMap = note.map >= 0 ? Int(note.map) : nil
            facts[index].isFuelled = note.isReachable && flow.isFuelled[index]
        }
        for index in facts.indices where flow.isSecondSlot[index] {
            facts[index].isReachable = facts[index - 1].isReachable
        }
        let frames = stackBytes.indices.map {
            FrameFacts(
                stackBytes: stackBytes[$0], isCallback: isCallback[$0],
                readsUninitialised: readsUninitialised[$0])
        }
        return VerifiedProgram(
            image: image, contextName: context.name, facts: facts, frames: frames, stackBytes: total,
            bound: bound, cost: cost, processed: processed,
            returnsValue: signature.result != .void, usesContext: usesContext,
            uses: uses)
    }
}
