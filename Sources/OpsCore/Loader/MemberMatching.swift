import BPF

/// Matching of one member of an object's struct with the kernel's member of the same name.
///
/// Order and offsets may differ freely. Prototypes are not compared: the verifier judges the program against the
/// kernel's.
struct MemberMatching {
    let variable: StructOpsSpec
    let kernel: KernelTypes
    let local: BTFMember
    let btf: BTF
    let linker: Linker
    /// Set by `run` if the member is a function pointer that a program fills.
    private(set) var program: (function: Int, member: MemberReference)?

    init(variable: StructOpsSpec, kernel: KernelTypes, local: BTFMember, btf: BTF, linker: Linker) {
        self.variable = variable
        self.kernel = kernel
        self.local = local
        self.btf = btf
        self.linker = linker
    }

    /// Fills this member's part of `data`, which has the kernel's layout.
    mutating func run(_ data: inout [UInt8]) throws(OpsError) -> MemberMatch {
        guard local.bitFieldSize == 0, local.bitOffset % 8 == 0 else {
            throw refusal("bit-field member", reason: "values of bit fields are not copied")
        }
        let bytes = try localBytes()
        guard let index = kernel.type.members.firstIndex(where: { $0.name == local.name }) else {
            return try skip(bytes)
        }
        let member = kernel.type.members[index]
        guard member.bitFieldSize == 0, member.bitOffset % 8 == 0 else {
            throw refusal("the kernel's member is a bit field", reason: "values of bit fields are not copied")
        }
        let (kind, kernelKind) = (btf.kindName(of: local.type), target.kindName(of: member.type))
        guard kind == kernelKind else {
            throw refusal(
                "Unmatched member type \(local.name) \(kind) != \(kernelKind)(kernel)",
                reason:
                    "it is '\(btf.name(of: local.type))' in the object and '\(target.name(of: member.type))' here",
                suggestion: "take the struct from this kernel's BTF: opsctl btf dump format c")
        }
        if case .pointer = btf.resolved(local.type) { return try setPointer(member, index, bytes) }
        return try copy(member, bytes, to: &data)
    }

    private var target: BTF { linker.options.target }
    private var localOffset: Int { local.bitOffset / 8 }

    private func localBytes() throws(OpsError) -> ArraySlice<UInt8> {
        let count = btf.byteCount(of: local.type) ?? 0
        guard localOffset >= 0, count >= 0, count <= variable.bytes.count,
            localOffset <= variable.bytes.count - count
        else {
            throw refusal("lies outside the struct", errno: OpsError.einval)
        }
        return variable.bytes[localOffset..<localOffset + count]
    }

    private func row(_ action: MemberMatch.Action, _ byteCount: Int, _ kernelMember: BTFMember?)
        -> MemberMatch
    {
        MemberMatch(
            name: local.name, kind: btf.kindName(of: local.type), localOffset: localOffset,
            byteCount: byteCount,
            kernelOffset: kernelMember.map { $0.bitOffset / 8 }, action: action)
    }

    /// The kernel has no such member: fine as long as the object does not use it.
    private func skip(_ bytes: ArraySlice<UInt8>) throws(OpsError) -> MemberMatch {
        let function = variable.programs.first { $0.byteOffset == localOffset }
        guard function == nil, bytes.allSatisfy({ $0 == 0 }) else {
            let value =
                function.map { "prog '\(linker.spec.functions[$0.function].name)'" }
                ?? "value \(text(of: bytes))"
            throw refusal(
                "Cannot find member \(local.name) in kernel BTF",
                reason:
                    "it is set to \(value), and struct \(kernel.name) of \(linker.options.targetName) has no such member",
                suggestion: "leave it zero, or choose a kernel profile that has it")
        }
        return row(.skipped, bytes.count, nil)
    }

    private mutating func setPointer(
        _ member: BTFMember, _ index: Int, _ bytes: ArraySlice<UInt8>
    ) throws(OpsError) -> MemberMatch {
        guard let binding = variable.programs.first(where: { $0.byteOffset == localOffset }) else {
            guard bytes.allSatisfy({ $0 == 0 }) else {
                throw refusal(
                    "pointer value \(text(of: bytes)) is no program of this object",
                    reason: "a pointer member holds a struct_ops program or NULL")
            }
            return row(.null, 8, member)
        }
        guard let pointee = target.pointee(of: member.type), case .prototype = target[pointee] else {
            throw refusal(
                "kernel member \(local.name) is not a func ptr",
                reason: "it is '\(target.name(of: member.type))' here, and the object sets it to a program")
        }
        let reference = MemberReference(
            structName: kernel.name, memberName: local.name, structure: kernel.id, index: index,
            byteOffset: member.bitOffset / 8)
        program = (binding.function, reference)
        return row(.program(linker.spec.functions[binding.function].name), 8, member)
    }

    private func copy(
        _ member: BTFMember, _ bytes: ArraySlice<UInt8>, to data: inout [UInt8]
    ) throws(OpsError) -> MemberMatch {
        guard let size = btf.byteCount(of: local.type), let kernelSize = target.byteCount(of: member.type),
            size == kernelSize
        else {
            let sizes =
                "\(btf.byteCount(of: local.type) ?? -1) != \(target.byteCount(of: member.type) ?? -1)(kernel)"
            throw refusal(
                "Error in size of member \(local.name): \(sizes)",
                reason:
                    "it is '\(btf.name(of: local.type))' in the object and '\(target.name(of: member.type))' here",
                suggestion: "take the struct from this kernel's BTF: opsctl btf dump format c")
        }
        let offset = member.bitOffset / 8
        guard offset >= 0, offset <= data.count - size else {
            throw refusal("lies outside the kernel's struct", errno: OpsError.einval)
        }
        data.replaceSubrange(offset..<offset + size, with: bytes)
        return row(.copied, size, member)
    }

    /// Small values as numbers, others as bytes.
    private func text(of bytes: ArraySlice<UInt8>) -> String {
        if bytes.count <= 8 {
            let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return "\(value) (0x\(String(value, radix: 16)))"
        }
        return bytes.prefix(16).map { String($0, radix: 16) }.joined(separator: " ")
            + (bytes.count > 16 ? " …" : "")
    }

    private func refusal(
        _ text: String, errno: CInt = OpsError.eopnotsupp, reason: String? = nil, suggestion: String? = nil
    ) -> OpsError {
        linker.refusal(
            variable, local.name, "struct_ops init_kern \(variable.name): \(text)", errno, reason: reason,
            suggestion: suggestion)
    }
}
