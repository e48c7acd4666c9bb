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
        /// A referenced object of this type, or NULL.
        case object(TypeID)
    }

    /// One per slot; unused for `.memory` contexts.
    private(set) var arguments: [Argument] = []
    private(set) var result: Result = .scalar

    init(_ context: ProgramContext) throws(Rejection) {
        guard case .slots(let prototypeID, let stubID) = context.arguments else { return }
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
        if case .scalar = context.result { return .scalar }
        if case .void = target.resolved(prototype.result) { return .void }
        if let pointee = target.pointee(of: prototype.result), case .composite = target[pointee] {
            return .object(context.promotions[pointee] ?? pointee)
        }
        return .scalar
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
                state.references.append(Reference(id: UInt32(index + 1), insn: -1))
            }
            lastID = 64
        case .memory(let byteCount):
            guard byteCount >= 0, byteCount <= 1 << 28 else {
                throw Rejection(
                    .memory, "context of \(byteCount) bytes", reason: "A memory context has at most 256 MiB.")
            }
            state[1] = byteCount == 0 ? Register(constant: 0) : Register(kind: .memory, payload: byteCount)
            state[2] = Register(constant: UInt64(byteCount))
        }
    }
}
