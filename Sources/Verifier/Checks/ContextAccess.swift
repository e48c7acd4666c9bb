import BPF

/// Structs of the kernel that programs see in parts: contexts of program types, and sockets.
extension Explorer {
    /// The context, and only where it was handed out: it may be moved and passed on as a number, not accessed there.
    /// Kernel counterpart: `__check_ptr_off_reg`.
    func checkUnmoved(_ pointer: Register, _ register: UInt8, takesConstants: Bool = false) throws(Rejection)
    {
        guard pointer.scalar.isZero else {
            throw Rejection(
                .memory,
                "variable \(pointer.kind.name) access var_off=\(pointer.scalar.tnum.text) disallowed",
                reason:
                    "The context is accessed at constant offsets only, and R\(register) was moved by a number."
            )
        }
        guard takesConstants || pointer.offset == 0 else {
            throw Rejection(
                .memory,
                "dereference of modified \(pointer.kind.name) ptr R\(register) off=\(pointer.offset) disallowed",
                reason: "What is wanted here is the context as it was handed out.")
        }
    }

    /// A read through a pointer of kind `.view`.
    mutating func loadView(_ access: Access) throws(Rejection) -> Register {
        guard let id = StructViews.ID(rawValue: access.pointer.payload) else {
            throw Rejection.unsupported("this struct of the kernel")
        }
        return try loadView(access, StructViews[id])
    }

    mutating func loadView(_ access: Access, _ view: StructView) throws(Rejection) -> Register {
        let field = try field(access, view, isWrite: false)
        switch field.value {
        case .number: return Register(Scalar.unknown.truncated(toBytes: access.byteCount))
        case .packet: return Register(kind: .packet)
        case .packetMeta: return Register(kind: .packetMeta)
        case .packetEnd: return Register(kind: .packetEnd)
        case .flowKeys: return Register(kind: .memory, payload: Explorer.flowKeysByteCount)
        case .tracepointBuffer: return Register(kind: .memory, payload: Explorer.tracepointByteCount)
        case .view(let id, let maybeNull):
            var register = Register(kind: .view, payload: Int(id.rawValue))
            if maybeNull {
                register.flags.insert(.maybeNull)
                register.id = newID()
            }
            return register
        case .object(let name):
            guard let type = context.target?.composite(named: name)?.id else {
                throw Rejection.unsupported("struct \(name), which the BTF to judge against does not have,")
            }
            return Register(kind: .object, payload: type.index, flags: .trusted)
        }
    }

    func storeView(_ access: Access) throws(Rejection) {
        guard let view = signature.view else { return }
        _ = try field(access, view, isWrite: true)
    }

    /// `sizeof(struct bpf_flow_keys)`.
    private static let flowKeysByteCount = 56
    /// How far a writable tracepoint's buffer reaches is checked when the program is attached.
    private static let tracepointByteCount = 1 << 20

    private func field(_ access: Access, _ view: StructView, isWrite: Bool) throws(Rejection)
        -> StructView
        .Field
    {
        guard access.pointer.offset == 0, access.pointer.scalar.isZero else {
            throw Rejection(
                .memory,
                "dereference of modified \(access.pointer.kind.name) ptr R\(access.register) off=\(access.pointer.offset) disallowed",
                reason: "struct \(view.name) is accessed through the pointer as it was handed out.",
                suggestion: "Read the field through the original pointer.")
        }
        let (offset, size) = (access.offset, access.byteCount)
        if let field = view.field(at: offset, byteCount: size, isWrite: isWrite) { return field }
        let what = access.pointer.kind == .context ? "bpf_context" : "sock"
        throw Rejection(
            .memory, "invalid \(what) access off=\(offset) size=\(size)",
            reason: view.field(at: offset, byteCount: size, isWrite: false) != nil
                ? "This field of struct \(view.name) can be read here, not written."
                : view.hasField(at: offset)
                    ? "The field of struct \(view.name) at byte \(offset) cannot be \(isWrite ? "written" : "read") as \(size) bytes here."
                    : "struct \(view.name) has no field at byte \(offset) that this kind of program may use.")
    }
}
