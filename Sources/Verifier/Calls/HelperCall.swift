import BPF

/// Calls of helpers: each argument against the prototype, then what the call does and what is known of the result.
extension Explorer {
    /// What has been learnt from the arguments so far.
    struct CallFacts {
        var map: Int?
        /// A lookup of an element that is certainly there.
        var isElementPresent = false
        var callback: Int?
        var pendingMemory: (register: UInt8, pointer: Register, isOut: Bool)?
        /// Largest size of the memory passed last.
        var memorySize: UInt64?
        /// Bytes that the result points to.
        var allocationSize: Int?
        /// Reference that the helper takes over.
        var released: UInt32?
        var dynptr: DynptrArgument?
        /// Where a dynptr is made, and of which kind.
        var newDynptr: (place: StackObject, kind: DynptrKind)?
        var kptr: SpecialField.Kptr?
        var timer: Register?
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
        if prototype.traits.contains(.mightSleep) {
            try checkMaySleep("sleepable helper \(prototype.name)#\(id)")
        }
        uses.helpers.insert(id)
        var facts = CallFacts()
        for (index, argument) in prototype.arguments.enumerated() {
            try check(argument, register: UInt8(index + 1), prototype, &facts)
        }
        if let map = facts.map { noteMap(map) }
        if let released = facts.released {
            state.release(released)
            note(.released)
        }
        if let (place, kind) = facts.newDynptr { makeDynptr(at: place, kind: kind) }
        switch prototype.name {
        case "bpf_spin_lock": try lock(lockArgument(state[1], 1, kind: .spin))
        case "bpf_spin_unlock": try unlock(lockArgument(state[1], 1, kind: .spin), prototype.name)
        case "bpf_timer_set_callback": try startTimerCallback(facts)
        case "bpf_tail_call": try checkNothingHeld(at: "tail_call")
        case "bpf_dynptr_write": forgetPacket(behind: facts.dynptr)
        default: break
        }
        if prototype.traits.contains(.changesPacket) { forgetPacket() }
        if HelperPrototype.isLoop(id) { return try turn(prototype, facts) }
        let result = try result(of: prototype, facts)
        clobberArguments()
        state[0] = result
        return .next
    }

    private func allowedHelper(_ id: Int32) throws(Rejection) -> HelperPrototype {
        let name = HelperPrototype.name(of: id)
        guard HelperPrototype.exists(id) else {
            throw Rejection(
                .callType, "invalid func \(name)", reason: "No helper has this number.")
        }
        guard context.helpers.contains(id) || isWeakened(.anyHelper) else {
            throw Rejection(
                .executionContext, "program of this type cannot use helper \(name)#\(id)",
                reason: context.refusedHelpers[id] ?? "\(context.name) does not offer it.")
        }
        if !state.held.locks.isEmpty && !isWeakened(.callUnderLock) && name != "bpf_spin_lock"
            && name != "bpf_spin_unlock"
        {
            throw Rejection(
                .resourceLifetime, "function calls are not allowed while holding a lock",
                reason: "\(name) could take long or need the lock itself.",
                suggestion:
                    "Do the work between bpf_spin_lock() and bpf_spin_unlock() with plain loads and stores.")
        }
        guard let prototype = HelperPrototype.known[id] else { throw Rejection.unsupported("helper \(name)") }
        guard image.isGPLCompatible || !prototype.traits.contains(.isForGPLOnly) else {
            throw Rejection(
                .policy, "cannot call GPL-restricted function from non-GPL compatible program",
                reason: "\(name) may be called by programs whose licence is compatible with the GPL.",
                suggestion: "Add: char _license[] SEC(\"license\") = \"GPL\";")
        }
        return prototype
    }

    private mutating func noteMap(_ map: Int) {
        // Which of the maps in a map of maps it is shows only at run time.
        let map = image.maps.indices.contains(map) ? Int32(map) : -1
        if notes[pc].map == -2 {
            notes[pc].map = map
        } else if notes[pc].map != map {
            notes[pc].map = -1
        }
    }

    // MARK: Result

    private mutating func result(
        of prototype: HelperPrototype, _ facts: CallFacts
    ) throws(Rejection) -> Register {
        var result: Register
        switch prototype.result {
        case .void: return .uninitialised
        case .scalar: return .unknown
        case .length:
            let most = min(facts.memorySize ?? 0, UInt64(Explorer.offsetLimit))
            return Register(Scalar(signed: -4095...Int64(most)))
        case .mapValue: return Register(kind: .mapValue, payload: facts.map ?? 0)
        case .mapValueOrNull:
            result = element(ofMap: facts.map ?? 0)
            if facts.isElementPresent {
                result.flags.remove(.maybeNull)
                // A lock in it is told from those in other elements by the id.
                if specialFields(of: result).lock != nil { result.id = newID() }
            }
        case .viewOrNull(let view):
            result = Register(kind: .view, payload: Int(view.rawValue), flags: .maybeNull)
        case .memoryOrNull(let isRecord):
            result = Register(kind: .memory, payload: facts.allocationSize ?? 0, flags: .maybeNull)
            if isRecord { result.flags.insert(.record) }
            if let dynptr = facts.dynptr { result.belong(to: dynptr.description) }
        case .objectOrNull(let name):
            result = try object(named: name)
            result.flags.insert(.maybeNull)
        case .object(let name): result = try object(named: name)
        case .kptr: result = takenKptr(facts)
        case .percpuCopy(let maybeNull):
            result = percpuCopy(of: state[1])
            if maybeNull { result.flags.insert(.maybeNull) }
        }
        if prototype.traits.contains(.acquires) || result.isReferencedSocket(of: prototype) {
            result.reference = acquire()
        }
        if prototype.traits.contains(.casts) {
            result.reference = state[1].reference
            result.id = newID()
            return result
        }
        // A NULL result of an acquisition leaves nothing to release: the id says which it is.
        if result.maybeNull {
            result.id = result.reference != 0 && result.owner == 0 ? result.reference : newID()
        }
        return result
    }

    /// What a lookup in a map yields, before it is tested.
    private mutating func element(ofMap map: Int) -> Register {
        if let inner = innerMap[map] {
            uses.mapsOfMaps.insert(map)
            return Register(kind: .mapHandle, payload: inner, flags: .maybeNull)
        }
        switch maps[map].type {
        case .sockmap, .sockhash:
            return Register(kind: .view, payload: Int(StructViews.ID.sock.rawValue), flags: .maybeNull)
        case .xskmap:
            return Register(kind: .view, payload: Int(StructViews.ID.xdpSock.rawValue), flags: .maybeNull)
        default: return Register(kind: .mapValue, payload: map, flags: .maybeNull)
        }
    }

    private func object(named name: String) throws(Rejection) -> Register {
        guard let type = context.target?.composite(named: name)?.id else {
            throw Rejection.unsupported(
                "a helper that returns a struct \(name), which this BTF does not have,")
        }
        return Register(kind: .object, payload: type.index, flags: .trusted)
    }
}

extension Register {
    /// A socket looked up in a map of sockets is held until it is released.
    fileprivate func isReferencedSocket(of lookup: HelperPrototype) -> Bool {
        lookup.result == .mapValueOrNull && kind == .view && payload == StructViews.ID.sock.rawValue
    }
}

extension MapType {
    var holdsSockets: Bool { self == .sockmap || self == .sockhash }
}
