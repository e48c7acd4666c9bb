/// Objects that live in whole slots of the stack and that only helpers and kfuncs touch: iterators, dynptrs, saved
/// interrupt states.
///
/// Each of its slots is opaque and holds a copy of one register that describes the object; `offset` numbers the slots
/// from the lowest address. So a pointer to the middle, or half an object that was overwritten, is never taken for one.
struct StackObject {
    var frame: Int
    /// Lowest byte below that frame's R10; a multiple of 8.
    var low: Int
    var slotCount: Int

    /// Slot of the object's n-th 8 bytes.
    func slot(_ part: Int) -> Int { Explorer.position(low + 8 * part).slot }

    var bytes: Range<Int> { low..<low + 8 * slotCount }
}

extension State {
    /// What the object at a place is; nil if the slots hold none of this kind, or only part of one.
    func description(of object: StackObject, kind: Register.Kind) -> Register? {
        let slots = frames[object.frame].slots
        var found: Register?
        for part in 0..<object.slotCount {
            let index = object.slot(part)
            guard slots.indices.contains(index), slots[index].isOpaque else { return nil }
            let here = slots[index].spill
            guard here.kind == kind, here.offset == Int32(part), here.id == (found ?? here).id else {
                return nil
            }
            found = found ?? here
        }
        return found
    }

    mutating func place(_ description: Register, at object: StackObject) {
        for part in 0..<object.slotCount {
            var copy = description
            copy.offset = Int32(part)
            frames[object.frame].slots[object.slot(part)].store(opaque: copy)
        }
    }

    mutating func change(_ object: StackObject, _ body: (inout Register) -> Void) {
        for part in 0..<object.slotCount { body(&frames[object.frame].slots[object.slot(part)].spill) }
    }

    func hasOpaqueSlot(in object: StackObject) -> Bool {
        let slots = frames[object.frame].slots
        return (0..<object.slotCount).contains { part in
            let index = object.slot(part)
            return index < slots.count && slots[index].isOpaque
        }
    }

    /// The slots hold nothing afterwards.
    mutating func remove(_ object: StackObject) {
        for part in 0..<object.slotCount { frames[object.frame].slots[object.slot(part)] = StackSlot() }
    }
}

extension Explorer {
    /// Where an argument points, if that is a place for an object of `byteCount` bytes on the stack.
    ///
    /// - Parameter isNew: the slots need not have been used before.
    mutating func stackObject(
        _ value: Register, _ register: UInt8, byteCount: Int, isNew: Bool,
        _ refusal: @autoclosure () -> Rejection
    ) throws(Rejection) -> StackObject {
        let slotCount = (byteCount + 7) / 8
        guard value.kind == .stack, let offset = value.constantOffset, offset % 8 == 0 else {
            throw refusal()
        }
        let access = Access(register: register, pointer: value, offset: 0, byteCount: 8 * slotCount)
        let (frame, low, _) = try stackExtent(access, isWrite: isNew)
        if isNew {
            noteStack(frame, low)
            growStack(frame, low)
        }
        return StackObject(frame: frame, low: low, slotCount: slotCount)
    }

    /// Makes room for bytes that are about to be written: a dynptr that owns nothing is forgotten with the slices that
    /// came from it; anything else that lives there must stay whole.
    ///
    /// Kernel counterpart: `destroy_if_dynptr_stack_slot`.
    mutating func evict(_ frame: Int, _ range: Range<Int>) throws(Rejection) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let (index, byte) = Explorer.position(offset)
            let slots = state.frames[frame].slots
            if index < slots.count, slots[index].isOpaque {
                try evict(frame, slot: index, slots[index].spill)
            }
            offset += 8 - byte
        }
    }

    private mutating func evict(_ frame: Int, slot: Int, _ description: Register) throws(Rejection) {
        guard description.kind == .dynptr else {
            throw Rejection(
                .memory, "cannot overwrite the \(description.kind.title) at stack off \(-8 * (slot + 1))",
                reason: "Only the functions made for it may touch it.")
        }
        if description.reference != 0 {
            throw Rejection(
                .resourceLifetime, "cannot overwrite referenced dynptr",
                reason: "The record that the dynptr stands for could not be submitted or discarded any more.",
                suggestion: "Submit or discard it first.")
        }
        let low = -8 * (slot + 1) - 8 * Int(description.offset)
        state.remove(StackObject(frame: frame, low: low, slotCount: Dynptr.slotCount))
        state.forgetSlices(ofDynptr: description.id)
    }

    /// A function writes memory byte by byte: nothing that has a shape may live there.
    func checkNoObject(_ frame: Int, _ range: Range<Int>) throws(Rejection) {
        for offset in range {
            let (index, byte) = Explorer.position(offset)
            let slots = state.frames[frame].slots
            guard index < slots.count, slots[index][byte] == .opaque else { continue }
            throw Rejection(
                .memory, "potential write to \(slots[index].spill.kind.title) at off=\(offset) disallowed",
                reason: "Only the functions made for it may touch it.")
        }
    }
}

extension Register.Kind {
    /// What lives in opaque slots, for messages.
    var title: String {
        switch self {
        case .iterator: "iterator"
        case .dynptr: "dynptr"
        case .irqFlag: "saved interrupt state"
        default: name
        }
    }
}
