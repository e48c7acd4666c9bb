import BPF

/// Suffixes that a parameter's name carries: `__nullable` (may be NULL), `__ref` (the program owns a reference).
///
/// Kernel counterpart: `prepare_arg_info` in kernel/bpf/bpf_struct_ops.c.
struct ArgumentTags {
    static let suffixes = ["__nullable", "__ref"]
    let btf: BTF

    static func isTagged(_ name: String) -> Bool { suffixes.contains { name.hasSuffix($0) } }

    /// A tag on anything but a pointer to a struct is EINVAL.
    func checkTags(of prototype: BTFPrototype) throws(OpsError) {
        for parameter in prototype.parameters where Self.isTagged(parameter.name) {
            guard let target = btf.pointee(of: parameter.type), isStruct(target) else {
                throw refused(
                    OpsError.einval,
                    "parameter '\(parameter.name)' carries a tag but is no pointer to a struct")
            }
        }
    }

    /// - Returns: the FUNC.
    /// - Throws: ENOENT if there is none; EINVAL if it and the member differ in number of arguments or in the type of a
    ///   tagged one.
    func checkStub(_ name: String, against member: BTFPrototype) throws(OpsError) -> TypeID {
        guard let (id, function) = btf.function(named: name),
            case .prototype(let stub) = btf.resolved(function.prototype)
        else { throw refused(OpsError.enoent, "its stub function '\(name)' is not in the BTF") }
        guard stub.parameters.count == member.parameters.count else {
            throw refused(
                OpsError.einval,
                "its stub function '\(name)' has \(stub.parameters.count) arguments, the member has "
                    + "\(member.parameters.count)")
        }
        try checkTags(of: stub)
        for (mine, theirs) in zip(stub.parameters, member.parameters) where Self.isTagged(mine.name) {
            guard btf.pointee(of: mine.type) == btf.pointee(of: theirs.type) else {
                throw refused(
                    OpsError.einval,
                    "argument '\(mine.name)' of its stub function '\(name)' has another type than the member's"
                )
            }
        }
        return id
    }

    /// The prototype that programs of an older or newer kernel see.
    /// - Returns: the FUNC that has it, and the FUNC_PROTO.
    func checkSwap(
        _ swap: KernelProfile.SwappedPrototype, against host: BTFPrototype
    ) throws(OpsError) -> (function: TypeID, prototype: TypeID) {
        guard let (id, function) = btf.function(named: swap.function),
            case .prototype(let prototype) = btf.resolved(function.prototype)
        else { throw refused(OpsError.enoent, "the function '\(swap.function)' is not in the BTF") }
        guard swap.arguments.count == prototype.parameters.count,
            swap.arguments.allSatisfy({ host.parameters.indices.contains($0) })
        else {
            throw refused(
                OpsError.einval, "the arguments of '\(swap.function)' cannot be taken from the member's")
        }
        try checkTags(of: prototype)
        return (id, btf.resolve(function.prototype))
    }

    private func isStruct(_ id: TypeID) -> Bool {
        switch btf[id] {
        case .composite(let composite): !composite.isUnion
        case .forward(_, let isUnion): !isUnion
        default: false
        }
    }

    private func refused(_ errno: CInt, _ reason: String) -> OpsError {
        OpsError("type", errno: errno, "stub function refused", reason: reason)
    }
}
