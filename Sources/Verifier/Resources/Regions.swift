/// Stretches of a path in which not everything may be done: locks, RCU read-side sections, disabled preemption and
/// interrupts.
extension Explorer {
    /// Nothing may be left behind where control leaves the program for good.
    ///
    /// - Parameter place: what leaves, for messages: `BPF_EXIT instruction in main prog`, `tail_call`.
    ///
    /// Kernel counterpart: `check_resource_leak`.
    func checkNothingHeld(at place: String) throws(Rejection) {
        if let lock = state.held.locks.last {
            throw inside(
                "bpf_spin_lock", place, "The lock taken at instruction \(lock.insn) is still held here.")
        }
        if let reference = state.held.references.first {
            throw Rejection(
                .resourceLifetime,
                "Unreleased reference id=\(reference.id) alloc_insn=\(reference.insn)",
                reason: reference.insn < 0
                    ? "The program owns a reference to its argument and must release it or pass it on."
                    : "What was acquired at instruction \(reference.insn) is not released on this path.",
                suggestion: "Release it on every path, also where something fails.")
        }
        if let saved = state.held.irqStates.last {
            throw inside(
                "bpf_local_irq_save", place, "Interrupts are off since instruction \(saved.insn).")
        }
        if state.held.rcuDepth > 0 {
            throw inside("bpf_rcu_read_lock", place, "bpf_rcu_read_unlock() is not called on this path.")
        }
        if state.held.preemptDepth > 0 {
            throw inside("bpf_preempt_disable", place, "bpf_preempt_enable() is not called on this path.")
        }
    }

    private func inside(_ opening: String, _ place: String, _ reason: String) -> Rejection {
        Rejection(
            .resourceLifetime, "\(place) cannot be used inside \(opening)-ed region", reason: reason,
            suggestion: "Leave the region on every path before this.")
    }

    /// Whether the function being verified runs where waiting is allowed at all.
    var maySleep: Bool { entry.isSleepable }

    /// Kernel counterpart: `in_rcu_cs`: a program that never waits is in a read-side section as a whole.
    var isInRCUSection: Bool { state.held.rcuDepth > 0 || !state.held.locks.isEmpty || !maySleep }

    /// - Parameter callee: as the kernel names it: `sleepable helper bpf_copy_from_user#148`, `kernel func x`.
    func checkMaySleep(_ callee: String) throws(Rejection) {
        guard maySleep else {
            throw Rejection(
                .executionContext, "\(callee) might sleep in a non-sleepable prog",
                reason: "It may wait, and \(context.name) must not.",
                suggestion: "Where the hook allows it, use its sleepable section (with .s).")
        }
        let region: String
        if state.held.rcuDepth > 0 {
            region = "rcu_read_lock"
        } else if state.held.preemptDepth > 0 {
            region = "non-preemptible"
        } else if !state.held.irqStates.isEmpty {
            region = "IRQ-disabled"
        } else {
            return
        }
        throw Rejection(
            .executionContext, "\(callee) is sleepable within \(region) region",
            reason:
                "It may wait, and must not where preemption, interrupts or the end of an RCU section are held up.",
            suggestion: "Call it before the region begins or after it ends.")
    }

    // MARK: RCU

    mutating func rcuReadLock(_ name: String) throws(Rejection) {
        guard state.held.rcuDepth == 0 else {
            throw Rejection(
                .resourceLifetime, "nested rcu read lock (kernel function \(name))",
                reason: "The program is in an RCU read-side section already.")
        }
        state.held.rcuDepth = 1
        note(.entered)
    }

    /// Pointers that the section kept valid are worth nothing after it.
    mutating func rcuReadUnlock(_ name: String) throws(Rejection) {
        guard state.held.rcuDepth > 0 else {
            throw unmatched("unmatched rcu read unlock (kernel function \(name))", "bpf_rcu_read_lock()")
        }
        state.held.rcuDepth -= 1
        guard state.held.rcuDepth == 0 else { return }
        state.forEachRegister { register in
            guard register.flags.contains(.rcu) else { return }
            register.flags.remove([.rcu, .maybeNull])
            register.flags.insert(.untrusted)
        }
        state.distrustIterators()
        note(.left)
    }

    private func unmatched(_ problem: String, _ opening: String) -> Rejection {
        Rejection(.resourceLifetime, problem, reason: "\(opening) was not called on this path.")
    }

    // MARK: Preemption

    mutating func preemptDisable() {
        state.held.preemptDepth += 1
        note(.entered)
    }

    mutating func preemptEnable(_ name: String) throws(Rejection) {
        guard state.held.preemptDepth > 0 else {
            throw unmatched(
                "unmatched attempt to enable preemption (kernel function \(name))", "bpf_preempt_disable()")
        }
        state.held.preemptDepth -= 1
        note(.left)
    }

    // MARK: Interrupts

    /// Saves the interrupt state in 8 bytes of stack, which only the matching restore may touch.
    mutating func irqSave(_ value: Register, _ register: UInt8, by saver: IRQSaver) throws(Rejection) {
        let place = try irqFlag(value, register, isNew: true)
        guard !state.hasOpaqueSlot(in: place) else {
            throw Rejection(
                .callType, "expected uninitialized irq flag as arg#\(register - 1)",
                reason: "Something that only its own functions may touch lives there.")
        }
        let id = newID()
        state.held.irqStates.append(Reference(id: id, insn: pc))
        state.place(Register(kind: .irqFlag, payload: Int(saver.rawValue), id: id), at: place)
        note(.entered)
    }

    mutating func irqRestore(_ value: Register, _ register: UInt8, by saver: IRQSaver) throws(Rejection) {
        let place = try irqFlag(value, register, isNew: false)
        guard let flag = state.description(of: place, kind: .irqFlag) else {
            throw Rejection(
                .callType, "expected an initialized irq flag as arg#\(register - 1)",
                reason: "No interrupt state was saved there.")
        }
        guard flag.payload == Int32(saver.rawValue) else {
            throw Rejection(
                .callType,
                "irq flag acquired by \(IRQSaver.name(of: flag.payload)) kfuncs cannot be restored with \(saver.name) kfuncs",
                reason: "The state must be restored by the counterpart of what saved it.")
        }
        guard let innermost = state.held.irqStates.last, innermost.id == flag.id else {
            throw Rejection(
                .resourceLifetime,
                "cannot restore irq state out of order, expected id=\(state.held.irqStates.last?.id ?? 0) acquired at insn_idx=\(state.held.irqStates.last?.insn ?? 0)",
                reason: "States are restored in the opposite order of saving.")
        }
        state.held.irqStates.removeLast()
        state.remove(place)
        note(.left)
    }

    private mutating func irqFlag(_ value: Register, _ register: UInt8, isNew: Bool) throws(Rejection)
        -> StackObject
    {
        try stackObject(
            value, register, byteCount: 8, isNew: isNew,
            Rejection(
                .callType, "arg#\(register - 1) doesn't point to an irq flag on stack",
                reason: "The interrupt state is kept in a local variable of 8 bytes."))
    }
}

extension State {
    /// Iterators over what RCU protects end with the section.
    fileprivate mutating func distrustIterators() {
        for frame in frames.indices {
            for slot in frames[frame].slots.indices where frames[frame].slots[slot].isOpaque {
                guard frames[frame].slots[slot].spill.kind == .iterator,
                    frames[frame].slots[slot].spill.flags.contains(.rcu)
                else { continue }
                frames[frame].slots[slot].spill.flags.insert(.untrusted)
            }
        }
    }
}

/// Which family of functions saved an interrupt state.
enum IRQSaver: UInt8 {
    case native, lock

    var name: String { self == .native ? "native" : "lock" }

    static func name(of payload: Int32) -> String {
        (IRQSaver(rawValue: UInt8(truncatingIfNeeded: payload)) ?? .native).name
    }
}
