import BPF

/// The context's argument slots, and the fields of the BTF objects found there.
extension Explorer {
    // MARK: Context

    mutating func loadArgument(_ access: Access) throws(Rejection) -> Register {
        usesContext = true
        if let view = signature.view { return try loadView(access, view) }
        let offset = Int(access.pointer.offset) + access.offset
        func refusal(_ reason: String) -> Rejection {
            Rejection(
                .memory, "invalid bpf_context access off=\(offset) size=\(access.byteCount)", reason: reason)
        }
        guard offset >= 0, offset < 12 * 8, offset % access.byteCount == 0 else {
            throw refusal("Arguments lie in slots of 8 bytes, at most 12.")
        }
        guard offset % 8 == 0 else { throw refusal("An argument starts at a multiple of 8.") }
        if case .unknown = context.arguments {
            throw refusal(
                "Nothing is known of the context of this program, so it can be kept and passed on, not read.")
        }
        let slot = offset / 8
        if slot >= signature.arguments.count && isWeakened(.argumentSlotsUnlimited) { return .unknown }
        guard slot < signature.arguments.count else {
            throw refusal(
                "\(context.name) has \(signature.arguments.count) arguments; this reads number \(slot + 1).")
        }
        switch signature.arguments[slot] {
        case .scalar:
            return Register(Scalar.unknown.truncated(toBytes: access.byteCount))
        case .object(let type, let flags, let isReference):
            guard access.byteCount == 8 else { throw refusal("A pointer is read whole, in 8 bytes.") }
            if isReference, !state.held.contains(reference: UInt32(slot + 1)) {
                throw Rejection(
                    .resourceLifetime, "argument \(slot + 1) was released",
                    reason: "The program has given up its reference to this argument.")
            }
            var register = Register(kind: .object, payload: type.index, flags: flags)
            if flags.contains(.maybeNull) { register.id = newID() }
            if isReference { register.reference = UInt32(slot + 1) }
            return register
        }
    }

    // MARK: Reading fields

    mutating func loadField(_ access: Access) throws(Rejection) -> Register {
        guard let target = context.target else {
            throw Rejection(
                .registerType, "R\(access.register) has a type of no BTF", reason: "The context has no BTF.")
        }
        // What the host has handed out lies in the arena; an address read from memory is checked at run time.
        if !access.pointer.flags.contains(.trusted) || access.pointer.flags.contains(.walked) {
            notes[pc].isProbed = true
        }
        let type = TypeID(Int(access.pointer.payload))
        let (low, high) = extent(access)
        let key = FieldKey(type: type, low: low, high: high, byteCount: access.byteCount)
        let found: FieldAccess
        if let known = fieldCache[key] {
            found = known
        } else {
            found = target.field(of: type, low: low, high: high, byteCount: access.byteCount)
            fieldCache[key] = found
        }
        switch found {
        case .refused(let why):
            throw Rejection(
                .memory, why,
                reason:
                    "R\(access.register) points to struct \(target.typeName(type)); the load matches none of its fields.",
                suggestion: "Read fields by name through a pointer of the right type.")
        case .number:
            try checkCovered(access, type, target)
            return Register(Scalar.unknown.truncated(toBytes: access.byteCount))
        case .pointer(let pointee, let field):
            try checkCovered(access, type, target)
            var register = Register(
                kind: .object, payload: pointee.index, flags: trust(inWalked: field, from: access.pointer))
            if register.maybeNull { register.id = newID() }
            return register
        }
    }

    /// An offset that CO-RE has not adjusted is right only if the object was compiled against our layout.
    private func checkCovered(_ access: Access, _ type: TypeID, _ target: BTF) throws(Rejection) {
        if image.relocated.contains(pc) || access.pointer.flags.contains(.relocated) { return }
        guard let local = image.btf else { return }
        let name = target.typeName(type)
        let offset = Int(access.pointer.offset) + access.offset
        if let (id, _) = local.composite(named: name), access.pointer.scalar.isConstant,
            local.isSameField(in: id, at: offset, byteCount: access.byteCount, as: type, of: target)
        {
            return
        }
        throw Rejection(
            .memory, "access to struct \(name) at off \(offset) has no CO-RE relocation",
            reason:
                "The object's own layout of struct \(name) is not the one here, so this would silently read another field.",
            suggestion: "Compile with vmlinux.h, or add __attribute__((preserve_access_index)) to the struct."
        )
    }

    // MARK: Allocated objects

    mutating func loadAllocated(_ access: Access) throws(Rejection) {
        // The address may be stale, or come from anywhere: checked at run time.
        let isProbed = access.pointer.flags.contains(.untrusted)
        if isProbed { notes[pc].isProbed = true } else { notes[pc].isDirect = true }
        try checkAllocated(access)
    }

    /// An access to an object of the program's own type: whole fields, and none that belongs to the machinery.
    ///
    /// Kernel counterpart: `btf_struct_access` for `MEM_ALLOC`.
    mutating func checkAllocated(_ access: Access) throws(Rejection) {
        let type = TypeID(Int(access.pointer.payload))
        guard let btf = image.btf else { return }
        let name = btf.typeName(type)
        guard access.pointer.scalar.isConstant else {
            throw Rejection(
                .memory, "R\(access.register) is ptr_\(name) invalid variable offset",
                reason: "Fields of allocated objects are accessed at constant offsets.")
        }
        let (low, high) = extent(access)
        if let field = specialFields(ofAllocated: type).first(overlapping: low..<high) {
            throw Rejection(
                .memory, "direct access to \(field.name) is disallowed",
                reason: "The \(field.name) of struct \(name) belongs to the functions made for it.")
        }
        if case .refused(let why) = btf.field(of: type, low: low, high: high, byteCount: access.byteCount) {
            throw Rejection(
                .memory, why,
                reason:
                    "R\(access.register) points to an allocated struct \(name); the access matches none of its fields."
            )
        }
    }

    // MARK: Writing fields

    mutating func checkFieldWrite(_ access: Access) throws(Rejection) {
        notes[pc].isDirect = true
        guard let target = context.target else {
            throw Rejection(
                .registerType, "R\(access.register) has a type of no BTF", reason: "The context has no BTF.")
        }
        let type = TypeID(Int(access.pointer.payload))
        // Only refusals want it, and stores are many.
        var name: String { target.typeName(type) }
        guard access.pointer.flags.contains(.trusted), !access.pointer.flags.contains(.walked) else {
            throw Rejection(
                .memory, "R\(access.register) cannot write through an untrusted pointer to \(name)",
                reason: "The pointer was read from memory; only objects handed to the program can be written."
            )
        }
        guard context.writable.contains(where: { $0.structure == type }) else {
            throw Rejection(
                .policy, "only read is supported",
                reason: "\(context.name) lets programs write no field of struct \(name).")
        }
        let (low, high) = extent(access)
        let field = context.writable.first {
            $0.structure == type
                && ($0.offset == low && access.pointer.scalar.isConstant
                    || $0.allowsInnerOffsets && $0.offset <= low && low < $0.offset + $0.byteCount)
        }
        if isWeakened(.writesAnyField) { return }
        guard let field else {
            throw Rejection(
                .policy, "no write support to \(name) at off \(low)",
                reason:
                    "\(context.name) lets programs write some fields of struct \(name), and this is none of them."
            )
        }
        guard high <= field.offset + field.byteCount else {
            throw Rejection(
                .policy,
                "write access at off \(low) with size \(high - low) beyond the member of \(name) ended at \(field.offset + field.byteCount)",
                reason: "A write must stay inside the field it starts in.")
        }
        try checkCovered(access, type, target)
    }
}
