import BPF

/// Calls of kfuncs: arguments against the FUNC_PROTO in BTF and the conventions of its parameters' names, then what the
/// flags and the table (`KfuncRule`) say.
extension Explorer {
    /// One call being checked.
    struct KfuncFacts {
        var prototype: BTFPrototype
        var kfunc: KfuncPrototype
        var effect: KfuncEffect?
        /// Reference that a releasing kfunc takes.
        var released: UInt32 = 0
        /// Where the iterator in the first argument lies.
        var iterator: StackObject?
        /// The first dynptr among the arguments that was made before.
        var dynptr: DynptrArgument?
        var newDynptr: StackObject?
        /// Value of the last `__k` argument, of the last `__szk` one.
        var constant: UInt64?
        var constantSize: Int?
        /// Object of the program's own type.
        var allocated: Register?
        var root: GraphRoot?
        var lock: HeldLock?
        /// What a work queue's or timer's field lies in.
        var field: Register?
        var callback: Int?
        var irqFlag: (value: Register, register: UInt8)?
        /// Sizes the memory that the result points to.
        var resultSize: (byteCount: Int, isReadOnly: Bool)?

        func has(_ flag: KfuncPrototype.Flags) -> Bool { kfunc.flags.contains(flag) }
    }

    mutating func callKfunc(_ insn: Instruction) throws(Rejection) -> Flow {
        let kfunc = image.kfuncs[Int(insn.imm)]
        let effect = KfuncRule.rule(for: kfunc.name)?.effect
        let target = try allowed(kfunc, effect)
        guard let prototype = target.prototype(behind: kfunc.function.id) else {
            throw Rejection(
                .callType, "kfunc \(kfunc.name) has no prototype in BTF",
                reason: "What it takes is not known.")
        }
        guard prototype.parameters.count <= 5, !prototype.isVariadic else {
            throw Rejection.unsupported("kfunc \(kfunc.name) with more than 5 arguments")
        }
        uses.kfuncs.insert(kfunc.name)
        var facts = KfuncFacts(prototype: prototype, kfunc: kfunc, effect: effect)
        var index = 0
        while index < prototype.parameters.count {
            index += try checkParameter(index, &facts, target)
        }
        if kfunc.flags.contains(.sleepable) { try checkMaySleep("kernel func \(kfunc.name)") }
        if kfunc.flags.contains(.rcuProtected), !isInRCUSection {
            throw Rejection(
                .executionContext, "kernel func \(kfunc.name) requires RCU critical section protection",
                reason: "What it gives is valid inside an RCU read-side section only.",
                suggestion: "Call it between bpf_rcu_read_lock() and bpf_rcu_read_unlock().")
        }
        if kfunc.flags.contains(.release) && !convertsOwnership(effect) { try release(&facts) }
        if kfunc.flags.contains(.iterNew) { return try iteratorNew(facts) }
        if kfunc.flags.contains(.iterNext) { return try iteratorNext(facts, target) }
        if kfunc.flags.contains(.iterDestroy) { return try iteratorDestroy(facts) }
        if let effect { return try apply(effect, facts, target) }
        return try finish(try result(facts, target))
    }

    /// Whether the object passed stays reachable, owned by a list or tree.
    func convertsOwnership(_ effect: KfuncEffect?) -> Bool {
        switch effect {
        case .listPush?, .treeAdd?: true
        default: false
        }
    }

    /// The call is over: R1–R5 hold nothing, R0 the result.
    mutating func finish(_ result: Register) throws(Rejection) -> Flow {
        clobberArguments()
        state[0] = result
        return .next
    }

    private func allowed(_ kfunc: KfuncPrototype, _ effect: KfuncEffect?) throws(Rejection) -> BTF {
        if case .throwException? = effect {
            throw Rejection.unsupported(
                "kfunc bpf_throw (exceptions)", reason: "Nothing here unwinds the stack of a program.")
        }
        let isOffered = context.kfuncs?.contains(kfunc.name) ?? !context.refusedKfuncs.contains(kfunc.name)
        guard isOffered else {
            throw Rejection(
                .executionContext, "calling kernel function \(kfunc.name) is not allowed",
                reason: "\(context.name) does not offer this kfunc.")
        }
        if let lock = state.held.locks.last, !(effect?.isAllowedUnderLock ?? false),
            !kfunc.name.hasPrefix("bpf_iter_num_")
        {
            throw Rejection(
                .resourceLifetime, "function calls are not allowed while holding a lock",
                reason: "\(kfunc.name) is called with the lock of instruction \(lock.insn) held.",
                suggestion: "Call it after bpf_spin_unlock().")
        }
        if kfunc.flags.contains(.sleepable) && !maySleep {
            throw Rejection(
                .executionContext, "program must be sleepable to call sleepable kfunc \(kfunc.name)",
                reason: "The kfunc may wait, and \(context.name) must not.")
        }
        guard let target = context.target, kfunc.function.btf == context.targetID else {
            throw Rejection.unsupported("kfunc \(kfunc.name) of another BTF")
        }
        return target
    }

    private mutating func release(_ facts: inout KfuncFacts) throws(Rejection) {
        guard facts.released != 0, state.held.contains(reference: facts.released) else {
            throw Rejection(
                .resourceLifetime, "release kernel function \(facts.kfunc.name) expects refcounted pointer",
                reason: "The program holds no reference to what it passes.")
        }
        state.release(facts.released)
        note(.released)
    }
}
