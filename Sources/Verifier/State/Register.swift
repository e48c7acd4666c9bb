import BPF

/// The abstract value of one register, or of one spilled to the stack. Plain data, so that states copy fast.
struct Register: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        /// Not written yet, or dead: may not be read.
        case uninitialised
        case scalar
        /// Context: array of 8-byte argument slots.
        case context
        /// Handle of map `payload`, as helpers take it.
        case mapHandle
        /// Into a value of map `payload`.
        case mapValue
        /// Into a key of map `payload`, read-only (argument of a for_each callback).
        case mapKey
        /// Into the stack of frame `payload` (index in `State.frames`); offset 0 is that frame's R10.
        case stack
        /// Region of `payload` bytes.
        case memory
        /// BTF object: type `payload` of the target BTF.
        case object
        /// Address of subprog `payload`, as a callback.
        case function
        /// Into the struct of the kernel that view `payload` shows (`StructViews.ID`).
        case view
        /// Into a packet, of which the first `payload` bytes from where `id` stands are known to be there.
        case packet
        /// Into what precedes a packet, likewise.
        case packetMeta
        /// The end of the packet: only compared with.
        case packetEnd
        /// Object of the program's own type `payload` (in the object's BTF), made by bpf_obj_new.
        case allocated
        /// Dynptr that the program was handed and does not own.
        case dynptrHandle
        /// Only in stack slots: state of an open-coded iterator; `payload` is the type of its struct.
        case iterator
        /// Only in stack slots: a dynptr; `payload` is its `DynptrKind`.
        case dynptr
        /// Only in stack slots: interrupt state saved by bpf_local_irq_save or a lock; `payload` is its `IRQSaver`.
        case irqFlag
    }

    struct Flags: OptionSet, Sendable {
        var rawValue: UInt16
        /// May be NULL: no access, no arithmetic before a null check.
        static let maybeNull = Flags(rawValue: 1 << 0)
        static let readOnly = Flags(rawValue: 1 << 1)
        /// Of an object: handed out by the host, so it is valid, not NULL, of exactly this type, and may be passed on.
        /// Otherwise the pointer was read from memory, and loads through it are checked at run time.
        static let trusted = Flags(rawValue: 1 << 2)
        /// The offset was computed with a constant that CO-RE has adjusted.
        static let relocated = Flags(rawValue: 1 << 3)
        /// Of an iterator: `next` has returned NULL.
        static let drained = Flags(rawValue: 1 << 4)
        /// Of an object: its address was read from a field of another. The host does not vouch for it, whatever the kernel
        /// says, so loads through it are checked at run time all the same.
        static let walked = Flags(rawValue: 1 << 10)
        /// Valid as long as the RCU read-side section lasts; what it points to may be about to be freed.
        static let rcu = Flags(rawValue: 1 << 5)
        /// Of an object: nothing vouches for the address, not even for the type.
        static let untrusted = Flags(rawValue: 1 << 6)
        /// Of an allocated object: it belongs to a list or tree, and is valid as long as the lock is held.
        static let nonOwning = Flags(rawValue: 1 << 7)
        /// Address of a variable that each CPU has a copy of: not to be used before a helper picks one.
        static let percpu = Flags(rawValue: 1 << 8)
        /// Of memory: a ring buffer's record, to be submitted or discarded.
        static let record = Flags(rawValue: 1 << 9)
    }

    /// Of a scalar its value, of a pointer the variable part of its offset in bytes.
    var scalar: Scalar
    /// Which scalars of the path's last checkpoint this one's bounds depend on. See `Checkpoint`.
    var dependencies: UInt64
    var payload: Int32
    /// Fixed part of a pointer's offset in bytes; how far a linked number is from the start of those with its id.
    var offset: Int32
    /// Registers with the same non-zero id hold numbers that are as far apart as their offsets, modulo 2^64 (scalars),
    /// or come from the same maybe-NULL result or map lookup (pointers).
    var id: UInt32
    /// The acquired reference that this pointer stands for; 0: none.
    var reference: UInt32
    /// Of memory that is part of a dynptr: the dynptr's id. 0: none.
    var owner: UInt32
    var kind: Kind
    var flags: Flags

    init(
        kind: Kind, payload: Int = 0, offset: Int = 0, flags: Flags = [], scalar: Scalar = .zero,
        id: UInt32 = 0
    ) {
        self.scalar = scalar
        self.dependencies = 0
        self.payload = Int32(truncatingIfNeeded: payload)
        self.offset = Int32(truncatingIfNeeded: offset)
        self.id = id
        self.reference = 0
        self.owner = 0
        self.kind = kind
        self.flags = flags
    }

    init(_ scalar: Scalar, dependencies: UInt64 = 0) {
        self.init(kind: .scalar, scalar: scalar)
        self.dependencies = dependencies
    }

    static let uninitialised = Register(kind: .uninitialised)
    static let unknown = Register(Scalar.unknown)

    init(constant: UInt64) { self.init(Scalar(constant: constant)) }

    var isScalar: Bool { kind == .scalar }
    var isPointer: Bool { kind != .scalar && kind != .uninitialised }
    var isNullConstant: Bool { kind == .scalar && scalar.isZero }
    var maybeNull: Bool { flags.contains(.maybeNull) }

    /// Whether the pointer is known not to be NULL. A walked object pointer may always be.
    var isNonNullPointer: Bool {
        switch kind {
        case .uninitialised, .scalar: false
        case .object: !flags.isDisjoint(with: [.trusted, .rcu]) && !maybeNull
        default: !maybeNull
        }
    }

    /// `offset` if the variable part is a constant (then it is folded in), else nil.
    var constantOffset: Int? {
        guard let variable = scalar.constant else { return nil }
        return Int(offset) &+ Int(truncatingIfNeeded: variable)
    }
}

extension Register.Kind {
    /// For messages; the kernel's words where it has them.
    var name: String {
        switch self {
        case .uninitialised: "uninitialised"
        case .scalar: "scalar"
        case .context: "ctx"
        case .mapHandle: "map_ptr"
        case .mapValue: "map_value"
        case .mapKey: "map_key"
        case .stack: "fp"
        case .memory: "mem"
        case .object: "ptr"
        case .function: "func"
        case .view: "sock"
        case .packet: "pkt"
        case .packetMeta: "pkt_meta"
        case .packetEnd: "pkt_end"
        case .iterator: "iter"
        case .allocated: "ptr"
        case .dynptrHandle: "dynptr_ptr"
        case .dynptr: "dynptr"
        case .irqFlag: "irq_flag"
        }
    }
}
