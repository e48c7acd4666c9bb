/// What a dynptr stands for. Kernel counterpart: `enum bpf_dynptr_type`, same raw values.
package enum DynptrKind: Int, Sendable {
    case local = 1, ringbuf, skb, xdp, skbMeta

    var name: String {
        switch self {
        case .local: "local"
        case .ringbuf: "ringbuf"
        case .skb: "skb"
        case .xdp: "xdp"
        case .skbMeta: "skb_meta"
        }
    }
}

/// Shape of a `struct bpf_dynptr` on the stack.
enum Dynptr {
    static let byteCount = 16
    static let slotCount = 2
}

/// A dynptr handed to a helper or kfunc.
struct DynptrArgument {
    /// `id` names the dynptr, `reference` what it must release, `payload` is its kind.
    var description: Register
    /// Where it lies; nil for one that the program was handed and does not own.
    var place: StackObject?

    var kind: DynptrKind? { DynptrKind(rawValue: Int(description.payload)) }
}

extension Register {
    /// Memory inside what a dynptr stands for is gone when the dynptr, or its reference, is.
    mutating func belong(to dynptr: Register) {
        owner = dynptr.id
        reference = dynptr.reference
    }
}

extension Explorer {
    /// A dynptr as an argument.
    ///
    /// - Parameters:
    ///   - kind: that it must have and be released as; nil: any.
    ///   - isChanged: the callee moves its bounds.
    ///
    /// Kernel counterpart: `process_dynptr_func`.
    func dynptr(
        _ value: Register, _ register: UInt8, kind: DynptrKind?, isChanged: Bool = false
    ) throws(Rejection) -> DynptrArgument {
        func refusal(_ problem: String, _ reason: String) -> Rejection {
            Rejection(.callType, problem, reason: reason)
        }
        if value.kind == .dynptrHandle, kind == nil {
            guard !isChanged else {
                throw refusal(
                    "cannot pass pointer to const bpf_dynptr, the helper mutates it",
                    "The program was handed this dynptr and does not own it.")
            }
            guard value.constantOffset == 0 else { throw refusal("cannot pass in dynptr at an offset", "") }
            return DynptrArgument(description: value, place: nil)
        }
        guard value.kind == .stack, let low = value.constantOffset else {
            throw refusal(
                "arg#\(register - 1) expected pointer to stack or const struct bpf_dynptr",
                "R\(register) must be the address of a local struct bpf_dynptr.")
        }
        let frame = Int(value.payload)
        guard low % 8 == 0, low >= -Explorer.stackLimit, low <= -Dynptr.byteCount else {
            throw refusal(
                "cannot pass in dynptr at an offset=\(low)", "A dynptr is passed by its own address.")
        }
        let place = StackObject(frame: frame, low: low, slotCount: Dynptr.slotCount)
        guard let description = state.description(of: place, kind: .dynptr) else {
            throw Rejection(
                .callType, "Expected an initialized dynptr as arg #\(register - 1)",
                reason:
                    "Nothing on this path has made a dynptr there, or it has been given up or overwritten.",
                suggestion:
                    "Make it first, with bpf_dynptr_from_mem() for example, and use it before it is released."
            )
        }
        if let kind {
            guard description.reference != 0 else {
                throw refusal(
                    "arg \(register) is an unacquired reference",
                    "This dynptr stands for nothing to be released.")
            }
            guard description.payload == Int32(kind.rawValue) else {
                throw refusal(
                    "Expected a dynptr of type \(kind.name) as arg #\(register - 1)",
                    "The function takes dynptrs of another kind.")
            }
        }
        return DynptrArgument(description: description, place: place)
    }

    /// Room on the stack for a dynptr that is about to be made.
    mutating func dynptrPlace(_ value: Register, _ register: UInt8) throws(Rejection) -> StackObject {
        let place = try stackObject(
            value, register, byteCount: Dynptr.byteCount, isNew: true,
            Rejection(
                .callType, "Dynptr has to be an uninitialized dynptr",
                reason: "R\(register) must be the address of a local struct bpf_dynptr, of 16 bytes."))
        try evict(place.frame, place.bytes)
        return place
    }

    /// - Parameter reference: that of the dynptr it is a copy of.
    mutating func makeDynptr(
        at place: StackObject, kind: DynptrKind, isReadOnly: Bool = false, reference: UInt32? = nil
    ) {
        var description = Register(
            kind: .dynptr, payload: kind.rawValue, flags: isReadOnly ? .readOnly : [], id: newID())
        description.reference = reference ?? (kind == .ringbuf ? acquire() : 0)
        state.place(description, at: place)
    }

    /// bpf_dynptr_from_mem works on what stays where it is.
    func checkDynptrMemory(_ facts: CallFacts) throws(Rejection) {
        guard let memory = facts.pendingMemory, memory.pointer.kind == .mapValue else {
            throw Rejection(
                .callType,
                "Unsupported reg type \(state[1].kind.name) for bpf_dynptr_from_mem data",
                reason: "A local dynptr stands for a part of a map's value or of global data.")
        }
    }

    /// Packet data may lie elsewhere now: pointers into it and slices of it are gone.
    mutating func forgetPacket() {
        state.dropPackets()
        var dynptrs: Set<UInt32> = []
        for frame in state.frames {
            for slot in frame.slots where slot.isOpaque && slot.spill.kind == .dynptr {
                switch DynptrKind(rawValue: Int(slot.spill.payload)) {
                case .skb, .xdp, .skbMeta: dynptrs.insert(slot.spill.id)
                default: break
                }
            }
        }
        for id in dynptrs { state.forgetSlices(ofDynptr: id) }
    }

    /// A write through a dynptr of a packet may move it.
    mutating func forgetPacket(behind dynptr: DynptrArgument?) {
        switch dynptr?.kind {
        case .skb?, .skbMeta?: forgetPacket()
        default: break
        }
    }
}

extension State {
    /// Slices point into what a dynptr stands for; they end with it.
    mutating func forgetSlices(ofDynptr id: UInt32) {
        forEachRegister { register in
            if register.kind == .memory, register.owner == id { register = .unknown }
        }
    }
}
