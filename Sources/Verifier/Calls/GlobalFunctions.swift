import BPF

/// What a global function's prototype promises its body and demands of its callers.
///
/// Kernel counterpart: `btf_prepare_func_args`, `struct bpf_subprog_arg_info`.
struct GlobalSignature {
    enum Argument: Equatable {
        case scalar
        case context
        /// Memory of the pointee's size.
        case memory(byteCount: Int, maybeNull: Bool)
        case dynptr
        /// An object of the kernel, of a type of the target BTF.
        case object(TypeID, maybeNull: Bool, isTrusted: Bool)
    }

    var arguments: [Argument] = []
}

/// Global functions: verified once, alone, against their prototype; callers are checked against it too, and learn
/// nothing of what the function does.
extension Explorer {
    mutating func callGlobal(_ subprog: Int) throws(Rejection) -> Flow {
        let name = image.subprogs[subprog].name
        guard state.held.locks.isEmpty else {
            throw Rejection(
                .resourceLifetime,
                "global function calls are not allowed while holding a lock, use static function instead",
                reason: "What a global function does is not known to its caller.",
                suggestion: "Declare \(name) static.")
        }
        let signature = try globalSignature(of: subprog)
        for (index, argument) in signature.arguments.enumerated() {
            try check(argument, UInt8(index + 1), callee: name)
        }
        if summaries.mightSleep(subprog) { try checkMaySleep("global function \(name)") }
        callees[state.frames[state.top].subprog].insert(subprog)
        note(.call)
        if globals[subprog] == nil {
            guard !entries.contains(where: { $0.subprog == subprog && $0.kind == .global }) else {
                throw Rejection(
                    .programStructure, "recursive call of \(name)",
                    reason: "A function cannot be called while it runs: its stack would have no bound.")
            }
            globals[subprog] = try verifyGlobal(subprog, signature)
        }
        let (longer, overflows) = distance.addingReportingOverflow(globals[subprog] ?? 0)
        distance = overflows ? .max : longer
        if summaries.changesPacket(subprog) { forgetPacket() }
        clobberArguments()
        state[0] = .unknown
        return .next
    }

    private mutating func verifyGlobal(
        _ subprog: Int, _ signature: GlobalSignature
    ) throws(Rejection) -> UInt64 {
        var frame = Frame(subprog: subprog, callSite: -1, index: 0)
        for (index, argument) in signature.arguments.enumerated() {
            frame.registers[index + 1] = register(for: argument)
        }
        let entry = Entry(kind: .global, subprog: subprog, isSleepable: self.entry.isSleepable)
        return try explore(entry, from: frame)
    }

    /// An argument as the function's body finds it.
    private mutating func register(for argument: GlobalSignature.Argument) -> Register {
        var register: Register
        switch argument {
        case .scalar: return .unknown
        case .context: return contextRegister
        case .dynptr: return Register(kind: .dynptrHandle, payload: DynptrKind.local.rawValue, id: newID())
        case .memory(let byteCount, let maybeNull):
            register = Register(kind: .memory, payload: byteCount, flags: maybeNull ? .maybeNull : [])
        case .object(let type, let maybeNull, let isTrusted):
            register = Register(
                kind: .object, payload: type.index, flags: isTrusted ? .trusted : .untrusted)
            if maybeNull { register.flags.insert(.maybeNull) }
        }
        if register.maybeNull { register.id = newID() }
        return register
    }

    // MARK: Callers

    private mutating func check(
        _ argument: GlobalSignature.Argument, _ register: UInt8, callee: String
    ) throws(Rejection) {
        let value = try readable(register)
        func mismatch(_ problem: String, _ expected: String) -> Rejection {
            Rejection(
                .callType, problem,
                reason: "Argument \(register) of the global function \(callee) must be \(expected).")
        }
        switch argument {
        case .scalar:
            guard value.isScalar else { throw mismatch("R\(register) is not a scalar", "a number") }
        case .context:
            guard value.kind == .context || value == contextRegister, value.constantOffset == 0 else {
                throw mismatch(
                    "R\(register) expected pointer to ctx, got \(typeName(of: value))",
                    "the program's context")
            }
        case .dynptr: _ = try dynptr(value, register, kind: nil)
        case .memory(let byteCount, let maybeNull):
            if maybeNull && value.isNullConstant { return mark(value.dependencies) }
            var pointer = value
            if maybeNull { pointer.flags.remove(.maybeNull) }
            try checkMemory(pointer, register, byteCount, isOut: false, isExact: true)
            try checkMemory(pointer, register, byteCount, isOut: true, isExact: false)
        case .object(let type, let maybeNull, let isTrusted):
            if maybeNull && value.isNullConstant { return mark(value.dependencies) }
            let name = context.target?.typeName(type) ?? "?"
            guard value.kind == .object, maybeNull || !value.maybeNull, let offset = value.constantOffset,
                !isTrusted || value.flags.contains(.trusted) || value.reference != 0,
                context.target?.embeds(type, in: TypeID(Int(value.payload)), at: offset) ?? false
            else {
                throw mismatch(
                    "R\(register) type=\(typeName(of: value)) expected=\(isTrusted ? "trusted_" : "")ptr_\(name)",
                    "a pointer to struct \(name)")
            }
        }
    }

    // MARK: The prototype

    private func globalSignature(of subprog: Int) throws(Rejection) -> GlobalSignature {
        let name = image.subprogs[subprog].name
        guard let btf = image.btf, let function = image.subprogs[subprog].function,
            let prototype = btf.prototype(behind: function)
        else {
            throw Rejection(
                .callType, "Global function \(name)() has no prototype in BTF",
                reason: "A global function is verified against its prototype.",
                suggestion: "Compile with -g, or declare it static.")
        }
        switch btf.resolved(prototype.result) {
        case .void, .int, .enumeration: break
        default:
            throw Rejection(
                .callType, "Global function \(name)() doesn't return scalar. Only those are supported.",
                reason: "Its callers learn nothing of what it returns, and could not use a pointer.",
                suggestion: "Declare it static.")
        }
        guard prototype.parameters.count <= 5 else {
            throw Rejection(
                .callType,
                "Global function \(name)() with \(prototype.parameters.count) > 5 args. Buggy compiler.",
                reason: "Arguments are passed in R1 to R5.")
        }
        var signature = GlobalSignature()
        for index in prototype.parameters.indices {
            let tags = Set(tags.names(of: function, component: index).filter { $0.hasPrefix("arg:") })
            signature.arguments.append(try argument(index, prototype, tags, btf, name))
        }
        return signature
    }

    private func argument(
        _ index: Int, _ prototype: BTFPrototype, _ tags: Set<String>, _ btf: BTF, _ function: String
    ) throws(Rejection) -> GlobalSignature.Argument {
        let type = prototype.parameters[index].type
        func refusal(_ problem: String, _ reason: String) -> Rejection {
            Rejection(.callType, problem, reason: reason, suggestion: "Declare \(function) static.")
        }
        guard case .pointer = btf.resolved(type), let pointee = btf.pointee(of: type) else {
            guard tags.isEmpty else {
                throw refusal("arg#\(index) type tag is not on a pointer", "Only pointers are tagged.")
            }
            switch btf.resolved(type) {
            case .int, .enumeration: return .scalar
            default:
                throw refusal(
                    "Arg#\(index) type \(btf.name(of: type)) in \(function)() is not supported yet.",
                    "Global functions take numbers and pointers.")
            }
        }
        if tags.contains("arg:ctx") || isContextStruct(pointee, btf) { return .context }
        if tags.contains("arg:arena") { throw Rejection.unsupported("an arena argument of \(function)") }
        if case .composite(let composite) = btf[pointee], composite.name == "bpf_dynptr" { return .dynptr }
        if tags.contains("arg:trusted") || tags.contains("arg:untrusted") {
            guard let name = btf[pointee].name, let found = context.target?.composite(named: name) else {
                throw refusal(
                    "arg#\(index) is tagged, but struct \(btf.name(of: pointee)) is not in the kernel's BTF",
                    "A trusted pointer is one to an object of the kernel.")
            }
            return .object(
                found.id, maybeNull: tags.contains("arg:nullable"), isTrusted: tags.contains("arg:trusted"))
        }
        guard let size = btf.byteCount(of: pointee) else {
            throw refusal(
                "arg#\(index) reference type('\(btf.name(of: pointee))') size cannot be determined",
                "The callers must pass memory of the pointee's size.")
        }
        return .memory(byteCount: size, maybeNull: !tags.contains("arg:nonnull"))
    }

    /// Whether a global function's parameter of this type is the program's context.
    private func isContextStruct(_ type: TypeID, _ btf: BTF) -> Bool {
        btf[type].name.map { $0 == context.contextStruct } ?? false
    }
}
