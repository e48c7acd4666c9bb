import BPF

/// Objects of the program's own types: bpf_obj_new, bpf_obj_drop, bpf_refcount_acquire.
extension Explorer {
    /// Bytes of a per-CPU object at most. Kernel counterpart: `BPF_GLOBAL_PERCPU_MA_MAX_SIZE`.
    private static let percpuBytesMax = 512

    mutating func newObject(_ facts: KfuncFacts, isPercpu: Bool) throws(Rejection) -> Register {
        let name = facts.kfunc.name
        guard let btf = image.btf, let number = facts.constant, number < UInt64(btf.count),
            case .composite(let composite) = btf[btf.resolve(TypeID(Int(number)))], !composite.isUnion
        else {
            throw Rejection(
                .callType, "\(name) type ID argument must be of a struct in program BTF",
                reason: "The argument names the type to allocate.",
                suggestion: "Use bpf_obj_new(typeof(struct x)).")
        }
        let type = btf.resolve(TypeID(Int(number)))
        if isPercpu {
            guard composite.byteCount <= Explorer.percpuBytesMax else {
                throw Rejection(
                    .callType,
                    "\(name) type size (\(composite.byteCount)) is greater than \(Explorer.percpuBytesMax)",
                    reason: "Per-CPU objects are small.")
            }
            guard btf.isPlainData(type) else {
                throw Rejection(
                    .callType, "\(name) type ID argument must be of a struct of scalars",
                    reason: "A per-CPU object holds numbers only.")
            }
        }
        var object = Register(kind: .allocated, payload: type.index)
        if isPercpu { object.flags.insert(.percpu) }
        object.reference = acquire()
        return settled(object, facts)
    }

    /// `__alloc` and `__refcounted_kptr`.
    mutating func checkAllocatedArgument(
        _ value: Register, _ register: UInt8, _ expected: KfuncParameter, _ facts: inout KfuncFacts
    ) throws(Rejection) {
        let name = facts.kfunc.name
        guard value.kind == .allocated, value.flags.contains(.percpu) == name.contains("percpu") else {
            throw mismatch(
                register, facts, "arg#\(register - 1) expected for \(name)()",
                "an object that the program has allocated")
        }
        guard value.constantOffset == 0 else {
            throw mismatch(
                register, facts,
                "R\(register) must have zero offset when passed to release func or trusted arg to kfunc",
                "the object itself")
        }
        if expected == .counted {
            try checkCounted(value, register, facts)
        } else {
            guard value.reference != 0 else {
                throw mismatch(
                    register, facts, "allocated object must be referenced", "one that the program owns")
            }
            facts.released = value.reference
        }
        facts.allocated = value
    }

    private mutating func checkCounted(
        _ value: Register, _ register: UInt8, _ facts: KfuncFacts
    ) throws(Rejection) {
        let isShared = !value.flags.isDisjoint(with: [.nonOwning, .rcu])
        guard value.reference != 0 || isShared, !value.flags.contains(.untrusted) else {
            throw mismatch(
                register, facts, "arg#\(register - 1) is neither owning or non-owning ref", "a valid object")
        }
        let fields = specialFields(ofAllocated: TypeID(Int(value.payload)))
        guard fields.fields.contains(where: { $0.kind == .refcount }) else {
            throw mismatch(
                register, facts, "arg#\(register - 1) doesn't point to a type with bpf_refcount field",
                "an object with a struct bpf_refcount")
        }
    }

    /// One more reference to an object. It cannot fail if the program owns one already.
    mutating func acquiredCount(_ facts: KfuncFacts) -> Register {
        guard let original = facts.allocated else { return .unknown }
        var object = Register(kind: .allocated, payload: Int(original.payload))
        object.reference = acquire()
        return original.reference != 0 ? object : settled(object, facts)
    }
}
