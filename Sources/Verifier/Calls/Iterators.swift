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
        _ value: Register, _ register: UInt8, _ index: Int, _ facts: KfuncFacts, _ target: BTF
    ) throws(Rejection) -> StackObject {
        let parameter = facts.prototype.parameters[index]
        guard let type = target.pointee(of: parameter.type), case .composite(let composite) = target[type],
            composite.byteCount > 0
        else { throw Rejection.unsupported("kfunc \(facts.kfunc.name) (its iterator is not a struct)") }
        let isNew = facts.kfunc.flags.contains(.iterNew)
        let place = try stackObject(
            value, register, byteCount: composite.byteCount, isNew: isNew,
            Rejection(
                .callType, "arg#\(index) expected pointer to an iterator on stack",
                reason: "\(facts.kfunc.name) takes the address of a local struct \(composite.name)."))
        if isNew {
            guard !state.hasOpaqueSlot(in: place) else {
                throw Rejection(
                    .callType, "expected uninitialized iter_\(composite.name) as arg #\(index)",
                    reason: "Something that only its own functions may touch lives there.",
                    suggestion: "Destroy the iterator before making another in the same variable.")
            }
            return place
        }
        let description = state.description(of: place, kind: .iterator)
        if let description, description.flags.contains(.untrusted) {
            throw Rejection(
                .executionContext, "expected an RCU CS when using \(facts.kfunc.name)",
                reason: "The RCU section in which the iterator was made is over.",
                suggestion: "Keep the whole loop between bpf_rcu_read_lock() and bpf_rcu_read_unlock().")
        }
        guard description?.payload == Int32(type.index) || isWeakened(.iteratorUnmade) else {
            throw Rejection(
                .callType, "expected an initialized iter_\(composite.name) as arg #\(index)",
                reason: "\(facts.kfunc.name) needs an iterator that was made and not destroyed yet.")
        }
        return place
    }

    mutating func iteratorNew(_ facts: KfuncFacts) throws(Rejection) -> Flow {
        guard let iterator = facts.iterator,
            let type = context.target?.pointee(of: facts.prototype.parameters[0].type)
        else { return .next }
        let id = acquire()
        var description = Register(kind: .iterator, payload: type.index, id: id)
        description.reference = id
        if facts.has(.rcuProtected) { description.flags.insert(.rcu) }
        state.place(description, at: iterator)
        clobberArguments()
        state[0] = .unknown
        return .next
    }

    mutating func iteratorNext(_ facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Flow {
        guard let iterator = facts.iterator, let first = state.description(of: iterator, kind: .iterator)
        else { return .next }
        clobberArguments()
        if !first.flags.contains(.drained) {
            var turn = state
            turn.draws = turn.draws == .max ? .max : turn.draws + 1
            var element = try element(of: facts, target)
            if element.kind == .object { element.flags.insert(first.flags.contains(.rcu) ? .rcu : .trusted) }
            element.reference = first.reference
            turn[0] = element
            putAside(turn, at: pc + 1)
        }
        state.change(iterator) { $0.flags.insert(.drained) }
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
        guard let iterator = facts.iterator, let first = state.description(of: iterator, kind: .iterator)
        else { return .next }
        state.remove(iterator)
        state.release(first.reference)
        note(.released)
        clobberArguments()
        state[0] = .uninitialised
        return .next
    }
}
