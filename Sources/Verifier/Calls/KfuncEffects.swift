import BPF

/// What the kfuncs do that a prototype cannot say.
extension Explorer {
    mutating func apply(_ effect: KfuncEffect, _ facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Flow {
        let name = facts.kfunc.name
        switch effect {
        case .rcuLock: try rcuReadLock(name)
        case .rcuUnlock: try rcuReadUnlock(name)
        case .preemptDisable: preemptDisable()
        case .preemptEnable: try preemptEnable(name)
        case .irqSave:
            try facts.irqFlag.map { (value, register) throws(Rejection) in
                try irqSave(value, register, by: .native)
            }
        case .irqRestore:
            try facts.irqFlag.map { (value, register) throws(Rejection) in
                try irqRestore(value, register, by: .native)
            }
        case .resilientLock: return try resilientLock(facts)
        case .resilientUnlock: try resilientUnlock(facts)
        case .newObject(let isPercpu): return try finish(newObject(facts, isPercpu: isPercpu))
        case .dropObject: return try finish(.uninitialised)
        case .acquireCount: return try finish(acquiredCount(facts))
        case .listPush: return try finish(try pushed(facts))
        case .treeAdd: return try treeAdd(facts)
        case .listPop, .treeRemove, .listPeek, .treePeek: return try finish(try taken(facts))
        case .makeDynptr(let kind):
            if let place = facts.newDynptr { makeDynptr(at: place, kind: kind) }
            return try finish(.unknown)
        case .cloneDynptr: try cloneDynptr(facts)
        case .slice(let isWritable): return try finish(try slice(facts, isWritable: isWritable))
        case .readOnlyCast: return try finish(readOnlyCast(facts, target))
        case .kernelContext: return try finish(try kernelContext(target))
        case .initialiseWork: break
        case .changePacket: forgetPacket()
        case .setWorkCallback:
            if let field = facts.field, let callback = facts.callback {
                try startCallback(callback, ofFieldIn: field, isSleepable: true)
            }
        case .scheduleTaskWork: throw Rejection.unsupported("kfunc \(name) (task work)")
        case .throwException: throw Rejection.unsupported("kfunc \(name)")
        }
        return try finish(result(facts, target))
    }

    // MARK: Resilient locks

    /// Either the lock is taken and the result 0, or it is not and the result an error.
    private mutating func resilientLock(_ facts: KfuncFacts) throws(Rejection) -> Flow {
        guard let lock = facts.lock else { return .next }
        let before = state
        clobberArguments()
        state[0] = Register(Scalar(signed: -4095 ... -1))
        putAside(state, at: pc + 1)
        state = before
        try self.lock(lock)
        if let (value, register) = facts.irqFlag { try irqSave(value, register, by: .lock) }
        return try finish(Register(constant: 0))
    }

    private mutating func resilientUnlock(_ facts: KfuncFacts) throws(Rejection) {
        guard let lock = facts.lock else { return }
        try unlock(lock, facts.kfunc.name)
        if let (value, register) = facts.irqFlag { try irqRestore(value, register, by: .lock) }
    }

    // MARK: Dynptrs

    private mutating func cloneDynptr(_ facts: KfuncFacts) throws(Rejection) {
        guard let original = facts.dynptr?.description, let place = facts.newDynptr,
            let kind = facts.dynptr?.kind
        else { return }
        makeDynptr(
            at: place, kind: kind, isReadOnly: original.flags.contains(.readOnly),
            reference: original.reference)
    }

    private mutating func slice(_ facts: KfuncFacts, isWritable: Bool) throws(Rejection) -> Register {
        guard let dynptr = facts.dynptr else { return .unknown }
        var slice = Register(kind: .memory, payload: facts.constantSize ?? 0)
        if !isWritable || dynptr.description.flags.contains(.readOnly) { slice.flags.insert(.readOnly) }
        slice.belong(to: dynptr.description)
        return settled(slice, facts)
    }

    // MARK: Casts

    private func readOnlyCast(_ facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Register {
        let type = TypeID(Int(truncatingIfNeeded: facts.constant ?? 0))
        if type == .void {
            throw Rejection.unsupported("bpf_rdonly_cast to untyped memory")
        }
        guard facts.constant ?? 0 < UInt64(target.count), case .composite = target[target.resolve(type)]
        else {
            throw Rejection(
                .callType, "kfunc bpf_rdonly_cast type ID argument must be of a struct or void",
                reason: "The second argument names the kernel's type to look through.",
                suggestion: "Use bpf_core_cast(), or bpf_core_type_id_kernel().")
        }
        return Register(kind: .object, payload: target.resolve(type).index, flags: .untrusted)
    }

    private func kernelContext(_ target: BTF) throws(Rejection) -> Register {
        guard let type = contextObject(in: target) else {
            throw Rejection.unsupported("bpf_cast_to_kern_ctx in \(context.name)")
        }
        return Register(kind: .object, payload: type.index, flags: .trusted)
    }

    /// What the kernel has behind the context of this program; nil where that is not known.
    private func contextObject(in target: BTF) -> TypeID? {
        guard let name = context.contextStruct else { return nil }
        let kernelNames = ["__sk_buff": "sk_buff", "xdp_md": "xdp_buff"]
        return target.composite(named: kernelNames[name] ?? name + "_kern")?.id
    }
}

extension ProgramContext {
    /// Name of the struct that R1 points to; nil for arrays of arguments, and where it is not known.
    var contextStruct: String? { if case .view(let view) = arguments { view.name } else { nil } }

    /// Whether a kfunc's parameter of this struct type takes the program's context.
    func isContext(_ name: String) -> Bool {
        guard let contextStruct else { return false }
        return name == contextStruct || name == contextStruct + "_kern"
    }
}
