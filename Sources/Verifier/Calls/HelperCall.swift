import BPF

/// Calls of helpers: each argument against the prototype, then what is known of the result.
extension Explorer {
    /// What has been learnt from the arguments so far.
    struct CallFacts {
        var map: Int?
        var callback: Int?
        var pendingMemory: (register: UInt8, pointer: Register, isOut: Bool)?
    }

    mutating func stepCall(_ insn: Instruction) throws(Rejection) -> Flow {
        switch insn.src {
        case PseudoCall.subprog: return try callSubprog(insn)
        case PseudoCall.kfunc: return try callKfunc(insn)
        default: return try callHelper(insn.imm)
        }
    }

    private mutating func callHelper(_ id: Int32) throws(Rejection) -> Flow {
        let prototype = try allowedHelper(id)
        if state.lock != nil && id != 94 {
            throw Rejection(
                .resourceLifetime, "function calls are not allowed while holding a lock",
                reason: "\(prototype.name) could take long or need the lock itself.",
                suggestion:
                    "Do the work between bpf_spin_lock() and bpf_spin_unlock() with plain loads and stores.")
        }
        var facts = CallFacts()
        for (index, argument) in prototype.arguments.enumerated() {
            try check(argument, register: UInt8(index + 1), prototype, &facts)
        }
        if let map = facts.map { noteMap(map) }
        switch prototype.name {
        case "bpf_spin_lock": try lock()
        case "bpf_spin_unlock": try unlock()
        case "bpf_loop", "bpf_for_each_map_elem": return try turn(prototype, facts)
        default: break
        }
        clobberArguments()
        state[0] = result(of: prototype, facts)
        return .next
    }

    private func allowedHelper(_ id: Int32) throws(Rejection) -> HelperPrototype {
        guard HelperPrototype.exists(id) else {
            throw Rejection(
                .callType, "invalid func \(HelperPrototype.name(of: id))",
                reason: "No helper has this number.")
        }
        guard context.helpers.contains(id) else {
            throw Rejection(
                .executionContext,
                "program of this type cannot use helper \(HelperPrototype.name(of: id))#\(id)",
                reason: context.refusedHelpers[id] ?? "\(context.name) does not offer it.")
        }
        guard let prototype = HelperPrototype.known[id] else {
            throw Rejection.unsupported("helper \(HelperPrototype.name(of: id))")
        }
        return prototype
    }

    private mutating func noteMap(_ map: Int) {
        if notes[pc].map == -2 {
            notes[pc].map = Int32(map)
        } else if notes[pc].map != Int32(map) {
            notes[pc].map = -1
        }
    }

    // MARK: Arguments

    private mutating func check(
        _ argument: HelperPrototype.Argument, register: UInt8, _ prototype: HelperPrototype,
        _ facts: inout CallFacts
    ) throws(Rejection) {
        if argument == .optional { return }
        let value = try readable(register)
        func mismatch(_ expected: String) -> Rejection {
            Rejection(
                .callType, "R\(register) type=\(typeName(of: value)) expected=\(expected)",
                reason: "Argument \(register) of \(prototype.name) must be \(expected).")
        }
        switch argument {
        case .anything, .optional: break
        case .scalar:
            guard value.isScalar else { throw mismatch("scalar") }
        case .map:
            guard value.kind == .mapHandle else { throw mismatch("map_ptr") }
            try checkMap(Int(value.payload), prototype)
            facts.map = Int(value.payload)
        case .mapKey, .mapValue, .mapValueOrNull, .mapValueOut:
            guard let map = facts.map else { throw mismatch("map_ptr") }
            if argument == .mapValueOrNull && value.isNullConstant { return mark(value.dependencies) }
            let description = image.maps[map]
            let size = argument == .mapKey ? description.keySize : description.valueSize
            try checkMemory(value, register, size, isOut: argument == .mapValueOut, isExact: true)
        case .memory, .memoryOrNull, .memoryOut:
            facts.pendingMemory = (register, value, argument == .memoryOut)
            if argument != .memoryOrNull && value.isScalar && !value.isNullConstant { throw mismatch("mem") }
        case .fixedOut(let size): try checkMemory(value, register, size, isOut: true, isExact: true)
        case .size, .sizeOrZero:
            guard let memory = facts.pendingMemory else { return }
            try checkSized(
                memory.pointer, memory.register, value, register, isOut: memory.isOut,
                allowsZero: argument == .sizeOrZero)
        case .constantString: try checkString(value, register, mismatch("const string in a read-only map"))
        case .object(let names):
            guard let target = context.target, value.kind == .object, value.isNonNullPointer,
                let offset = value.constantOffset
            else { throw mismatch("trusted pointer to struct \(names[0])") }
            let type = TypeID(Int(value.payload))
            let matches = names.contains { name in
                target.composite(named: name).map { target.embeds($0.id, in: type, at: offset) } ?? false
            }
            guard matches else { throw mismatch("trusted pointer to struct \(names[0])") }
        case .spinLock:
            guard value.kind == .mapValue, !value.maybeNull, let offset = value.constantOffset,
                spinLockOffset(ofMap: Int(value.payload)) == offset
            else { throw mismatch("pointer to the bpf_spin_lock of a map value") }
        case .callback:
            guard value.kind == .function else { throw mismatch("func") }
            facts.callback = Int(value.payload)
        case .callbackContext:
            guard value.kind == .stack || value.isNullConstant else { throw mismatch("fp") }
        }
    }

    func typeName(of value: Register) -> String {
        let suffix = value.maybeNull ? "_or_null" : ""
        guard value.kind == .object, let target = context.target else { return value.kind.name + suffix }
        let trust = value.flags.contains(.trusted) ? "trusted_" : "untrusted_"
        return "\(trust)ptr\(suffix) to struct \(target.typeName(TypeID(Int(value.payload))))"
    }

    private func checkMap(_ index: Int, _ prototype: HelperPrototype) throws(Rejection) {
        let map = image.maps[index]
        if let allowed = prototype.maps, !allowed.contains(map.type) {
            let isKnownKind = HelperPrototype.known.values.contains { $0.maps?.contains(map.type) ?? false }
            if !isKnownKind { throw Rejection.unsupported("map type \(map.type.name) (map '\(map.name)')") }
            throw Rejection(
                .callType, "cannot pass map_type \(map.type.rawValue) into func \(prototype.name)",
                reason: "Map '\(map.name)' is of type \(map.type.name), for which this helper is not made.")
        }
        let writes = prototype.name == "bpf_map_update_elem" || prototype.name == "bpf_map_delete_elem"
        if writes && map.isReadOnly {
            throw Rejection(
                .memory, "write into map forbidden", reason: "Map '\(map.name)' is read-only for programs.")
        }
    }

    private mutating func checkString(_ value: Register, _ register: UInt8, _ mismatch: Rejection)
        throws(Rejection)
    {
        guard value.kind == .mapValue, !value.maybeNull, let offset = value.constantOffset else {
            throw mismatch
        }
        let map = image.maps[Int(value.payload)]
        guard map.isReadOnly, let bytes = map.constants, offset >= 0, offset < bytes.count else {
            throw mismatch
        }
        guard bytes[offset...].contains(0) else {
            throw Rejection(
                .callType, "R\(register) string is not zero-terminated",
                reason: "The string runs to the end of map '\(map.name)'.")
        }
    }

    // MARK: Result

    private mutating func result(of prototype: HelperPrototype, _ facts: CallFacts) -> Register {
        switch prototype.result {
        case .void: return .uninitialised
        case .scalar: return .unknown
        case .status(let most): return Register(Scalar(signed: -4095...most))
        case .mapValueOrNull:
            return Register(kind: .mapValue, payload: facts.map ?? 0, flags: .maybeNull, id: newID())
        case .objectOrNull(let name):
            guard let type = context.target?.composite(named: name)?.id else { return .unknown }
            return Register(kind: .object, payload: type.index, flags: [.trusted, .maybeNull], id: newID())
        }
    }

    // MARK: Callbacks

    /// A helper that calls a function of the program any number of times, each time drawing on fuel.
    ///
    /// Verified like a loop whose head is the call: either it is over, or the callback runs once and the call is
    /// looked at again. Turns end when a state comes back that is covered.
    private mutating func turn(_ prototype: HelperPrototype, _ facts: CallFacts) throws(Rejection) -> Flow {
        guard let callback = facts.callback else { return .next }
        var arguments: [Register]
        if let map = facts.map {
            arguments = [
                state[1], Register(kind: .mapKey, payload: map),
                Register(kind: .mapValue, payload: map, id: newID()), state[3],
            ]
        } else {
            var index = Register.unknown
            let most = state[1].scalar.truncated(toBytes: 4).umax
            index.scalar = Scalar(unsigned: 0...(most == 0 ? 0 : most - 1))
            index.dependencies = state[1].dependencies
            arguments = [index, state[3]]
        }
        let after = state
        try enter(subprog: callback, isCallback: true, arguments: arguments)
        state.draws = state.draws == .max ? .max : state.draws + 1
        putAside(state, at: flow.ranges[callback].lowerBound)
        state = after
        clobberArguments()
        state[0] = .unknown
        return .next
    }

    // MARK: Spin locks

    private mutating func lock() throws(Rejection) {
        let value = state[1]
        if let held = state.lock {
            throw Rejection(
                .resourceLifetime, "Locking two bpf_spin_locks are not allowed",
                reason: "One is held since instruction \(held.insn).")
        }
        state.lock = HeldLock(map: value.payload, id: value.id, insn: Int(pc))
        note(.locked)
    }

    private mutating func unlock() throws(Rejection) {
        let value = state[1]
        guard let held = state.lock else {
            throw Rejection(
                .resourceLifetime, "bpf_spin_unlock without taking a lock",
                reason: "No lock is held on this path.")
        }
        guard held.map == value.payload, held.id == value.id else {
            throw Rejection(
                .resourceLifetime, "bpf_spin_unlock of different lock",
                reason: "The lock held is that of another map value.")
        }
        state.lock = nil
        note(.unlocked)
    }

    /// Where the lock lies in the values of a map; nil if it has none.
    func spinLockOffset(ofMap index: Int) -> Int? {
        guard let btf = image.btf, let type = image.maps[index].valueType,
            case .composite(let composite) = btf.resolved(type)
        else { return nil }
        for member in composite.members where member.bitFieldSize == 0 {
            if case .composite(let inner) = btf.resolved(member.type), inner.name == "bpf_spin_lock" {
                return member.bitOffset / 8
            }
        }
        return nil
    }
}
