/// A state stored at a point where paths meet, so that a later path that finds itself no worse off can stop there.
///
/// Checkpoints form a tree: `parent` is the one before on the same path. `branches` counts the unfinished paths that
/// hang from one; at zero, everything that can follow it is proved.
///
/// **Precision.** Most scalars do not matter for safety, and two states that differ in those alone are as good as
/// equal. When a checkpoint is made, its scalars are numbered; each scalar computed later carries, as
/// `Register.dependencies`, the set of numbers its bounds came from. A check that relies on the bounds of a scalar
/// (a branch decided by them, an offset, a size) marks these numbers `precise` here, and, through what each number
/// depended on when it was given, in all ancestors. Numbers beyond 63 share one bit and count as precise.
///
/// **Loops.** A path that reaches an unfinished ancestor's state again stops there only if it has drawn on fuel since
/// then: such a loop ends. The ancestor is a *head* then, and marks it gets later must still reach the path that ended
/// at it: `edges`. Until a head is finished, states below it (`openHead`) are compared by all their scalars.
///
/// **Bound.** `suffix` is the longest way from here to the end in instructions, up to a head at most.
struct Checkpoint {
    /// Stands for all scalars past the 63rd.
    static let overflow: UInt64 = 1 << 63

    struct Edge {
        var parent: Int32
        /// By number of the head's scalar: what the scalar in its place depended on in `parent`.
        var dependencies: [UInt64]
    }

    var insn: Int32
    var parent: Int32
    var branches: Int32 = 1
    /// Outermost head that paths below this one ended at; -1: none.
    var openHead: Int32 = -1
    var isHead = false
    var hits: Int32 = 0
    var misses: Int32 = 0
    /// Instructions from the parent to here.
    var distance: UInt64
    var suffix: UInt64 = 0
    var precise: UInt64 = 0
    /// Dropped when it is unlikely to be of use.
    var state: State?
    /// By number of a scalar here: its dependencies in the parent.
    var dependencies: [UInt64] = []
    var edges: [Edge] = []
}

extension State {
    /// Numbers all scalars for a new checkpoint.
    ///
    /// - Returns: by number, what each depended on so far; and together what those past the 63rd did.
    mutating func numberScalars() -> (dependencies: [UInt64], overflow: UInt64) {
        var old: [UInt64] = []
        var overflow: UInt64 = 0
        func number(_ register: inout Register) {
            guard register.kind == .scalar else { return }
            if old.count < 63 {
                let bit = UInt64(1) << UInt64(old.count)
                old.append(register.dependencies)
                register.dependencies = bit
            } else {
                overflow |= register.dependencies
                register.dependencies = Checkpoint.overflow
            }
        }
        for frame in frames.indices {
            for register in 0..<10 { number(&frames[frame].registers[register]) }
            for slot in frames[frame].slots.indices where frames[frame].slots[slot].hasSpill {
                number(&frames[frame].slots[slot].spill)
            }
        }
        return (old, overflow)
    }

    /// What the scalars of this state that stand where those of `stored` stand depend on, by the latter's numbers.
    func dependencies(matching stored: State, count: Int) -> [UInt64] {
        var result = Array(repeating: UInt64(0), count: count)
        func note(_ old: Register, _ new: UInt64) {
            guard old.kind == .scalar, old.dependencies != 0, old.dependencies != Checkpoint.overflow else {
                return
            }
            let number = old.dependencies.trailingZeroBitCount
            if number < count { result[number] |= new }
        }
        for (a, b) in zip(stored.frames, frames) {
            for register in 0..<10 { note(a.registers[register], b.registers[register].dependencies) }
            for slot in a.slots.indices where a.slots[slot].hasSpill && slot < b.slots.count {
                note(a.slots[slot].spill, b.slots[slot].hasSpill ? b.slots[slot].spill.dependencies : 0)
            }
        }
        return result
    }

    /// Forgets registers and stack slots that will not be read, so that they do not tell states apart.
    mutating func dropDead(_ liveness: Liveness, at pc: Int) {
        for index in frames.indices {
            var live: UInt16
            if index == top {
                live = liveness.before[pc]
                dropSlots(frame: index, live: liveness.stack.before[pc])
            } else {
                // A caller resumes behind the call with R6–R9; a callback's call is looked at again.
                let callee = frames[index + 1]
                live =
                    (liveness.before[callee.callSite + 1] & 0x3c0)
                    | (callee.callback != nil ? liveness.before[callee.callSite] : 0)
                // What the callee may read through the addresses it was given counts as read by the call.
                dropSlots(frame: index, live: liveness.stack.before[callee.callSite])
            }
            if isWeakened(.liveRegistersAreDropped) { live &= ~0x3c0 }
            for register in 0..<10
            where live & (1 << UInt16(register)) == 0
                && frames[index].registers[register].kind != .uninitialised
            {
                frames[index].registers[register] = .uninitialised
            }
        }
    }

    private mutating func dropSlots(frame: Int, live: StackLiveness.Words) {
        let live = isWeakened(.liveSlotsAreDropped) ? 0 : live
        for slot in frames[frame].slots.indices where live >> UInt128(2 * slot) & 3 == 0 {
            let value = frames[frame].slots[slot]
            if !value.isUninitialised && !value.isOpaque { frames[frame].slots[slot] = StackSlot() }
        }
    }
}
