import BPF

/// Calls of kfuncs: arguments against the FUNC_PROTO in BTF, the conventions of parameter names, and the flags.
extension Explorer {
    /// One call being checked.
    struct KfuncFacts {
        var prototype: BTFPrototype
        var kfunc: KfuncPrototype
        /// Reference that a releasing kfunc takes.
        var released: UInt32 = 0
        /// Lowest slot offset and frame of the iterator in the first argument.
        var iterator: (frame: Int, offset: Int, byteCount: Int)?
    }

    mutating func callKfunc(_ insn: Instruction) throws(Rejection) -> Flow {
        let kfunc = image.kfuncs[Int(insn.imm)]
        let target = try allowed(kfunc)
        guard let prototype = target.prototype(behind: kfunc.function.id) else {
            throw Rejection(
                .callType, "kfunc \(kfunc.name) has no prototype in BTF",
                reason: "What it takes is not known.")
        }
        guard prototype.parameters.count <= 5, !prototype.isVariadic else {
            throw Rejection.unsupported("kfunc \(kfunc.name) with more than 5 arguments")
        }
        var facts = KfuncFacts(prototype: prototype, kfunc: kfunc)
        var index = 0
        while index < prototype.parameters.count {
            index += try checkParameter(index, &facts, target)
        }
        if kfunc.flags.contains(.release) { try release(&facts) }
        if kfunc.flags.contains(.iterNew) { return try iteratorNew(facts) }
        if kfunc.flags.contains(.iterNext) { return try iteratorNext(facts, target) }
        if kfunc.flags.contains(.iterDestroy) { return try iteratorDestroy(facts) }
        clobberArguments()
        state[0] = try result(facts, target)
        return .next
    }

    private func allowed(_ kfunc: KfuncPrototype) throws(Rejection) -> BTF {
        if let names = context.kfuncs, !names.contains(kfunc.name) {
            throw Rejection(
                .executionContext, "calling kernel function \(kfunc.name) is not allowed",
                reason: "\(context.name) does not offer this kfunc.")
        }
        if let lock = state.lock {
            throw Rejection(
                .resourceLifetime, "function calls are not allowed while holding a lock",
                reason: "\(kfunc.name) is called with the lock of instruction \(lock.insn) held.",
                suggestion: "Call it after bpf_spin_unlock().")
        }
        if kfunc.flags.contains(.sleepable) && !context.isSleepable {
            throw Rejection(
                .executionContext, "program must be sleepable to call sleepable kfunc \(kfunc.name)",
                reason: "The kfunc may wait, and \(context.name) must not.")
        }
        guard let target = context.target, kfunc.function.btf == context.targetID else {
            throw Rejection.unsupported("kfunc \(kfunc.name) of another BTF")
        }
        return target
    }

    // MARK: Parameters

    /// - Returns: how many parameters were checked: two for memory with its size.
    private mutating func checkParameter(
        _ index: Int, _ facts: inout KfuncFacts, _ target: BTF
    ) throws(Rejection) -> Int {
        let parameter = facts.prototype.parameters[index]
        let register = UInt8(index + 1)
        let value = try readable(register)
        if parameter.name.hasSuffix("__ign") { return 1 }
        guard case .pointer = target.resolved(parameter.type) else {
            try checkNumber(value, register, parameter, facts)
            return 1
        }
        if index == 0 && isIteratorCall(facts.kfunc) {
            facts.iterator = try checkIterator(value, register, facts, target)
            return 1
        }
        let isNullable = parameter.name.hasSuffix("__nullable") || parameter.name.hasSuffix("__opt")
        if isNullable && value.isNullConstant {
            mark(value.dependencies)
            return index + 1 < facts.prototype.parameters.count
                && isSize(facts.prototype.parameters[index + 1]) ? 2 : 1
        }
        if index + 1 < facts.prototype.parameters.count, isSize(facts.prototype.parameters[index + 1]) {
            try checkBuffer(value, register, parameter, target)
            return 2
        }
        for suffix in [
            "__str", "__map", "__alloc", "__uninit", "__refcounted_kptr", "__prog", "__irq_flag", "__aux",
        ]
        where parameter.name.hasSuffix(suffix) {
            throw Rejection.unsupported("kfunc \(facts.kfunc.name) (parameter \(parameter.name))")
        }
        try checkPointer(value, register, parameter, isNullable, &facts, target)
        return 1
    }

    private func isSize(_ parameter: BTFParameter) -> Bool {
        parameter.name.hasSuffix("__sz") || parameter.name.hasSuffix("__szk")
    }

    private mutating func checkNumber(
        _ value: Register, _ register: UInt8, _ parameter: BTFParameter, _ facts: KfuncFacts
    ) throws(Rejection) {
        guard value.isScalar else {
            throw mismatch(
                register, facts.kfunc, "R\(register) is not a scalar", "a number ('\(parameter.name)')")
        }
        guard parameter.name.hasSuffix("__k") else { return }
        mark(value.dependencies)
        guard value.scalar.isConstant else {
            throw mismatch(
                register, facts.kfunc, "R\(register) must be a known constant",
                "a constant ('\(parameter.name)')")
        }
    }

    private mutating func checkBuffer(
        _ value: Register, _ register: UInt8, _ parameter: BTFParameter, _ target: BTF
    ) throws(Rejection) {
        let size = try readable(register + 1)
        try checkSized(value, register, size, register + 1, isOut: false, allowsZero: true)
        guard !target.isConstPointee(parameter.type), size.scalar.umax > 0 else { return }
        try checkWritten(value, register, Int(size.scalar.umax))
    }

    /// Memory that a kfunc reads and may change.
    private mutating func checkWritten(_ value: Register, _ register: UInt8, _ byteCount: Int)
        throws(Rejection)
    {
        try checkMemory(value, register, byteCount, isOut: true, isExact: false)
    }

    private mutating func checkPointer(
        _ value: Register, _ register: UInt8, _ parameter: BTFParameter, _ isNullable: Bool,
        _ facts: inout KfuncFacts,
        _ target: BTF
    ) throws(Rejection) {
        guard let pointee = target.pointee(of: parameter.type) else { return }
        if value.isNullConstant || (value.maybeNull && !isNullable) {
            throw Rejection(
                .callType, "Possibly NULL pointer passed to trusted arg\(register - 1)",
                reason: "\(facts.kfunc.name) uses '\(parameter.name)' without testing it.",
                suggestion: "Test the pointer before the call.")
        }
        if case .composite(let composite) = target[pointee] {
            if value.kind == .object {
                return try checkObject(value, register, pointee, composite.name, &facts, target)
            }
            guard target.isPlainData(pointee), let size = target.byteCount(of: pointee) else {
                throw mismatch(
                    register, facts.kfunc,
                    "arg#\(register - 1) expected pointer to struct \(composite.name), got \(typeName(of: value))",
                    "a trusted pointer to struct \(composite.name)")
            }
            return try checkPlain(value, register, size, parameter, target)
        }
        guard let size = target.byteCount(of: pointee), target.isPlainData(pointee) else {
            throw Rejection.unsupported("kfunc \(facts.kfunc.name) (pointer parameter \(parameter.name))")
        }
        try checkPlain(value, register, size, parameter, target)
    }

    private mutating func checkPlain(
        _ value: Register, _ register: UInt8, _ size: Int, _ parameter: BTFParameter, _ target: BTF
    ) throws(Rejection) {
        try checkMemory(value, register, size, isOut: false, isExact: true)
        if !target.isConstPointee(parameter.type) { try checkWritten(value, register, size) }
    }

    private func checkObject(
        _ value: Register, _ register: UInt8, _ wanted: TypeID, _ name: String, _ facts: inout KfuncFacts,
        _ target: BTF
    ) throws(Rejection) {
        guard value.flags.contains(.trusted) else {
            throw mismatch(
                register, facts.kfunc, "R\(register) must be referenced or trusted",
                "a trusted pointer to struct \(name); this one was read from memory")
        }
        guard let offset = value.constantOffset,
            target.embeds(wanted, in: TypeID(Int(value.payload)), at: offset)
        else {
            throw mismatch(
                register, facts.kfunc,
                "arg#\(register - 1) expected pointer to struct \(name), got \(typeName(of: value))",
                "a pointer to struct \(name)")
        }
        guard facts.kfunc.flags.contains(.release), value.reference != 0 else { return }
        guard offset == 0 else {
            throw mismatch(
                register, facts.kfunc, "R\(register) must have zero offset when passed to release func",
                "the object itself")
        }
        facts.released = value.reference
    }

    private func mismatch(
        _ register: UInt8, _ kfunc: KfuncPrototype, _ problem: String, _ expected: String
    ) -> Rejection {
        Rejection(.callType, problem, reason: "Argument \(register) of \(kfunc.name) must be \(expected).")
    }

    // MARK: References and result

    private mutating func release(_ facts: inout KfuncFacts) throws(Rejection) {
        guard facts.released != 0, state.references.contains(where: { $0.id == facts.released }) else {
            throw Rejection(
                .resourceLifetime, "release kernel function \(facts.kfunc.name) expects refcounted pointer",
                reason: "The program holds no reference to what it passes.")
        }
        drop(reference: facts.released)
        note(.released)
    }

    /// The reference is gone, and every pointer that stood for it with it.
    mutating func drop(reference: UInt32) {
        state.references.removeAll { $0.id == reference }
        state.forEachRegister { register in
            if register.reference == reference && register.isPointer { register = .uninitialised }
        }
        for frame in state.frames.indices {
            for slot in state.frames[frame].slots.indices
            where state.frames[frame].slots[slot].hasSpill
                && state.frames[frame].slots[slot].spill.kind == .uninitialised
            {
                state.frames[frame].slots[slot] = StackSlot()
            }
        }
    }

    private mutating func result(_ facts: KfuncFacts, _ target: BTF) throws(Rejection) -> Register {
        let type = facts.prototype.result
        switch target.resolved(type) {
        case .void: return .uninitialised
        case .pointer:
            guard let pointee = target.pointee(of: type), case .composite = target[pointee] else {
                throw Rejection.unsupported("kfunc \(facts.kfunc.name) (it returns a pointer to memory)")
            }
            var register = Register(kind: .object, payload: pointee.index)
            if facts.kfunc.flags.contains(.acquire) {
                register.flags = .trusted
                register.reference = newID()
                state.references.append(Reference(id: register.reference, insn: pc))
                note(.acquired)
            }
            if facts.kfunc.flags.contains(.retNull) {
                register.flags.insert(.maybeNull)
                register.id = register.reference != 0 ? register.reference : newID()
            }
            return register
        default: return .unknown
        }
    }
}

extension BTF {
    /// Whether a pointer type points to something const.
    func isConstPointee(_ pointer: TypeID) -> Bool {
        guard case .pointer(var id) = resolved(pointer) else { return false }
        while true {
            switch self[id] {
            case .const: return true
            case .typedef(_, let of), .volatile(let of), .restrict(let of), .typeTag(_, let of): id = of
            default: return false
            }
        }
    }

    /// Numbers, and structs and arrays of numbers: memory of the program's own will do for it.
    func isPlainData(_ id: TypeID) -> Bool {
        switch resolved(id) {
        case .int, .enumeration: true
        case .array(let array): isPlainData(array.element)
        case .composite(let composite): composite.members.allSatisfy { isPlainData($0.type) }
        default: false
        }
    }
}
