import BPF

/// Pointers to objects that are kept in map values: `__kptr`, `__kptr_untrusted`, `__percpu_kptr`.
extension Explorer {
    // MARK: Plain loads and stores

    /// A load or store that touches a kptr.
    ///
    /// Kernel counterpart: `check_map_access` and `check_map_kptr_access`.
    func checkKptr(_ field: SpecialField, _ access: Access) throws(Rejection) {
        func refusal(_ problem: String) -> Rejection {
            Rejection(
                .memory, problem,
                reason: "A pointer kept in a map is loaded and stored whole, at its own constant offset.")
        }
        guard access.pointer.scalar.isConstant else {
            throw refusal("kptr access cannot have variable offset")
        }
        let offset = extent(access).low
        guard offset == field.offset else {
            throw refusal("kptr access misaligned expected=\(field.offset) off=\(offset)")
        }
        guard access.byteCount == 8 else { throw refusal("kptr access size must be BPF_DW") }
    }

    /// What a load of the field yields: valid until the RCU section ends if the object is freed after a grace period,
    /// else just an address.
    mutating func loadedKptr(_ kptr: SpecialField.Kptr) -> Register {
        var register = Register(
            kind: kptr.isAllocated ? .allocated : .object, payload: kptr.type.index, flags: .maybeNull,
            id: newID())
        if isInRCUSection && isFreedAfterGracePeriod(kptr) {
            register.flags.insert(.rcu)
            if kptr.ownership == .percpu { register.flags.insert(.percpu) }
        } else {
            register.flags.insert(.untrusted)
        }
        return register
    }

    private func isFreedAfterGracePeriod(_ kptr: SpecialField.Kptr) -> Bool {
        switch kptr.ownership {
        case .untrusted: false
        case .percpu: true
        case .referenced:
            kptr.isAllocated
                || Explorer.typesFreedAfterGracePeriod.contains(context.target?.typeName(kptr.type) ?? "")
        }
    }

    /// Kernel counterpart: the BTF set `rcu_protected_types`.
    private static let typesFreedAfterGracePeriod: Set<String> = [
        "prog_test_ref_kfunc", "cgroup", "bpf_cpumask", "task_struct", "bpf_crypto_ctx",
    ]

    mutating func checkStored(_ value: Register, in kptr: SpecialField.Kptr, at offset: Int) throws(Rejection)
    {
        guard kptr.ownership == .untrusted else {
            throw Rejection(
                .memory, "store to referenced kptr disallowed",
                reason: "What the field held would be lost without being released.",
                suggestion: "Use bpf_kptr_xchg().")
        }
        if value.isNullConstant { return mark(value.dependencies) }
        guard isOfType(value, kptr), !value.flags.contains(.percpu) else {
            throw Rejection(
                .registerType, "invalid kptr access, R type=\(typeName(of: value))",
                reason: "The field at offset \(offset) takes pointers to struct \(typeName(of: kptr)) only.")
        }
    }

    private func isOfType(_ value: Register, _ kptr: SpecialField.Kptr) -> Bool {
        guard let offset = value.constantOffset else { return false }
        if kptr.isAllocated {
            return value.kind == .allocated && offset == 0 && value.payload == Int32(kptr.type.index)
        }
        guard value.kind == .object, let target = context.target else { return false }
        return target.embeds(kptr.type, in: TypeID(Int(value.payload)), at: offset)
    }

    private func typeName(of kptr: SpecialField.Kptr) -> String {
        (kptr.isAllocated ? image.btf : context.target)?.typeName(kptr.type) ?? "?"
    }

    // MARK: bpf_kptr_xchg

    mutating func kptrField(_ value: Register, _ register: UInt8) throws(Rejection) -> SpecialField.Kptr {
        let field = try fieldArgument(value, register, "kptr") {
            if case .kptr = $0 { true } else { false }
        }
        guard case .kptr(let kptr) = field.kind, kptr.ownership != .untrusted else {
            throw Rejection(
                .callType, "off=\(field.offset) kptr isn't referenced kptr",
                reason: "The field is declared __kptr_untrusted: it owns nothing.")
        }
        return kptr
    }

    /// - Returns: the reference that goes into the map; nil for NULL.
    mutating func kptrValue(
        _ value: Register, _ register: UInt8, _ kptr: SpecialField.Kptr?
    ) throws(Rejection) -> UInt32? {
        if value.isNullConstant {
            mark(value.dependencies)
            return nil
        }
        guard let kptr, !value.maybeNull, isOfType(value, kptr),
            value.flags.contains(.percpu) == (kptr.ownership == .percpu)
        else {
            let expected = kptr.map { typeName(of: $0) } ?? "?"
            throw Rejection(
                .callType,
                "invalid kptr access, R\(register) type=\(typeName(of: value)) expected=ptr_\(expected)",
                reason: "bpf_kptr_xchg takes a referenced struct \(expected), or NULL.")
        }
        return try checkReleasable(value, register, "bpf_kptr_xchg")
    }

    /// What bpf_kptr_xchg gives back: owned, or NULL.
    mutating func takenKptr(_ facts: CallFacts) -> Register {
        guard let kptr = facts.kptr else { return .unknown }
        var register = Register(
            kind: kptr.isAllocated ? .allocated : .object, payload: kptr.type.index, flags: .maybeNull)
        if !kptr.isAllocated { register.flags.insert(.trusted) }
        if kptr.ownership == .percpu { register.flags.insert(.percpu) }
        register.reference = acquire()
        return register
    }
}
