import BPF

/// Walks every path of a program, one instruction at a time, over abstract states.
///
/// Depth first: at a conditional jump that may go both ways, one way is put aside with a copy of the state. What bounds
/// the walk is the budget of instructions, as in the kernel (`do_check`).
struct Explorer {
    /// Instructions to look at, over all paths.
    var budget = 1_000_000
    /// Bytes that stored and pending states are charged together; what else is kept is small beside them.
    var memoryLimit = 240 << 20

    /// Where a step leads.
    enum Flow {
        case next
        case jump(Int)
        case end
    }

    struct Pending {
        var state: State
        var pc: Int
        var parent: Int32
        var distance: UInt64
    }

    /// Something worth telling on the way to a refusal.
    struct Event {
        enum Kind: UInt8 {
            case taken, notTaken, call, callback, returned, acquired, released, locked, unlocked, entered,
                left
        }
        var insn: Int32
        var previous: Int32
        var kind: Kind
    }

    /// What is gathered about one instruction over all paths.
    struct Notes {
        var isReachable = false
        /// Loads through pointers that must be checked at run time, and through those that must not be.
        var isProbed = false
        var isDirect = false
        /// -2: no call yet; -1: not always the same map.
        var map: Int32 = -2
    }

    let image: ProgramImage
    let context: ProgramContext
    let flow: ControlFlow
    let liveness: Liveness
    let signature: Signature

    var state: State
    var pc = 0
    var parent: Int32 = -1
    var distance: UInt64 = 0
    var jumpsSinceStore = 0
    var insnsSinceStore = 0

    var pending: [Pending] = []
    var checkpoints: [Checkpoint] = []
    var checkpointsAt: [[Int32]]
    var storedBytes = 0
    var events: [Event] = []
    var notes: [Notes]
    var processed = 0
    var lastID: UInt32 = 0
    /// Longest path up to the exit or the first head, and the longest way around a head.
    var longestPath: UInt64 = 0
    /// Of callbacks that run on their own.
    var longestCallback: UInt64 = 0

    /// By subprog.
    var stackBytes: [Int]
    var isCallback: [Bool]
    /// Bytes of its stack may be read before they are written.
    var readsUninitialised: [Bool]
    /// Callees by subprog, for the sum of stacks.
    var callees: [Set<Int>]
    var usesContext = false
    var uses = ProgramUses()
    var fieldCache: [FieldKey: FieldAccess] = [:]
    /// Functions verified on their own so far; the last is not always the one at work.
    var entries: [Entry]
    var entry: Entry
    /// Those of the image, then those that maps of maps hold; `innerMap` says which.
    let maps: [MapDescription]
    let innerMap: [Int: Int]
    let tags: DeclarationTags
    var mapFields: [Int: SpecialFields] = [:]
    var allocatedFields: [TypeID: SpecialFields] = [:]
    let summaries: CallSummaries
    /// R1 as the program finds it.
    var contextRegister = Register.uninitialised
    /// Longest path of each global function verified so far, by subprog.
    var globals: [Int: UInt64] = [:]
    /// No pruning: every path to its end. For tests.
    var isPruningOff = false
    /// Paths stop only at states that contain theirs in every bound. For tests.
    var prunesByRanges = false
    /// nil unless a log or a causal path is asked for.
    var watcher: Watcher?
    /// Asked every few thousand instructions.
    var isCancelled: (@Sendable () -> Bool)?
    /// When to look whether to go on.
    private var pause = 0
    private static let insnsBetweenPauses = 4096
    /// For tests: every state looked at, by instruction; nil: not kept.
    var observed: [[State]]?

    init(
        _ image: ProgramImage, _ context: ProgramContext, _ flow: ControlFlow, _ liveness: Liveness,
        _ signature: Signature
    ) {
        self.image = image
        self.context = context
        self.flow = flow
        self.liveness = liveness
        self.signature = signature
        checkpointsAt = Array(repeating: [], count: image.insns.count)
        notes = Array(repeating: Notes(), count: image.insns.count)
        stackBytes = Array(repeating: 0, count: flow.ranges.count)
        isCallback = Array(repeating: false, count: flow.ranges.count)
        readsUninitialised = isCallback
        callees = Array(repeating: [], count: flow.ranges.count)
        entry = Entry(kind: .main, subprog: 0, isSleepable: context.isSleepable)
        entries = [entry]
        maps = image.maps + image.maps.compactMap { $0.inner.first }
        var position = image.maps.count
        var innerMap: [Int: Int] = [:]
        for index in image.maps.indices where !image.maps[index].inner.isEmpty {
            innerMap[index] = position
            position += 1
        }
        self.innerMap = innerMap
        tags = DeclarationTags(image.btf)
        summaries = CallSummaries(image, flow)
        state = State(frames: [Frame(subprog: 0, callSite: -1, index: 0)])
    }

    /// - Throws: the first thing wrong on any path; `pc` is where.
    mutating func run() throws(Rejection) {
        try enterMain()
        contextRegister = state[1]
        try walk()
    }

    /// Follows the current path and all that were put aside to their ends.
    mutating func walk() throws(Rejection) {
        while true {
            if flow.isPrunePoint[pc], try reachesKnownState() {
                watcher?.isCovered(at: pc, state)
                if !resumePending() { return }
                continue
            }
            processed += 1
            distance += 1
            insnsSinceStore += 1
            if processed > pause { try lookUp() }
            notes[pc].isReachable = true
            if let watcher { watcher.reaches(pc, state) }
            if observed != nil { observed?[pc].append(state) }
            if !image.poisons.isEmpty, let sentence = image.poisons[pc] { throw poisoned(sentence) }
            switch try step(image.insns[pc]) {
            case .next: pc += image.insns[pc].isWideLoad ? 2 : 1
            case .jump(let target):
                jumpsSinceStore += 1
                pc = target
            case .end:
                finishPath(suffix: 0)
                if !resumePending() { return }
            }
        }
    }

    /// Every few thousand instructions: whether the budget is used up, and whether anybody still wants to know.
    private mutating func lookUp() throws(Rejection) {
        guard processed <= budget else {
            throw Rejection(
                .programStructure, "BPF program is too large. Processed \(processed) insn",
                reason: "Verification follows every path and stops after \(budget) instructions. "
                    + "Long loops and many independent branches multiply the paths.",
                suggestion:
                    "Bound loops by small constants, or use bpf_loop or may_goto, whose body is verified once."
            )
        }
        let pendingBytes = pending.reduce(0) { $0 + Explorer.byteCount(of: $1.state) }
        guard storedBytes + pendingBytes <= memoryLimit else {
            throw Rejection(
                .programStructure, "verification needs more than 256 MiB",
                reason: "Too many different states meet at the same instructions, or wait for their turn.",
                suggestion: "Reduce the number of variables that are alive across branches and loops.")
        }
        if let isCancelled, isCancelled() {
            throw Rejection(
                .policy, "verification was cancelled", reason: "Nobody waits for the verdict any more.")
        }
        pause = min(budget, processed + Explorer.insnsBetweenPauses)
    }

    private func poisoned(_ sentence: String) -> Rejection {
        Rejection(
            .programStructure, sentence,
            reason:
                "The loader could not resolve what this instruction refers to, and the program can reach it.",
            suggestion:
                "Guard the access with bpf_core_field_exists(), bpf_ksym_exists() or a __weak declaration, "
                + "or leave it out.")
    }

    private mutating func step(_ insn: Instruction) throws(Rejection) -> Flow {
        switch insn.instructionClass {
        case .alu, .alu64:
            try stepArithmetic(insn)
            return .next
        case .ld:
            try stepWideLoad(insn)
            return .next
        case .ldx:
            try stepLoad(insn)
            return .next
        case .st, .stx:
            try stepStore(insn)
            return .next
        case .jmp, .jmp32:
            switch insn.opcode {
            case Opcode.gotoShort, Opcode.gotoLong:
                return .jump(ControlFlow.target(of: insn, at: pc) ?? pc)
            case Opcode.exit: return try stepExit()
            case Opcode.call: return try stepCall(insn)
            case Opcode.mayGoto: return stepMayGoto(insn)
            default: return try stepBranch(insn)
            }
        }
    }

    // MARK: Registers

    func readable(_ register: UInt8) throws(Rejection) -> Register {
        let value = state[Int(register)]
        guard value.kind != .uninitialised || isWeakened(.unwrittenRegisterIsReadable) else {
            throw Rejection(
                .registerType, "R\(register) !read_ok",
                reason:
                    "R\(register) holds nothing on this path: it was never written, or a call has destroyed it.",
                suggestion: "Initialise the variable on every path before this use.")
        }
        return value
    }

    mutating func newID() -> UInt32 {
        lastID += 1
        return lastID
    }

    // MARK: Paths

    mutating func putAside(_ other: State, at target: Int) {
        pending.append(Pending(state: other, pc: target, parent: parent, distance: distance))
        if parent >= 0 { checkpoints[Int(parent)].branches += 1 }
        watcher?.putsAside(pending.count - 1, at: pc)
    }

    private mutating func resumePending() -> Bool {
        guard let next = pending.popLast() else { return false }
        state = next.state
        pc = next.pc
        watcher?.resumes(pending.count, at: pc, state)
        parent = next.parent
        distance = next.distance
        return true
    }

    /// - Parameter suffix: instructions from here to the end, as known from the checkpoint this path ended at.
    mutating func finishPath(suffix: UInt64) {
        var length = distance + suffix
        var node = parent
        while node >= 0 {
            let index = Int(node)
            checkpoints[index].suffix = max(checkpoints[index].suffix, length)
            checkpoints[index].branches -= 1
            if checkpoints[index].branches > 0 { return }
            length = checkpoints[index].distance + checkpoints[index].suffix
            node = checkpoints[index].parent
        }
        longestPath = max(longestPath, length)
    }

    mutating func note(_ kind: Event.Kind) {
        events.append(Event(insn: Int32(pc), previous: state.lastEvent, kind: kind))
        state.lastEvent = Int32(events.count - 1)
    }

    /// What runs can execute at most.
    var cost: ProgramCost {
        var cost = ProgramCost()
        cost.path = longestPath
        cost.callback = longestCallback
        for checkpoint in checkpoints where checkpoint.isHead {
            cost.turn = max(cost.turn, checkpoint.suffix)
        }
        return cost
    }
}
