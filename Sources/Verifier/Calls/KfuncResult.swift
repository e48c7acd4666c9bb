import BPF

/// What a kfunc gives.
extension Explorer {
    /// - Parameter target: BTF of the prototype.
    mutating func result(_ facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Register {
        let type = facts.prototype.result
        var register: Register
        switch target.resolved(type) {
        case .void: return .uninitialised
        case .pointer: register = try pointer(facts, target)
        default: return .unknown
        }
        if facts.has(.acquire) { register.reference = acquire() }
        return settled(register, facts)
    }

    /// Marks a result that may be NULL as such.
    mutating func settled(_ register: Register, _ facts: KfuncFacts) -> Register {
        guard facts.has(.retNull) else { return register }
        var register = register
        register.flags.insert(.maybeNull)
        register.id = register.reference != 0 && register.owner == 0 ? register.reference : newID()
        return register
    }

    private func pointer(_ facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Register {
        guard let pointee = target.pointee(of: facts.prototype.result) else { return .unknown }
        if let size = facts.resultSize {
            return Register(kind: .memory, payload: size.byteCount, flags: size.isReadOnly ? .readOnly : [])
        }
        if case .composite = target[pointee] {
            var register = Register(kind: .object, payload: pointee.index)
            if facts.has(.acquire) {
                register.flags = .trusted
            } else if facts.has(.rcuProtected) {
                register.flags = .rcu
            }
            return register
        }
        guard target.isPlainData(pointee), let size = target.byteCount(of: pointee) else {
            throw Rejection.unsupported("kfunc \(facts.kfunc.name) (it returns a pointer to memory)")
        }
        return Register(kind: .memory, payload: size, flags: .readOnly)
    }
}
