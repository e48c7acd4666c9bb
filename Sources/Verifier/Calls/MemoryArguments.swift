import BPF

/// Memory handed to helpers and kfuncs.
extension Explorer {
    /// Pointer and size in two registers.
    mutating func checkSized(
        _ pointer: Register, _ register: UInt8, _ size: Register, _ sizeRegister: UInt8, isOut: Bool,
        allowsZero: Bool
    ) throws(Rejection) {
        guard size.isScalar else {
            throw Rejection(
                .callType, "R\(sizeRegister) type=\(typeName(of: size)) expected=scalar",
                reason: "A size is a number.")
        }
        mark(size.dependencies)
        guard size.scalar.smin >= 0 else {
            throw Rejection(
                .memory, "R\(sizeRegister) min value is negative, either use unsigned or 'var &= const'",
                reason: "The size may be negative here, which is a huge one.",
                suggestion: "Make the size unsigned and check it against the buffer's.")
        }
        guard size.scalar.umin > 0 || allowsZero || isWeakened(.sizeMayBeZero) else {
            throw Rejection(
                .memory,
                "R\(sizeRegister) invalid zero-sized read: u64=[\(size.scalar.umin),\(size.scalar.umax)]",
                reason: "The size may be 0 here, and must not.")
        }
        if size.scalar.umax == 0 {
            // Nothing is touched; the pointer may be NULL.
            if pointer.isNullConstant { mark(pointer.dependencies) }
            return
        }
        guard size.scalar.umax < UInt64(Explorer.offsetLimit) else {
            throw Rejection(
                .memory, "R\(sizeRegister) unbounded memory access, use 'var &= const' or 'if (var < const)'",
                reason: "Nothing limits the size here.",
                suggestion: "Check the size against the buffer's before the call.")
        }
        try checkMemory(
            pointer, register, Int(size.scalar.umax), isOut: isOut, isExact: size.scalar.isConstant)
    }

    /// Checks `byteCount` bytes at a pointer, to be read, or written if `isOut`.
    ///
    /// - Parameter isExact: all of them are touched; if not, bytes written count as perhaps written.
    mutating func checkMemory(
        _ pointer: Register, _ register: UInt8, _ byteCount: Int, isOut: Bool, isExact: Bool
    ) throws(Rejection) {
        if byteCount == 0 { return }
        guard !pointer.maybeNull || isWeakened(.maybeNullArgument) else {
            throw Rejection(
                .callType, "R\(register) type=\(typeName(of: pointer)) expected=mem",
                reason: "The pointer may be NULL here.", suggestion: "Test it before the call.")
        }
        guard !pointer.flags.contains(.percpu) else {
            throw Rejection(
                .callType, "R\(register) type=percpu_\(typeName(of: pointer)) expected=mem",
                reason: "Each CPU has its own copy; the address names none of them.",
                suggestion: "Pick a copy with bpf_this_cpu_ptr() or bpf_per_cpu_ptr().")
        }
        let access = Access(register: register, pointer: pointer, offset: 0, byteCount: byteCount)
        switch pointer.kind {
        case .stack: try checkStackMemory(access, isOut: isOut, isExact: isExact)
        case .mapValue: try checkMapMemory(access, isOut: isOut)
        case .mapKey where !isOut:
            try checkRegion(access, size: maps[Int(pointer.payload)].keySize, what: "map_key")
        case .packet, .packetMeta: try checkPacket(access, isOut ? [.passable, .writable] : .passable)
        case .allocated where !pointer.flags.contains(.percpu): try checkAllocated(access)
        case .memory where !(isOut && pointer.flags.contains(.readOnly)):
            try checkRegion(access, size: Int(pointer.payload), what: "mem")
        default:
            throw Rejection(
                .callType, "R\(register) type=\(typeName(of: pointer)) expected=fp, map_value, mem",
                reason: "The function \(isOut ? "writes" : "reads") \(byteCount) bytes of memory there.")
        }
    }

    private mutating func checkStackMemory(_ access: Access, isOut: Bool, isExact: Bool) throws(Rejection) {
        let (frame, low, high) = try stackExtent(access, isWrite: isOut)
        noteStack(frame, low)
        if isOut && isWeakened(.outMemoryKeepsValues) { return growStack(frame, low) }
        guard isOut else { return try checkReadable(frame, low..<high) }
        growStack(frame, low)
        try checkNoObject(frame, low..<high)
        // Of memory that may be written in part, the rest must have been something before: later reads are allowed
        // only for bytes that were.
        scribble(frame, low..<high, initialises: isExact && access.pointer.scalar.isConstant)
    }
}
