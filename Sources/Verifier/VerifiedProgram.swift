/// A program that the verifier has accepted: the only thing the JIT compiles and a runtime calls.
///
/// Invariant: made by `verify(_:in:)` alone (the initialiser is internal to this target). In debug builds a test can have
/// it made unproved: `VerificationOptions.provesNothing`.
package struct VerifiedProgram: Sendable {
    /// As it was judged; instruction indices below refer to it.
    package let image: ProgramImage
    package let contextName: String
    /// One per instruction of the image.
    package let facts: [InsnFacts]
    /// One per subprog of the image.
    package let frames: [FrameFacts]
    /// Most bytes of BPF stack that any chain of calls uses (at most 512).
    package let stackBytes: Int
    /// Longest path in instructions, turns of fuelled loops included at the full fuel.
    package let bound: UInt64
    /// What the bound is made of.
    package let cost: ProgramCost
    /// Instructions processed, over all states. Kernel counterpart: `insn_processed`.
    package let processed: Int
    /// What the result means to the caller. nil: void.
    package let returnsValue: Bool
    /// Scalar arguments known before the program starts need no context array; see the JIT's entries.
    package let usesContext: Bool
    package let uses: ProgramUses

    init(
        image: ProgramImage, contextName: String, facts: [InsnFacts], frames: [FrameFacts], stackBytes: Int,
        bound: UInt64, cost: ProgramCost = ProgramCost(), processed: Int, returnsValue: Bool,
        usesContext: Bool, uses: ProgramUses
    ) {
        self.image = image
        self.contextName = contextName
        self.facts = facts
        self.frames = frames
        self.stackBytes = stackBytes
        self.bound = bound
        self.cost = cost
        self.processed = processed
        self.returnsValue = returnsValue
        self.usesContext = usesContext
        self.uses = uses
    }
}

/// A call that has taken `n` turns of fuelled loops has executed at most `path + n × turn` instructions.
package struct ProgramCost: Equatable, Sendable {
    /// Longest path with no further turn of a fuelled loop.
    package var path: UInt64 = 0
    /// Longest way from one turn to the next, or to the end.
    package var turn: UInt64 = 0
    /// Longest path of a callback that runs on its own, as a timer's does; 0: there is none.
    package var callback: UInt64 = 0

    package init() {}

    /// Instructions of a call with so many turns, at most. Saturates.
    package func instructions(turns: UInt64) -> UInt64 {
        let (all, overflows) = turn.multipliedReportingOverflow(by: turns)
        let (total, overflowsToo) = all.addingReportingOverflow(path)
        return overflows || overflowsToo ? .max : total
    }
}

/// What verification found out about one instruction, over all paths.
package struct InsnFacts: Equatable, Sendable {
    /// No path reaches it: it is compiled to a trap.
    package var isReachable = false
    /// A load through a walked or untrusted BTF pointer: checked against the arena, reads 0 outside it. Never a store.
    package var isProbed = false
    /// Map that a call's R1 is known to be, on every path.
    package var constantMap: Int?
    /// The turn counter of this instruction (may_goto, a loop helper, an iterator's next) draws on fuel.
    package var isFuelled = false

    package init() {}
}

/// What verification found out about one subprog.
package struct FrameFacts: Equatable, Sendable {
    /// Bytes of stack below R10 that it uses, a multiple of 8.
    package var stackBytes: Int
    /// Its address is taken as a callback of a helper (called through a C-shaped thunk).
    package var isCallback: Bool
    /// It may read bytes of its stack that it has not written: they must be 0 when it is entered.
    package var readsUninitialised: Bool

    package init(stackBytes: Int, isCallback: Bool, readsUninitialised: Bool = false) {
        self.stackBytes = stackBytes
        self.isCallback = isCallback
        self.readsUninitialised = readsUninitialised
    }
}
