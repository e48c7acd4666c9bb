import BPF

/// The program's arguments and result, as its context gives them.
struct Signature {
    enum Argument: Equatable {
        /// A number, or a pointer that is none of our business (to a non-struct).
        case scalar
        case object(type: TypeID, flags: Register.Flags, isReference: Bool)
    }
    enum Result: Equatable {
        case void
        case scalar
        case range(ClosedRange<Int64>)
        /// A referenced object of this type, or NULL.
        case object(TypeID)
    }

    /// One per slot; unused for `.memory` contexts.
    private(set) var arguments: [Argument] = []
    private(set) var result: Result = .scalar

    /// What R1 points to, unless `arguments` says it.
    private(set) var view: StructView?

    init(_ context: ProgramContext) throws(Rejection) {
        if case .range(let range) = context.result { result = .range(range) }
        switch context.arguments {
        case .slots(let prototype, let stub): try readSlots(prototype, stub, context)
        case .hook(let hook): try readHook(hook, context)
        case .view(let view): self.view = view
        case .memory, .unknown: break
        }
    }

    private mutating func readSlots(
        _ prototypeID: TypeID, _ stubID: TypeID?, _ context: ProgramContext
    ) throws(Rejection) {
        guard let target = context.target, let prototype = target.prototype(behind: prototypeID) else {
            throw Rejection(
                .callType, "\(context.name) has no function prototype",
                reason: "The subsystem's BTF does not say what this op takes.")
        }
        let names = stubID.flatMap { target.prototype(behind: $0) }?.parameters.map(\.name) ?? []
        for (index, parameter) in prototype.parameters.enumerated() {
            let name = index < names.count ? names[index] : parameter.name
            arguments.append(Signature.argument(parameter.type, named: name, context, target))
        }
        result = Signature.result(prototype, context, target)
    }

    private mutating func readHook(_ hook: Hook, _ context: ProgramContext) throws(Rejection) {
        guard let target = context.target, let prototype = target.prototype(behind: hook.prototype) else {
            throw Rejection(
                .callType, "\(context.name) has no function prototype",
                reason: "The BTF to judge against does not say what this function takes.")
        }
        for (index, parameter) in prototype.parameters.dropFirst(hook.hiddenParameters).enumerated() {
            let argument = Signature.argument(parameter.type, named: parameter.name, context, target)
            arguments.append(argument.seen(by: hook, at: index))
        }
        if hook.showsResult {
            let result = Signature.argument(prototype.result, named: "", context, target)
            arguments.append(result.seen(by: hook, at: -1))
        }
    }

    private static func argument(
        _ type: TypeID, named name: String, _ context: ProgramContext, _ target: BTF
    ) -> Argument {
        guard let pointee = target.pointee(of: type), case .composite = target[pointee] else {
            return .scalar
        }
        var flags: Register.Flags = .trusted
        if name.hasSuffix("__nullable") { flags.insert(.maybeNull) }
        return .object(
            type: context.promotions[pointee] ?? pointee, flags: flags, isReference: name.hasSuffix("__ref"))
    }

    private static func result(_ prototype: BTFPrototype, _ context: ProgramContext, _ target: BTF) -> Result
    {
        switch context.result {
        case .scalar: return .scalar
        case .range(let range): return .range(range)
        case .fromPrototype: break
        }
        if case .void = target.resolved(prototype.result) { return .void }
        if let pointee = target.pointee(of: prototype.result), case .composite = target[pointee] {
            return .object(context.promotions[pointee] ?? pointee)
        }
        return .scalar
    }
}

extension Signature.Argument {
    /// As the hook hands it over.
    fileprivate func seen(by hook: Hook, at index: Int) -> Signature.Argument {
        guard case .object(let type, var flags, let isReference) = self else { return self }
        if !hook.isTrusted { flags.remove(.trusted) }
        if hook.nullable.contains(index) { flags.insert(.maybeNull) }
        return .object(type: type, flags: flags, isReference: isReference)
    }
}

extension BTF {
    /// The FUNC_PROTO of a FUNC, of a pointer to one, or of itself.
    func prototype(behind id: TypeID) -> BTFPrototype? {
        switch resolved(id) {
        case .prototype(let prototype): return prototype
        case .function(let function):
            if case .prototype(let prototype) = resolved(function.prototype) { return prototype }
            return nil
        case .pointer(let target):
            if case .prototype(let prototype) = resolved(target) { return prototype }
            return nil
        default: return nil
        }
    }
}

extension Explorer {
    /// Registers as the context hands them to the program.
    mutating func enterMain() throws(Rejection) {
        switch context.arguments {
        case .slots:
            guard image.isGPLCompatible else {
                throw Rejection(
                    .policy, "struct ops programs must have a GPL compatible license",
                    reason:
                        "The object's license section is missing or names a licence that is not GPL compatible.",
                    suggestion: "Add: char _license[] SEC(\"license\") = \"GPL\";")
            }
            state[1] = Register(kind: .context)
            for (index, argument) in signature.arguments.enumerated() {
                // The reference of slot i is number i + 1, wherever and whenever the slot is read.
                guard case .object(_, _, true) = argument else { continue }
                state.held.references.append(Reference(id: UInt32(index + 1), insn: -1))
            }
            lastID = 64
        case .memory(let byteCount):
            guard byteCount >= 0, byteCount <= 1 << 28 else {
                throw Rejection(
                    .memory, "context of \(byteCount) bytes", reason: "A memory context has at most 256 MiB.")
            }
            state[1] = byteCount == 0 ? Register(constant: 0) : Register(kind: .memory, payload: byteCount)
            state[2] = Register(constant: UInt64(byteCount))
        case .hook, .view, .unknown: state[1] = Register(kind: .context)
        }
    }
}
