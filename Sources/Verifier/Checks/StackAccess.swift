import BPF

/// The stack: every byte remembers whether it was written and what it holds.
extension Explorer {
    static let stackLimit = 512

    /// Checks that an access stays inside its frame. Offsets are negative, relative to R10 of that frame.
    func stackExtent(_ access: Access, isWrite: Bool) throws(Rejection) -> (frame: Int, low: Int, high: Int) {
        let (low, high) = extent(access)
        let frame = Int(access.pointer.payload)
        guard low >= -Explorer.stackLimit, high <= 0, frame < state.frames.count else {
            throw Rejection(
                .memory,
                "invalid \(isWrite ? "write to" : "read from") stack R\(access.register) off=\(low) size=\(high - low)",
                reason:
                    "A function's stack is the 512 bytes below R10; this may touch bytes \(low) to \(high - 1)."
            )
        }
        return (frame, low, high)
    }

    mutating func noteStack(_ frame: Int, _ low: Int) {
        let subprog = state.frames[frame].subprog
        stackBytes[subprog] = max(stackBytes[subprog], (-low + 7) & ~7)
    }

    /// Slot and byte in it, of the byte at `offset` below R10.
    static func position(_ offset: Int) -> (slot: Int, byte: Int) {
        let slot = (-offset - 1) / 8
        return (slot, offset + 8 * (slot + 1))
    }

    // MARK: Loads

    mutating func loadStack(_ access: Access) throws(Rejection) -> Register {
        let (frame, low, high) = try stackExtent(access, isWrite: false)
        let unknown = Register(Scalar.unknown.truncated(toBytes: access.byteCount))
        try checkInitialised(frame, low..<high, allowsPointers: access.pointer.scalar.isConstant)
        guard access.pointer.scalar.isConstant else { return unknown }
        let (index, byte) = Explorer.position(low)
        let slot = state.frames[frame].slots[index]
        if byte == 0 && slot.hasSpill && slot.spillByteCount >= access.byteCount {
            if slot.isWholeSpill && access.byteCount == 8 { return slot.spill }
            if slot.spill.isScalar {
                var value = slot.spill
                value.scalar = value.scalar.truncated(toBytes: access.byteCount)
                if value.scalar != slot.spill.scalar { value.id = 0 }
                return value
            }
        }
        var isZero = true
        for offset in low..<high {
            let (index, byte) = Explorer.position(offset)
            let slot = state.frames[frame].slots[index]
            if slot[byte] == .spill && slot.spill.isPointer {
                throw Rejection(
                    .memory, "invalid size of register fill: off \(low) size \(access.byteCount)",
                    reason: "A pointer was saved here; reading part of it would make a number of an address.")
            }
            if slot[byte] != .zero { isZero = false }
        }
        return isZero ? Register(constant: 0) : unknown
    }

    /// Refuses bytes never written, those of opaque objects, and, unless allowed, saved pointers.
    func checkInitialised(_ frame: Int, _ range: Range<Int>, allowsPointers: Bool) throws(Rejection) {
        for offset in range {
            let (index, byte) = Explorer.position(offset)
            let slots = state.frames[frame].slots
            let kind = index < slots.count ? slots[index][byte] : .uninitialised
            switch kind {
            case .uninitialised:
                throw Rejection(
                    .memory,
                    "invalid read from stack off \(range.lowerBound)+\(offset - range.lowerBound) size \(range.count)",
                    reason: "The byte at R10\(offset) was never written on this path.",
                    suggestion: "Initialise the variable where it is declared: = {}.")
            case .opaque:
                throw Rejection(
                    .memory,
                    "invalid read from stack off \(offset): it holds the \(slots[index].spill.kind.title)",
                    reason: "Only the functions made for it may touch it.")
            case .spill where !allowsPointers && slots[index].spill.isPointer:
                throw Rejection(
                    .memory, "leaking pointer from stack off \(offset)",
                    reason: "A pointer is saved there, and its address would be read as data.")
            default: break
            }
        }
    }

    // MARK: Stores

    mutating func storeStack(_ value: Register, _ access: Access) throws(Rejection) {
        let (frame, low, high) = try stackExtent(access, isWrite: true)
        noteStack(frame, low)
        growStack(frame, low)
        try evict(frame, low..<high)
        if value.kind == .stack && Int(value.payload) > frame {
            throw Rejection(
                .memory, "cannot spill pointers to stack into stack frame of the caller",
                reason: "The pointer would outlive the function whose stack it points to.")
        }
        guard access.pointer.scalar.isConstant else {
            if value.isPointer {
                throw Rejection(
                    .memory, "variable offset write of a pointer to stack R\(access.register)",
                    reason: "Where the pointer is saved must be known.")
            }
            return scribble(frame, low..<high, initialises: false)
        }
        let (index, byte) = Explorer.position(low)
        if byte == 0 && access.byteCount == 8 {
            state.frames[frame].slots[index].store(whole: value)
            return
        }
        if value.isPointer {
            throw Rejection(
                .memory, "invalid size of register spill: off \(low) size \(access.byteCount)",
                reason: "A pointer is saved whole, in 8 aligned bytes of the stack.")
        }
        if byte == 0 {
            storePart(value, access.byteCount, frame, index)
            return
        }
        let kind: StackByte = value.scalar.truncated(toBytes: access.byteCount).isZero ? .zero : .misc
        if kind == .zero { mark(value.dependencies) }
        for offset in low..<high {
            let (index, byte) = Explorer.position(offset)
            state.frames[frame].slots[index].breakSpill()
            state.frames[frame].slots[index][byte] = kind
        }
    }

    /// The low bytes of a number, at the start of a slot: kept as a narrow spill.
    private mutating func storePart(_ value: Register, _ byteCount: Int, _ frame: Int, _ index: Int) {
        var slot = state.frames[frame].slots[index]
        slot.breakSpill()
        var part = value
        part.scalar = value.scalar.truncated(toBytes: byteCount)
        if part.scalar != value.scalar { part.id = 0 }
        for byte in 0..<byteCount { slot[byte] = .spill }
        slot.spill = part
        state.frames[frame].slots[index] = slot
    }

    mutating func growStack(_ frame: Int, _ low: Int) {
        let needed = (-low + 7) / 8
        while state.frames[frame].slots.count < needed { state.frames[frame].slots.append(StackSlot()) }
    }

    /// Bytes that may have changed. With `initialises`, each was certainly written.
    mutating func scribble(_ frame: Int, _ range: Range<Int>, initialises: Bool) {
        for offset in range {
            let (index, byte) = Explorer.position(offset)
            state.frames[frame].slots[index].breakSpill()
            if initialises || state.frames[frame].slots[index][byte] != .uninitialised {
                state.frames[frame].slots[index][byte] = .misc
            }
        }
    }
}
