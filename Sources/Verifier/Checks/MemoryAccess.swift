import BPF

/// Loads, stores and atomics through registers.
extension Explorer {
    /// One access to be judged.
    struct Access {
        /// The register that holds the pointer, for messages.
        var register: UInt8
        var pointer: Register
        /// Constant part that the instruction adds.
        var offset: Int
        var byteCount: Int
    }

    mutating func stepLoad(_ insn: Instruction) throws(Rejection) {
        let access = Access(
            register: insn.src, pointer: try readable(insn.src), offset: Int(insn.offset),
            byteCount: insn.size.byteCount)
        var value = try load(access)
        if insn.mode == Opcode.modeMemSX {
            guard value.isScalar else {
                throw Rejection(
                    .registerType, "R\(insn.src) sign-extending load of a pointer",
                    reason: "An address has no sign.")
            }
            let extended = value.scalar.signExtended(fromBytes: access.byteCount)
            value = Register(extended, dependencies: value.dependencies)
        }
        state[Int(insn.dst)] = value
    }

    mutating func stepStore(_ insn: Instruction) throws(Rejection) {
        if insn.instructionClass == .stx && insn.mode == Opcode.modeAtomic { return try stepAtomic(insn) }
        let access = Access(
            register: insn.dst, pointer: try readable(insn.dst), offset: Int(insn.offset),
            byteCount: insn.size.byteCount)
        if insn.instructionClass == .st {
            return try store(Register(constant: UInt64(bitPattern: Int64(insn.imm))), access)
        }
        var value = try readable(insn.src)
        if value.isScalar, value.id == 0, !value.scalar.isConstant, access.pointer.kind == .stack {
            // The register and its spilled copy stay linked.
            value.id = newID()
            state[Int(insn.src)].id = value.id
        }
        try store(value, access)
    }

    private mutating func stepAtomic(_ insn: Instruction) throws(Rejection) {
        let isLoad = insn.imm == Opcode.atomicLoadAcquire
        let base = isLoad ? insn.src : insn.dst
        let access = Access(
            register: base, pointer: try readable(base), offset: Int(insn.offset),
            byteCount: insn.size.byteCount)
        switch access.pointer.kind {
        case .context, .object, .allocated, .mapKey, .view, .packet, .packetMeta:
            throw Rejection(
                .memory,
                "BPF_ATOMIC \(isLoad ? "loads" : "stores") into R\(base) \(access.pointer.kind.name) is not allowed",
                reason: "Atomic operations work on the stack, map values and memory regions.")
        default: break
        }
        try checkAligned(access, "")
        let loaded = try load(access)
        if isLoad {
            state[Int(insn.dst)] = loaded
            return
        }
        let value = try readable(insn.src)
        let unknown = Register(Scalar.unknown.truncated(toBytes: access.byteCount))
        if insn.imm == Opcode.atomicStoreRelease { return try store(value, access) }
        if insn.imm == Opcode.atomicCmpxchg {
            _ = try readable(0)
            if !isWeakened(.compareExchangeKeepsR0) { state[0] = unknown }
        } else if insn.imm & Opcode.atomicFetch != 0, !isWeakened(.fetchKeepsSource) {
            state[Int(insn.src)] = unknown
        }
        try store(unknown, access)
    }

    /// Atomic operations fault on misaligned addresses on some machines; what the stack holds is known by aligned words.
    func checkAligned(_ access: Access, _ what: String) throws(Rejection) {
        let offset = UInt64(bitPattern: Int64(access.pointer.offset) + Int64(access.offset))
        let tnum = access.pointer.scalar.tnum.adding(Tnum(offset))
        guard tnum.isAligned(UInt64(access.byteCount)) || isWeakened(.atomicsUnaligned) else {
            throw Rejection(
                .memory, "misaligned \(what)access off \(Int64(bitPattern: offset)) size \(access.byteCount)",
                reason: "The address of this access must be a multiple of its size.")
        }
    }

    // MARK: By kind of pointer

    private mutating func load(_ access: Access) throws(Rejection) -> Register {
        try checkUsable(access, isWrite: false)
        let unknown = Register(Scalar.unknown.truncated(toBytes: access.byteCount))
        switch access.pointer.kind {
        case .object:
            return try loadField(access)
        case .stack:
            notes[pc].isDirect = true
            return try loadStack(access)
        case .context:
            notes[pc].isDirect = true
            try checkUnmoved(access.pointer, access.register, takesConstants: signature.view == nil)
            return try loadArgument(access)
        case .mapValue:
            notes[pc].isDirect = true
            if case .kptr(let kptr)? = try checkMapValue(access, isWrite: false) { return loadedKptr(kptr) }
            return constant(at: access) ?? unknown
        case .allocated:
            try loadAllocated(access)
            return unknown
        case .mapKey:
            notes[pc].isDirect = true
            try checkRegion(access, size: maps[Int(access.pointer.payload)].keySize, what: "map_key")
            return unknown
        case .view:
            notes[pc].isDirect = true
            return try loadView(access)
        case .packet, .packetMeta:
            notes[pc].isDirect = true
            try checkPacket(access, .readable)
            return unknown
        default:
            notes[pc].isDirect = true
            try checkRegion(access, size: Int(access.pointer.payload), what: "mem")
            return unknown
        }
    }

    private mutating func store(_ value: Register, _ access: Access) throws(Rejection) {
        try checkUsable(access, isWrite: true)
        switch access.pointer.kind {
        case .stack: return try storeStack(value, access)
        case .context where signature.view != nil:
            try checkUnmoved(access.pointer, access.register)
            try storeView(access)
        case .view:
            throw Rejection(
                .memory, "R\(access.register) cannot write into sock",
                reason: "Programs see sockets through this struct and cannot change them with it.",
                suggestion: "Use bpf_setsockopt() or the fields of the context that may be written.")
        case .packet, .packetMeta: try checkPacket(access, .writable)
        case .context:
            throw Rejection(
                .memory,
                "R\(access.register) ctx is read-only: invalid bpf_context access off=\(access.pointer.offset) size=\(access.byteCount)",
                reason: "The arguments of an op cannot be changed.")
        case .object: try checkFieldWrite(access)
        case .mapValue:
            if case .kptr(let kptr)? = try checkMapValue(access, isWrite: true) {
                return try checkStored(value, in: kptr, at: extent(access).low)
            }
        case .allocated: try checkAllocated(access)
        case .mapKey:
            if isWeakened(.keyIsWritable) { return }
            throw Rejection(
                .memory, "write to change key R\(access.register) not allowed",
                reason: "The key of a map's element is fixed.")
        default:
            if access.pointer.flags.contains(.readOnly) && !isWeakened(.regionIsWritable) {
                throw Rejection(
                    .memory, "R\(access.register) cannot write into rdonly_mem",
                    reason: "This memory is read-only.")
            }
            try checkRegion(access, size: Int(access.pointer.payload), what: "mem")
        }
    }

    private func checkUsable(_ access: Access, isWrite: Bool) throws(Rejection) {
        let pointer = access.pointer
        if pointer.maybeNull && !isWeakened(.maybeNullIsUsable) {
            throw Rejection(
                .memory, "R\(access.register) invalid mem access '\(pointer.kind.name)_or_null'",
                reason: "The pointer may be NULL here: nothing on this path has tested it.",
                suggestion: "Test the pointer before using it: if (!p) return 0;")
        }
        if pointer.flags.contains(.percpu) {
            throw Rejection(
                .memory,
                "R\(access.register) is a pointer to per-CPU data, which cannot be accessed directly",
                reason: "Each CPU has its own copy; the address names none of them.",
                suggestion: "Pick a copy with bpf_this_cpu_ptr() or bpf_per_cpu_ptr().")
        }
        switch pointer.kind {
        case .stack, .context, .mapValue, .mapKey, .memory, .object, .allocated, .view, .packet, .packetMeta:
            return
        default:
            throw Rejection(
                .memory, "R\(access.register) invalid mem access '\(pointer.kind.name)'",
                reason: pointer.isNullConstant
                    ? "The pointer is NULL on this path."
                    : "R\(access.register) holds a \(pointer.kind.name) here, which is no address of data.",
                suggestion: pointer.isNullConstant ? "Test the pointer before using it." : nil)
        }
    }

    // MARK: Regions of known size

    /// First byte and end of the bytes an access may touch, relative to the pointer's base.
    ///
    /// The variable part has a lower bound: `moved(_:by:…)` made sure. Without an upper one `high` is past any region.
    func extent(_ access: Access) -> (low: Int, high: Int) {
        let fixed = Int(access.pointer.offset) + access.offset
        let most = min(access.pointer.scalar.smax, 4 * Explorer.offsetLimit)
        return (fixed + Int(access.pointer.scalar.smin), fixed + Int(most) + access.byteCount)
    }

    func checkRegion(_ access: Access, size: Int, what: String) throws(Rejection) {
        let (low, high) = extent(access)
        if low < 0 && !isWeakened(.lowerEndUnchecked) {
            if access.pointer.scalar.isConstant {
                throw outside(access, size, what, low)
            }
            throw Rejection(
                .memory,
                "R\(access.register) min value is negative, either use unsigned index or do a if (index >=0) check.",
                reason: "The access may start \(-low) bytes before the \(what) of \(size) bytes.",
                suggestion: "Make the index unsigned, or test that it is not negative.")
        }
        if high > size && !isWeakened(.upperEndUnchecked) {
            if access.pointer.scalar.isConstant { throw outside(access, size, what, low) }
            if access.pointer.scalar.smax >= Explorer.offsetLimit { throw unbounded(access) }
            throw Rejection(
                .memory,
                "invalid access to \(what), \(what)_size=\(size) off=\(high - access.byteCount) size=\(access.byteCount)",
                reason:
                    "R\(access.register) may point up to \(high - access.byteCount) bytes into \(size) bytes here; "
                    + "its largest index is not limited enough.",
                suggestion: "Check the index against the number of elements before the access.")
        }
    }

    private func unbounded(_ access: Access) -> Rejection {
        Rejection(
            .memory,
            "R\(access.register) unbounded memory access, make sure to bounds check any such access",
            reason: "Nothing limits how far R\(access.register) points.",
            suggestion: "Check the index against the number of elements before it is added to the pointer.")
    }

    private func outside(_ access: Access, _ size: Int, _ what: String, _ low: Int) -> Rejection {
        Rejection(
            .memory, "invalid access to \(what), \(what)_size=\(size) off=\(low) size=\(access.byteCount)",
            reason:
                "R\(access.register) points to \(size) bytes; the access covers bytes \(low) to \(low + access.byteCount - 1)."
        )
    }

    // MARK: Map values

    /// Memory of a map value handed to a helper.
    mutating func checkMapMemory(_ access: Access, isOut: Bool) throws(Rejection) {
        let (low, high) = extent(access)
        if case .kptr? = specialFields(of: access.pointer).first(overlapping: low..<high)?.kind {
            throw Rejection(
                .memory, "kptr cannot be accessed indirectly by helper",
                reason: "A pointer kept in a map is read and replaced by the program itself only.")
        }
        _ = try checkMapValue(access, isWrite: isOut)
    }

    /// - Returns: the kptr that the access is to; nil for plain data.
    private mutating func checkMapValue(_ access: Access, isWrite: Bool) throws(Rejection) -> SpecialField
        .Kind?
    {
        let map = maps[Int(access.pointer.payload)]
        if !isWrite && map.isWriteOnly {
            throw Rejection(
                .memory, "read from map forbidden, value_size=\(map.valueSize)",
                reason: "Map '\(map.name)' is write-only for programs.")
        }
        if isWrite && map.isReadOnly && !isWeakened(.readOnlyMapIsWritable) {
            throw Rejection(
                .memory, "write into map forbidden, value_size=\(map.valueSize)",
                reason: "Map '\(map.name)' is read-only for programs.",
                suggestion: "Declare the variable without const, so that it lies in .data or .bss.")
        }
        try checkRegion(access, size: map.valueSize, what: "map value")
        let (low, high) = extent(access)
        guard let field = specialFields(of: access.pointer).first(overlapping: low..<high) else { return nil }
        if case .kptr = field.kind {
            try checkKptr(field, access)
            return field.kind
        }
        if isWeakened(.fieldIsData) { return nil }
        throw Rejection(
            .memory, "\(field.name) cannot be accessed directly by load/store",
            reason:
                "The \(field.name) in the value of map '\(map.name)' belongs to the functions made for it.")
    }

    /// The number a load reads from a map whose contents are fixed.
    private func constant(at access: Access) -> Register? {
        let map = maps[Int(access.pointer.payload)]
        guard map.isReadOnly, let bytes = map.constants, !isWeakened(.constantsUnknown),
            access.pointer.scalar.isConstant
        else { return nil }
        let (low, high) = extent(access)
        guard low >= 0, high <= bytes.count else { return nil }
        var value: UInt64 = 0
        for byte in bytes[low..<high].reversed() { value = value << 8 | UInt64(byte) }
        return Register(constant: value)
    }
}
