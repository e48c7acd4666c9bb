package import BPF
package import Verifier

/// What a struct_ops program is loaded for. Kernel counterpart: `attach_btf_id` and, in `expected_attach_type`, the
/// member's index.
package struct ProgramAttachment: Equatable, Sendable {
    /// nil: no struct_ops variable names the program.
    package var type: BTFRef?
    package var memberIndex: Int

    package init(type: BTFRef?, memberIndex: Int) {
        self.type = type
        self.memberIndex = memberIndex
    }
}

extension RegisteredType {
    /// The checks of a program load that concern its type and member, in the order and with the errno and words of the
    /// kernel's `check_struct_ops_btf_id`.
    ///
    /// - Parameters:
    ///   - type: nil if the attachment's type is not a registered one.
    ///   - helpers: ids of those that every program may call.
    package static func context(
        for attachment: ProgramAttachment, type: RegisteredType?, program: ProgramImage, isSleepable: Bool,
        helpers: Set<Int32>
    ) throws(OpsError) -> ProgramContext {
        guard program.isGPLCompatible else {
            throw refused(
                OpsError.einval, "struct ops programs must have a GPL compatible license", program,
                suggestion: "add: char _license[] SEC(\"license\") = \"GPL\";")
        }
        guard let ref = attachment.type else {
            throw refused(
                OpsError.enotsupp, "no struct_ops variable names the program, so it has no type", program,
                suggestion: "name it in the initialiser of a struct in SEC(\".struct_ops\")")
        }
        guard let type, type.ref == ref else {
            throw refused(
                OpsError.enotsupp, "attach_btf_id \(ref.id.rawValue) is not a supported struct", program)
        }
        guard type.members.indices.contains(attachment.memberIndex) else {
            throw refused(
                OpsError.einval,
                "attach to invalid member idx \(attachment.memberIndex) of struct \(type.name)", program)
        }
        let member = type.members[attachment.memberIndex]
        guard case .function(let function) = member.kind else {
            throw refused(
                OpsError.einval,
                "attach to invalid member \(member.name)(@idx \(member.index)) of struct \(type.name)",
                program, member: member.name)
        }
        guard let function else {
            throw refused(
                OpsError.enotsupp, "attach to unsupported member \(member.name) of struct \(type.name)",
                program, member: member.name)
        }
        guard !isSleepable || function.rules.allowsSleepable else {
            throw refused(
                OpsError.einval, "attach to unsupported member \(member.name) of struct \(type.name)",
                program,
                member: member.name, reason: "the program is sleepable and this member never may sleep",
                suggestion: "use SEC(\"struct_ops/\(program.name)\") without \".s\"")
        }
        try type.checkOwnedArguments(of: function, member, program)
        return type.context(of: function, named: member.name, isSleepable: isSleepable, helpers: helpers)
    }

    /// A program that owns a reference on entry could lose it in a tail call.
    private func checkOwnedArguments(
        of function: FunctionMember, _ member: RegisteredMember, _ program: ProgramImage
    ) throws(OpsError) {
        let tailCall: Int32 = 12
        let callsTail = program.insns.contains {
            $0.isCall && $0.src == PseudoCall.helper && $0.imm == tailCall
        }
        guard callsTail, hasOwnedArgument(function) else { return }
        throw RegisteredType.refused(
            OpsError.einval, "program with __ref argument cannot tail call", program, member: member.name)
    }

    private func hasOwnedArgument(_ function: FunctionMember) -> Bool {
        var names: [String] = []
        if case .prototype(let prototype) = btf.types[function.prototype] {
            names += prototype.parameters.map(\.name)
        }
        if let stub = function.stub, case .function(let stubFunction) = btf.types[stub],
            case .prototype(let prototype) = btf.types.resolved(stubFunction.prototype)
        {
            names += prototype.parameters.map(\.name)
        }
        return names.contains { $0.hasSuffix("__ref") }
    }

    private func context(
        of function: FunctionMember, named member: String, isSleepable: Bool, helpers: Set<Int32>
    ) -> ProgramContext {
        let refused = function.rules.refusedHelpers
        let allowed = helpers.union(descriptor.helpers).union(function.rules.helpers).subtracting(
            refused.keys)
        var context = ProgramContext(
            name: "\(name).\(member)", arguments: .slots(prototype: function.prototype, stub: function.stub),
            target: btf.types, targetID: btf.id, helpers: allowed, refusedHelpers: refused,
            kfuncs: function.rules.kfuncs, writable: writable, promotions: promotions,
            isSleepable: isSleepable)
        context.refusedKfuncs = ProgramContext.kfuncsRefusedToStructOps
        return context
    }

    private static func refused(
        _ errno: CInt, _ text: String, _ program: ProgramImage, member: String? = nil, reason: String? = nil,
        suggestion: String? = nil
    ) -> OpsError {
        OpsError(
            "attach", errno: errno, text, at: OpsError.Location(member: member, program: program.name),
            reason: reason, suggestion: suggestion)
    }
}
