/// Taking and giving back references.
extension Explorer {
    /// A new reference, which this path must release.
    mutating func acquire() -> UInt32 {
        let id = newID()
        state.held.references.append(Reference(id: id, insn: pc))
        note(.acquired)
        return id
    }

    /// A value that is handed over to the callee together with its reference.
    func checkReleasable(_ value: Register, _ register: UInt8, _ callee: String) throws(Rejection) -> UInt32 {
        guard value.reference != 0, state.held.contains(reference: value.reference) else {
            throw Rejection(
                .resourceLifetime, "R\(register) must be referenced when passed to release function",
                reason: "The program holds no reference to what it passes to \(callee).")
        }
        guard value.constantOffset == 0 else {
            throw Rejection(
                .resourceLifetime, "R\(register) must have zero offset when passed to release func",
                reason: "\(callee) takes what was acquired itself, not a pointer into it.")
        }
        return value.reference
    }
}

extension State {
    /// The reference is gone, and every pointer, slice and dynptr that stood for it with it.
    mutating func release(_ reference: UInt32) {
        held.drop(reference: reference)
        forEachRegister { register in
            if isWeakened(.useAfterRelease) { return }
            if register.reference == reference && register.isPointer { register = .unknown }
        }
        removeDynptrs(of: reference)
    }

    private mutating func removeDynptrs(of reference: UInt32) {
        for frame in frames.indices {
            for slot in frames[frame].slots.indices where frames[frame].slots[slot].isOpaque {
                let description = frames[frame].slots[slot].spill
                guard description.kind == .dynptr, description.reference == reference else { continue }
                frames[frame].slots[slot] = StackSlot()
                if description.offset == 0 { forgetSlices(ofDynptr: description.id) }
            }
        }
    }
}
