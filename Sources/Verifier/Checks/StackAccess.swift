import BPF

/// The stack: every byte remembers whether it was written and what it holds.
extension Explorer {
    static let stackLimit = 512

    /// Checks that an access stays inside its frame. Offsets are negative, relative to R10 of that frame.
    func stackExtent(_ access: Access, isWrite: Bool) throws(Rejection) -> (frame: Int, low: Int, high: Int) {
        let (low, high) = extent(access)
        let frame = Int(access.pointer.payload)
        guard low >= -Explorer.stackLimit, high <= 0, frame < state.frames.count
        else {
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
        try checkAligned(access, "stack ")
        noteStack(frame, low)
        try checkReadable(frame, low..<high)
        let unknown = Register(Scalar.unknown.truncated(toBytes: access.byteCount))
        guard access.pointer.scalar.isConstant else { return unknown }
        // Aligned, so inside one slot.
        let (index, byte) = Explorer.position(low)
        let slot = slot(index, of: frame)
        if byte == 0 && slot.hasSpill && slot.spillByteCount >= access.byteCount {
            if slot.isWholeSpill && access.byteCount == 8 { return slot.spill }
            if slot.spill.isScalar {
                var value = slot.spill
                if isWeakened(.narrowFillIsWhole) { return value }
                value.scalar = value.scalar.truncated(toBytes: access.byteCount)
                if value.scalar != slot.spill.scalar { value.id = 0 }
                return value
            }
        }
        let bytes = byte..<byte + access.byteCount
        if slot.spill.isPointer, !isWeakened(.partOfPointerIsNumber),
            bytes.contains(where: { slot[$0] == .spill })
        {
            throw Rejection(
                .memory, "invalid size of register fill: off \(low) size \(access.byteCount)",
                reason: "A pointer was saved here, and it is loaded whole or not at all.")
        }
        return isZero(slot, bytes) ? Register(constant: 0) : unknown
    }

    private mutating func isZero(_ slot: StackSlot, _ bytes: Range<Int>) -> Bool {
        let isSpilledZero = slot.hasSpill && slot.spill.isNullConstant
        guard bytes.allSatisfy({ slot[$0] == .zero || slot[$0] == .spill && isSpilledZero }) else {
            return false
        }
        if isSpilledZero { mark(slot.spill.dependencies) }
        return true
    }

    func slot(_ index: Int, of frame: Int) -> StackSlot {
        let slots = state.frames[frame].slots
        return index < slots.count ? slots[index] : StackSlot()
    }

    /// Refuses bytes of opaque objects. Bytes never written may be read, as any number: the runtime clears them.
    mutating func checkReadable(_ frame: Int, _ range: Range<Int>) throws(Rejection) {
        for offset in range {
            let (index, byte) = Explorer.position(offset)
            let slot = slot(index, of: frame)
            switch slot[byte] {
            case .uninitialised: readsUninitialised[state.frames[frame].subprog] = true
            case .opaque:
                throw Rejection(
                    .memory, "invalid read from stack off \(offset): it holds the \(slot.spill.kind.title)",
                    reason: "Only the functions made for it may touch it.")
            default: break
            }
        }
    }

    /// The constant of just `byteCount` bytes that has been stored at `pointer`. Parts of larger ones do not count, as
    /// in the kernel.
    mutating func constantOnStack(_ pointer: Register, byteCount: Int) -> UInt64? {
        guard pointer.kind == .stack, let low = pointer.constantOffset, low >= -Explorer.stackLimit,
            low + byteCount <= 0
        else { return nil }
        let (index, byte) = Explorer.position(low)
        let slot = slot(index, of: Int(pointer.payload))
        guard byte + byteCount <= 8 else { return nil }
        if byte == 0, slot.hasSpill, slot.spillByteCount == byteCount, slot.spill.isScalar {
            guard let constant = slot.spill.scalar.constant else { return nil }
            mark(slot.spill.dependencies)
            return constant
        }
        return (byte..<byte + byteCount).allSatisfy { slot[$0] == .zero } ? 0 : nil
    }

    // MARK: Stores

    mutating func storeStack(_ value: Register, _ access: Access) throws(Rejection) {
        let (frame, low, high) = try stackExtent(access, isWrite: true)
        try checkAligned(access, "stack ")
        noteStack(frame, low)
        growStack(frame, low)
        try evict(frame, low..<high)
        if value.kind == .stack && frame != state.top && !isWeakened(.calleeAddressEscapes) {
            throw Rejection(
                .memory, "cannot spill pointers to stack into stack frame of the caller",
                reason: "The pointer could outlive the function whose stack it points to.")
        }
        guard access.pointer.scalar.isConstant else {
            if value.isNullConstant { mark(value.dependencies) }
            return scribble(frame, low..<high, initialises: false, keepsZeros: value.isNullConstant)
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
            if isWeakened(.overwriteKeepsSpill) { continue }
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

    /// Bytes that may have changed. With `initialises`, each was certainly written; with `keepsZeros`, only with zeros.
    mutating func scribble(
        _ frame: Int, _ range: Range<Int>, initialises: Bool, keepsZeros: Bool = false
    ) {
        for offset in range {
            let (index, byte) = Explorer.position(offset)
            if isWeakened(.variableWriteKeepsSpills) && !initialises { continue }
            state.frames[frame].slots[index].breakSpill()
            if keepsZeros && state.frames[frame].slots[index][byte] == .zero { continue }
            if initialises || state.frames[frame].slots[index][byte] != .uninitialised {
                state.frames[frame].slots[index][byte] = .misc
            }
        }
    }
}
