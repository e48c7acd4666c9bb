import BPF

/// Open-coded iterators: `bpf_iter_X_new`, `_next`, `_destroy` over a struct on the stack.
///
/// The struct's bytes are opaque while the iterator lives, and it counts as a reference that must be destroyed. Each
/// `next` draws on fuel; without fuel it returns NULL.
extension Explorer {
    func isIteratorCall(_ kfunc: KfuncPrototype) -> Bool {
        !kfunc.flags.isDisjoint(with: [.iterNew, .iterNext, .iterDestroy])
    }

    mutating func checkIterator(
        _ value: Register, _ register: UInt8, _ facts: KfuncFacts, _ target: BTF
    ) throws(Rejection) -> (frame: Int, offset: Int, byteCount: Int) {
        let parameter = facts.prototype.parameters[0]
        guard let type = target.pointee(of: parameter.type), case .composite(let composite) = target[type],
            composite.byteCount > 0
        else { throw Rejection.unsupported("kfunc \(facts.kfunc.name) (its iterator is not a struct)") }
        let byteCount = (composite.byteCount + 7) & ~7
        guard value.kind == .stack, let offset = value.constantOffset, offset % 8 == 0 else {
            throw Rejection(
                .callType, "arg#0 expected pointer to an iterator on stack",
                reason: "\(facts.kfunc.name) takes the address of a local struct \(composite.name).")
        }
        let access = Access(register: register, pointer: value, offset: 0, byteCount: byteCount)
        let (frame, low, _) = try stackExtent(access, isWrite: true)
        if facts.kfunc.flags.contains(.iterNew) {
            noteStack(frame, low)
            growStack(frame, low)
            try checkNoOpaque(frame, low..<low + byteCount)
            return (frame, low, byteCount)
        }
        for part in 0..<byteCount / 8 {
            let slot = slotIndex(low, part)
            let slots = state.frames[frame].slots
            guard slot < slots.count, slots[slot].isOpaque, slots[slot].spill.payload == Int32(type.index),
                slots[slot].spill.offset == Int32(part),
                slots[slot].spill.id == slots[slotIndex(low, 0)].spill.id
            else {
                throw Rejection(
                    .callType, "expected an initialized iter_\(composite.name) as arg #0",
                    reason: "\(facts.kfunc.name) needs an iterator that was made and not destroyed yet.")
            }
        }
        return (frame, low, byteCount)
    }

    private func slotIndex(_ low: Int, _ part: Int) -> Int { Explorer.position(low + 8 * part).slot }

    mutating func iteratorNew(_ facts: KfuncFacts) throws(Rejection) -> Flow {
        guard let iterator = facts.iterator,
            let type = context.target?.pointee(of: facts.prototype.parameters[0].type)
        else { return .next }
        let id = newID()
        state.references.append(Reference(id: id, insn: pc))
        note(.acquired)
        for part in 0..<iterator.byteCount / 8 {
            var register = Register(kind: .iterator, payload: type.index, offset: part, id: id)
            register.reference = id
            state.frames[iterator.frame].slots[slotIndex(iterator.offset, part)].store(opaque: register)
        }
        clobberArguments()
        state[0] = .unknown
        return .next
    }

    mutating func iteratorNext(_ facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Flow {
        guard let iterator = facts.iterator else { return .next }
        let first = state.frames[iterator.frame].slots[slotIndex(iterator.offset, 0)].spill
        clobberArguments()
        if !first.flags.contains(.drained) {
            var turn = state
            turn.draws = turn.draws == .max ? .max : turn.draws + 1
            var element = try element(of: facts, target)
            element.reference = first.reference
            turn[0] = element
            putAside(turn, at: pc + 1)
        }
        for part in 0..<iterator.byteCount / 8 {
            state.frames[iterator.frame].slots[slotIndex(iterator.offset, part)].spill.flags.insert(.drained)
        }
        state[0] = Register(constant: 0)
        return .next
    }

    private func element(of facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Register {
        guard let pointee = target.pointee(of: facts.prototype.result) else {
            throw Rejection.unsupported("iterator \(facts.kfunc.name) that returns no pointer")
        }
        if case .composite = target[pointee] {
            return Register(kind: .object, payload: pointee.index)
        }
        guard target.isPlainData(pointee), let size = target.byteCount(of: pointee) else {
            throw Rejection.unsupported("iterator \(facts.kfunc.name) over such elements")
        }
        return Register(kind: .memory, payload: size, flags: .readOnly)
    }

    mutating func iteratorDestroy(_ facts: KfuncFacts) throws(Rejection) -> Flow {
        guard let iterator = facts.iterator else { return .next }
        let first = state.frames[iterator.frame].slots[slotIndex(iterator.offset, 0)].spill
        for part in 0..<iterator.byteCount / 8 {
            state.frames[iterator.frame].slots[slotIndex(iterator.offset, part)] = StackSlot()
        }
        drop(reference: first.reference)
        note(.released)
        clobberArguments()
        state[0] = .uninitialised
        return .next
    }
}
