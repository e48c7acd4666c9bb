extension Explorer {
    /// Looks whether this path may stop here because a stored state covers it; else may store a new one.
    ///
    /// - Throws: if the path has come back to a state of its own with nothing that would end the loop.
    mutating func reachesKnownState() throws(Rejection) -> Bool {
        state.dropDead(liveness, at: pc)
        var ancestor: Int32 = -1
        var turns = 0
        let isFuelled = flow.isFuelled[pc]
        var stores = isFuelled || (jumpsSinceStore >= 2 && insnsSinceStore >= 8)
        for index in checkpointsAt[pc].reversed() {
            guard let stored = checkpoints[Int(index)].state, stored.hasSameCalls(as: state) else { continue }
            if checkpoints[Int(index)].branches > 0 {
                if ancestor < 0 { ancestor = index }
                turns += 1
                if try closesLoop(at: index, stored) { return true }
                // A turn of a loop that is followed turn by turn: some of its states are enough.
                if !isFuelled && jumpsSinceStore < 20 && insnsSinceStore < 100 {
                    stores = false
                }
            } else if !isPruningOff, prunes(at: index, stored) {
                return true
            }
            // Where no state will be stored, the loop's earlier ones must stay.
            if stores && !isFuelled { noteMiss(index) }
        }
        if isFuelled, ancestor >= 0, let stored = checkpoints[Int(ancestor)].state,
            stored.draws < state.draws
        {
            let isLong = turns >= Explorer.turnsWithPrecision
            widen(towards: stored, precise: isLong ? nil : checkpoints[Int(ancestor)].precise)
            if try closesLoop(at: ancestor, stored) { return true }
        }
        if stores { store() }
        return false
    }

    /// Turns of one fuelled loop after which even bounds that a check relies on are given up: a counter that is checked
    /// in or after the loop is found good for every value, where following it turn by turn would not end.
    private static let turnsWithPrecision = 64

    /// Stored states that never match are not worth looking at again.
    private mutating func noteMiss(_ index: Int32) {
        checkpoints[Int(index)].misses += 1
        let patience: Int32 = 16
        let hits = checkpoints[Int(index)].hits
        guard checkpoints[Int(index)].misses > hits * patience + patience else { return }
        checkpointsAt[pc].removeAll { $0 == index }
        if let state = checkpoints[Int(index)].state { storedBytes -= Explorer.byteCount(of: state) }
        checkpoints[Int(index)].state = nil
    }

    /// What a kept state is charged.
    static func byteCount(of state: State) -> Int {
        state.frames.reduce(256) { $0 + 1200 + $1.slots.count * MemoryLayout<StackSlot>.stride }
    }

    private mutating func store() {
        let index = Int32(checkpoints.count)
        let (dependencies, overflow) = state.numberScalars()
        mark(parent, overflow)
        checkpoints.append(
            Checkpoint(
                insn: Int32(pc), parent: parent, distance: distance, state: state, dependencies: dependencies)
        )
        checkpointsAt[pc].append(index)
        parent = index
        distance = 0
        jumpsSinceStore = 0
        insnsSinceStore = 0
        storedBytes += Explorer.byteCount(of: state)
    }

    // MARK: Pruning

    /// Whether what follows from `stored` covers what follows from the current state.
    private mutating func isCovered(by stored: State, precise: UInt64, mode: ComparisonMode) -> Bool {
        var unwritten: UInt8 = 0
        guard Subsumption.holds(stored, state, precise: precise, mode: mode, unwritten: &unwritten) else {
            return false
        }
        for frame in state.frames.indices where unwritten & (1 << UInt8(frame)) != 0 {
            readsUninitialised[state.frames[frame].subprog] = true
        }
        return true
    }

    private mutating func prunes(at index: Int32, _ stored: State) -> Bool {
        // Draws along a path never go down, not even by stopping at another: so each way around a loop, however it is
        // pieced together, has drawn, and turns are no more than draws.
        guard state.draws >= stored.draws else { return false }
        let head = unfinishedHead(above: index)
        let mode: ComparisonMode = head >= 0 || prunesByRanges ? .ranges : .precisionAware
        guard isCovered(by: stored, precise: checkpoints[Int(index)].precise, mode: mode) else {
            return false
        }
        checkpoints[Int(index)].hits += 1
        let dependencies = state.dependencies(
            matching: stored, count: checkpoints[Int(index)].dependencies.count)
        if head >= 0 { joinLoop(head) }
        link(index, dependencies, isFinal: head < 0)
        finishPath(suffix: checkpoints[Int(index)].suffix)
        return true
    }

    /// What is precise at the checkpoint is so on this path; and what becomes so later, if that may still happen.
    private mutating func link(_ index: Int32, _ dependencies: [UInt64], isFinal: Bool) {
        var needed: UInt64 = 0
        for number in dependencies.indices where checkpoints[Int(index)].precise & (1 << UInt64(number)) != 0
        {
            needed |= dependencies[number]
        }
        // Scalars beyond the 63rd count as precise there; what they match here is not known one by one.
        if dependencies.count == 63 { needed = state.allDependencies }
        mark(parent, needed)
        if !isFinal {
            checkpoints[Int(index)].edges.append(.init(parent: parent, dependencies: dependencies))
        }
    }

    /// The unfinished head that paths below a finished checkpoint lead to; -1: none.
    private func unfinishedHead(above index: Int32) -> Int32 {
        var head = checkpoints[Int(index)].openHead
        while head >= 0, checkpoints[Int(head)].branches == 0 { head = checkpoints[Int(head)].openHead }
        return head
    }

    /// Notes on the way from the current path up to `head` that what is below is final only with it.
    private mutating func joinLoop(_ head: Int32) {
        var node = parent
        while node > head {
            let known = checkpoints[Int(node)].openHead
            if known < 0 || known > head { checkpoints[Int(node)].openHead = head }
            node = checkpoints[Int(node)].parent
        }
    }

    // MARK: Loops

    private mutating func closesLoop(at index: Int32, _ stored: State) throws(Rejection) -> Bool {
        if state.draws > stored.draws || isWeakened(.loopsNeedNoFuel) {
            guard isCovered(by: stored, precise: 0, mode: .ranges) else { return false }
            checkpoints[Int(index)].isHead = true
            let dependencies = state.dependencies(
                matching: stored, count: checkpoints[Int(index)].dependencies.count)
            joinLoop(index)
            link(index, dependencies, isFinal: false)
            finishPath(suffix: 0)
            return true
        }
        if isCovered(by: stored, precise: 0, mode: .identical) {
            throw Rejection(
                .programStructure, "infinite loop detected at insn \(pc)",
                reason: "The program comes back to this point with nothing changed that could end the loop.",
                suggestion: "Let a counter with a constant bound end the loop, or use bpf_loop or may_goto.")
        }
        return false
    }

    /// Gives up bounds that moved during a turn, so that a state is found which the next turn keeps.
    ///
    /// - Parameter precise: scalars whose bounds a check relies on, and that are left alone; nil: none is.
    private mutating func widen(towards stored: State, precise: UInt64?) {
        func widen(_ old: Register, _ new: inout Register) {
            guard old.kind == .scalar, new.kind == .scalar else { return }
            let isPrecise = precise.map { old.dependencies & ($0 | Checkpoint.overflow) != 0 } ?? false
            guard !isPrecise, !old.scalar.contains(new.scalar) else { return }
            new.scalar = new.scalar.widened(from: old.scalar)
            new.id = 0
        }
        guard stored.frames.count == state.frames.count else { return }
        for frame in stored.frames.indices {
            for register in 0..<10 {
                widen(stored.frames[frame].registers[register], &state.frames[frame].registers[register])
            }
            let slots = stored.frames[frame].slots
            for slot in slots.indices where slots[slot].isWholeSpill && slot < state.frames[frame].slots.count
            {
                if state.frames[frame].slots[slot].isWholeSpill {
                    widen(slots[slot].spill, &state.frames[frame].slots[slot].spill)
                }
            }
        }
    }

    // MARK: Precision

    /// Records that a check relied on the bounds of scalars with these dependencies.
    mutating func mark(_ dependencies: UInt64) {
        if dependencies != 0 { mark(parent, dependencies) }
    }

    private mutating func mark(_ node: Int32, _ dependencies: UInt64) {
        var work: [(Int32, UInt64)] = [(node, dependencies)]
        while let (node, mask) = work.popLast() {
            guard node >= 0 else { continue }
            let index = Int(node)
            var added = mask & ~Checkpoint.overflow & ~checkpoints[index].precise
            guard added != 0 else { continue }
            checkpoints[index].precise |= added
            var above: UInt64 = 0
            var along = Array(repeating: UInt64(0), count: checkpoints[index].edges.count)
            while added != 0 {
                let number = added.trailingZeroBitCount
                added &= added - 1
                if number < checkpoints[index].dependencies.count {
                    above |= checkpoints[index].dependencies[number]
                }
                for edge in along.indices where number < checkpoints[index].edges[edge].dependencies.count {
                    along[edge] |= checkpoints[index].edges[edge].dependencies[number]
                }
            }
            if above != 0 { work.append((checkpoints[index].parent, above)) }
            for edge in along.indices where along[edge] != 0 {
                work.append((checkpoints[index].edges[edge].parent, along[edge]))
            }
        }
    }
}

extension State {
    /// Whether the same calls lead to both: states of other calls are of no use to each other.
    func hasSameCalls(as other: State) -> Bool {
        guard frames.count == other.frames.count, entry == other.entry else { return false }
        if isWeakened(.callersNeedNotMatch) { return true }
        for index in frames.indices where frames[index].callSite != other.frames[index].callSite {
            return false
        }
        return true
    }

    var allDependencies: UInt64 {
        var all: UInt64 = 0
        for frame in frames {
            for register in 0..<10 { all |= frame.registers[register].dependencies }
            for slot in frame.slots where slot.hasSpill { all |= slot.spill.dependencies }
        }
        return all
    }
}

extension Scalar {
    /// This without those bounds that have moved since `old`.
    func widened(from old: Scalar) -> Scalar {
        var result = Scalar(tnum: old.tnum.contains(tnum) ? old.tnum : .unknown)
        if umin >= old.umin { result.umin = old.umin }
        if umax <= old.umax { result.umax = old.umax }
        if smin >= old.smin { result.smin = old.smin }
        if smax <= old.smax { result.smax = old.smax }
        if u32min >= old.u32min { result.u32min = old.u32min }
        if u32max <= old.u32max { result.u32max = old.u32max }
        if s32min >= old.s32min { result.s32min = old.s32min }
        if s32max <= old.s32max { result.s32max = old.s32max }
        result.deduce()
        return result.isEmpty ? .unknown : result
    }
}
