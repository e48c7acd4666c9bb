/// bpf_spin_lock and bpf_res_spin_lock in map values, global data and allocated objects.
extension Explorer {
    /// Checks that an argument points to a lock.
    ///
    /// Kernel counterpart: `process_spin_lock`.
    mutating func lockArgument(
        _ value: Register, _ register: UInt8, kind: HeldLock.Kind
    ) throws(Rejection) -> HeldLock {
        let name = kind == .spin ? "bpf_spin_lock" : "bpf_res_spin_lock"
        guard value.kind == .mapValue || value.kind == .allocated, !value.maybeNull else {
            throw notALock(
                register, name, "R\(register) type=\(typeName(of: value)) expected=map_value, ptr_")
        }
        if let programs = context.refusesLocks {
            throw Rejection(
                .executionContext, "\(programs) cannot use \(name) yet",
                reason: "Such a program can interrupt whoever holds the lock, and would wait for ever.")
        }
        guard let offset = value.constantOffset else {
            throw notALock(
                register, name,
                "R\(register) doesn't have constant offset. \(name) has to be at the constant offset")
        }
        let wanted: SpecialField.Kind = kind == .spin ? .spinLock : .resilientSpinLock
        guard let field = specialFields(of: value).lock, field.kind == wanted else {
            throw notALock(register, name, "R\(register) has no valid \(name)")
        }
        guard field.offset == offset else {
            throw notALock(
                register, name, "off \(offset) doesn't point to 'struct \(name)' that is at \(field.offset)")
        }
        return HeldLock(kind: kind, owner: owner(of: value), id: value.id, insn: pc)
    }

    private func notALock(_ register: UInt8, _ name: String, _ problem: String) -> Rejection {
        Rejection(
            .callType, problem,
            reason:
                "R\(register) must point to a struct \(name) in a map value, global variable or allocated object."
        )
    }

    /// What a lock that protects `value` lies in.
    func owner(of value: Register) -> HeldLock.Owner {
        value.kind == .mapValue ? .map(value.payload) : .allocated
    }

    mutating func lock(_ lock: HeldLock) throws(Rejection) {
        if lock.kind == .spin, let held = state.held.locks.last {
            throw Rejection(
                .resourceLifetime, "Locking two bpf_spin_locks are not allowed",
                reason: "One is held since instruction \(held.insn).")
        }
        if state.held.locks.contains(where: { $0.kind == .spin }) {
            throw Rejection(
                .resourceLifetime, "Cannot acquire lock while holding a bpf_spin_lock",
                reason: "Under a bpf_spin_lock no other lock may be taken.")
        }
        if state.held.locks.contains(where: { $0.owner == lock.owner && $0.id == lock.id }) {
            throw Rejection(
                .resourceLifetime, "Acquiring the same lock again, AA deadlock detected",
                reason: "The program would wait for itself.")
        }
        if isInTreeCallback { throw lockInTreeCallback }
        state.held.locks.append(lock)
        note(.locked)
    }

    /// Locks are released innermost first.
    mutating func unlock(_ lock: HeldLock, _ name: String) throws(Rejection) {
        guard let held = state.held.locks.last else {
            throw Rejection(
                .resourceLifetime, "\(name) without taking a lock", reason: "No lock is held on this path.")
        }
        guard
            held.kind == lock.kind && held.owner == lock.owner && held.id == lock.id
                || isWeakened(.unlockOfAnother)
        else {
            let isHeld = state.held.locks.contains {
                $0.kind == lock.kind && $0.owner == lock.owner && $0.id == lock.id
            }
            throw Rejection(
                .resourceLifetime,
                isHeld ? "\(name) cannot be out of order" : "\(name) of different lock",
                reason: isHeld
                    ? "The lock taken last is released first." : "The lock held is that of another value.")
        }
        if isInTreeCallback { throw lockInTreeCallback }
        state.held.locks.removeLast()
        forgetNonOwning()
        note(.unlocked)
    }

    /// The comparison of a tree insertion runs with the tree's lock held, and must leave it alone.
    var isInTreeCallback: Bool { state.frames.contains { $0.callback == .treeOrder } }

    private var lockInTreeCallback: Rejection {
        Rejection(
            .resourceLifetime, "can't spin_{lock,unlock} in rbtree cb",
            reason: "The comparison runs inside bpf_rbtree_add(), under the tree's lock.")
    }

    /// Objects that a list or tree owns may go once its lock is released.
    mutating func forgetNonOwning() {
        state.forEachRegister { register in
            if register.flags.contains(.nonOwning) { register = .unknown }
        }
    }
}
