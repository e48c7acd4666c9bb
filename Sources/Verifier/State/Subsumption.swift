/// How a stored state is compared with a new one.
enum ComparisonMode {
    /// Scalars that no check below the stored state depended on match anything.
    case precisionAware
    /// Every scalar of the new state lies within the stored one.
    case ranges
    /// The states are the same, up to the names of ids.
    case identical
}

/// Decides whether whatever follows from `old` covers whatever follows from `new`.
///
/// Sound because each rule below asks of `new` at least what the checks on the way from `old` could have relied on.
/// Ids are names: what counts is that registers linked in `old` are linked in `new`, so a one-to-one map is built up.
struct Subsumption {
    private let mode: ComparisonMode
    /// Bit i: scalar number i of the stored state is precise. See `Checkpoint`.
    private let precise: UInt64
    private var ids: [(old: UInt32, new: UInt32)] = []
    private var unnamed: UInt32 = .max
    /// Bit i: frame i of `new` has not written bytes that `old` has, whose value nothing below `old` relied on.
    private var unwritten: UInt8 = 0

    /// - Parameter unwritten: set to the frames in which what follows may read bytes that `new` has not written.
    static func holds(
        _ old: State, _ new: State, precise: UInt64, mode: ComparisonMode, unwritten: inout UInt8
    ) -> Bool {
        var check = Subsumption(mode: mode, precise: precise)
        let holds = check.states(old, new)
        unwritten = check.unwritten
        return holds
    }

    private init(mode: ComparisonMode, precise: UInt64) {
        self.mode = mode
        self.precise = precise
    }

    private mutating func states(_ old: State, _ new: State) -> Bool {
        guard old.frames.count == new.frames.count, old.entry == new.entry,
            old.held.hasShape(of: new.held) || isWeakened(.referencesNeedNotMatch)
        else { return false }
        for index in old.frames.indices {
            let a = old.frames[index]
            let b = new.frames[index]
            guard a.callSite == b.callSite || isWeakened(.callersNeedNotMatch), a.subprog == b.subprog,
                a.callback == b.callback
            else {
                return false
            }
        }
        // Innermost first: that is where states differ most.
        for index in old.frames.indices.reversed() {
            for register in 0..<10 {
                guard registers(old.frames[index].registers[register], new.frames[index].registers[register])
                else {
                    return false
                }
            }
            guard
                slots(old.frames[index].slots, new.frames[index].slots, frame: index)
                    || isWeakened(.stackNeedNotMatch)
            else { return false }
        }
        return old.held.correspond(to: new.held) { match($0, $1) } || isWeakened(.referencesNeedNotMatch)
    }

    /// Maps an id of `old` to one of `new`, consistently and one to one.
    private mutating func match(_ a: UInt32, _ b: UInt32) -> Bool {
        if isWeakened(.idsNeedNotMatch) { return true }
        if a == 0 || b == 0 { return a == b }
        for pair in ids {
            if pair.old == a { return pair.new == b }
            if pair.new == b { return false }
        }
        ids.append((a, b))
        return true
    }

    private func isPrecise(_ register: Register) -> Bool {
        if isWeakened(.nothingIsPrecise) && mode == .precisionAware { return false }
        return mode != .precisionAware || register.dependencies & (precise | Checkpoint.overflow) != 0
    }

    private mutating func registers(_ old: Register, _ new: Register) -> Bool {
        switch old.kind {
        case .uninitialised:
            return mode != .identical || new.kind == .uninitialised
        case .scalar:
            guard new.kind == .scalar else { return false }
            return isPrecise(old) ? scalars(old, new) : true
        case .iterator, .dynptr, .irqFlag:
            return old.kind == new.kind && old.payload == new.payload && old.flags == new.flags
                && old.offset == new.offset && match(old.id, new.id) && match(old.reference, new.reference)
        default:
            let isCovered =
                mode != .identical && old.isPacket ? old.payload <= new.payload : old.payload == new.payload
            guard old.kind == new.kind, isCovered, old.offset == new.offset,
                old.flags == new.flags, match(old.id, new.id), match(old.reference, new.reference),
                match(old.owner, new.owner)
            else { return false }
            return mode == .identical ? old.scalar == new.scalar : old.scalar.contains(new.scalar)
        }
    }

    private mutating func scalars(_ old: Register, _ new: Register) -> Bool {
        if mode == .identical {
            return old.scalar == new.scalar && match(old.id, new.id)
                && (old.id == 0 || old.offset == new.offset)
        }
        guard old.scalar.contains(new.scalar) || isWeakened(.rangesNeedNotNest) else { return false }
        if old.id == 0 { return true }
        guard new.id == 0 || old.offset == new.offset else { return false }
        // Linked in the old state: an unlinked one of the new gets a name of its own, which matches once.
        var id = new.id
        if id == 0 {
            id = unnamed
            unnamed -= 1
        }
        return match(old.id, id)
    }

    // MARK: Stack

    private mutating func slots(_ old: [StackSlot], _ new: [StackSlot], frame: Int) -> Bool {
        if mode == .identical && old.count != new.count { return false }
        for index in old.indices {
            if old[index].isUninitialised {
                if mode == .identical && !(index < new.count && new[index].isUninitialised) { return false }
                continue
            }
            let other = index < new.count ? new[index] : StackSlot()
            guard slot(old[index], other, frame: frame) else { return false }
        }
        return true
    }

    private mutating func slot(_ old: StackSlot, _ new: StackSlot, frame: Int) -> Bool {
        if old.hasSameKinds(new) {
            return old.hasSpill || old.isOpaque ? registers(old.spill, new.spill) : true
        }
        if mode == .identical { return false }
        if old.isOpaque || new.isOpaque { return false }
        if new.hasSpill && new.spill.kind != .scalar { return false }
        if old.hasSpill {
            // The old bytes had a known number. Anything written will do if nothing depended on it.
            guard old.spill.kind == .scalar,
                !isPrecise(old.spill) || old.spill.scalar.isUnknown && old.spill.id == 0
            else { return false }
        }
        for byte in 0..<8 {
            switch (old[byte], new[byte]) {
            case (.uninitialised, _): continue
            case (_, .opaque): return false
            case (.zero, .zero): continue
            case (.zero, _): return false
            case (_, .uninitialised): unwritten |= 1 << UInt8(frame)
            default: continue
            }
        }
        return true
    }
}
