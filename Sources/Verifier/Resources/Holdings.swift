/// What a program holds at one point of one path and has to give back, each in the order it was taken.
///
/// Kernel counterpart: `acquired_refs`, `active_locks`, `active_rcu_locks`, `active_preempt_locks`, `active_irq_id` of
/// `struct bpf_verifier_state`.
struct Holdings: Equatable {
    var references: [Reference] = []
    /// Innermost last.
    var locks: [HeldLock] = []
    /// Saved interrupt states, by the id of their flag on the stack; innermost last.
    var irqStates: [Reference] = []
    /// Nested bpf_rcu_read_lock and bpf_preempt_disable.
    var rcuDepth = 0
    var preemptDepth = 0

    /// Whether two paths hold equally many of everything. Cheap, and false for most states that differ here.
    func hasShape(of other: Holdings) -> Bool {
        references.count == other.references.count && locks.count == other.locks.count
            && irqStates.count == other.irqStates.count && rcuDepth == other.rcuDepth
            && preemptDepth == other.preemptDepth
    }

    /// Whether the same things are held, up to the names of ids.
    ///
    /// - Parameter match: whether an id here may be called that one there.
    func correspond(to other: Holdings, _ match: (UInt32, UInt32) -> Bool) -> Bool {
        guard hasShape(of: other) else { return false }
        for (a, b) in zip(references, other.references) where !match(a.id, b.id) { return false }
        for (a, b) in zip(irqStates, other.irqStates) where !match(a.id, b.id) { return false }
        for (a, b) in zip(locks, other.locks)
        where a.kind != b.kind || a.owner != b.owner || !match(a.id, b.id) {
            return false
        }
        return true
    }

    /// Whether a program may not be interrupted by another of its CPU, or wait, here.
    var isAtomic: Bool { rcuDepth > 0 || preemptDepth > 0 || !irqStates.isEmpty || !locks.isEmpty }

    mutating func drop(reference id: UInt32) { references.removeAll { $0.id == id } }

    func contains(reference id: UInt32) -> Bool { references.contains { $0.id == id } }
}

/// A reference the program holds and must release.
struct Reference: Equatable {
    var id: UInt32
    /// Where it was acquired; -1: on entry (`__ref` argument).
    var insn: Int
}

/// A lock that is held.
struct HeldLock: Equatable {
    enum Kind: UInt8 { case spin, resilient, resilientIRQ }
    /// What the lock lies in: a map, by index, or an object that the program has allocated.
    enum Owner: Equatable {
        case map(Int32)
        case allocated
    }

    var kind = Kind.spin
    var owner: Owner
    /// Which value of the map, or which object.
    var id: UInt32
    var insn: Int
}
