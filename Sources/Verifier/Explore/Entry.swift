/// A function that is verified on its own, from its first instruction, with nothing held.
struct Entry: Equatable {
    enum Kind: UInt8 {
        case main
        /// A global function: against its prototype, once for all its callers.
        case global
        /// A callback that runs later.
        case asynchronous
    }

    var kind: Kind
    var subprog: Int
    /// Map that an asynchronous callback works on; -1: none.
    var map = -1
    var isSleepable: Bool
}

extension Explorer {
    /// Verifies a function on its own, in the middle of another: as soon as its first use is found reachable.
    ///
    /// - Returns: its longest path in instructions, not counting further turns of fuelled loops.
    mutating func explore(_ entry: Entry, from frame: Frame) throws(Rejection) -> UInt64 {
        let (outerState, outerPC, outerParent, outerDistance) = (state, pc, parent, distance)
        let (outerPending, outerLongest, outerEntry) = (pending, longestPath, self.entry)
        entries.append(entry)
        self.entry = entry
        state = State(frames: [frame])
        state.entry = Int32(entries.count - 1)
        state.lastEvent = outerState.lastEvent
        pending = []
        (parent, distance, longestPath) = (-1, 0, 0)
        pc = flow.ranges[entry.subprog].lowerBound
        watcher?.enters(entry.subprog, image.subprogs[entry.subprog].name)
        try walk()
        watcher?.leaves(entry.subprog, image.subprogs[entry.subprog].name)
        let longest = longestPath
        (state, pc, parent, distance) = (outerState, outerPC, outerParent, outerDistance)
        (pending, longestPath, self.entry) = (outerPending, outerLongest, outerEntry)
        return longest
    }
}
