package import BPF

/// What surrounds a program: its arguments, what it may call and write, what it must return. Made by the host for one
/// member of one struct_ops type (or for `prog run`), and data for the verifier.
///
/// Kernel counterpart: `struct bpf_verifier_ops` plus what `check_struct_ops_btf_id` finds.
package struct ProgramContext: Sendable {
    /// For messages: `tcp_congestion_ops.ssthresh`.
    package var name: String
    package var arguments: Arguments
    /// BTF that the typed arguments, kfuncs and writable fields refer to; its identity in `BTFRef`s is `targetID`.
    package var target: BTF?
    package var targetID: UInt32
    package var result: Result
    /// Helpers that may be called here, by id. Others are refused with the reason in `refusedHelpers` or a general one.
    package var helpers: Set<Int32>
    package var refusedHelpers: [Int32: String]
    /// Names of kfuncs that may be called here; nil: every kfunc that resolved.
    package var kfuncs: Set<String>?
    /// Names of kfuncs of the kernel that programs of this type may not call.
    package var refusedKfuncs: Set<String> = []
    /// Fields of BTF objects that may be written.
    package var writable: [WritableField]
    /// An argument of this struct type is really one of that type. Kernel: TCP promotes `sock` to `tcp_sock`.
    package var promotions: [TypeID: TypeID]
    package var isSleepable: Bool
    /// What it may do with the bytes of packets that its context leads to.
    package var packets: PacketRules = .none
    /// Pointers read from objects may be passed on where the kernel allows it. It relies on the kernel's memory being what
    /// its types say, so only for programs that are judged and not run.
    package var passesWalkedPointers = false
    /// Maps with locks, timers or lists may not be used, for this reason; nil: they may.
    package var refusesLocks: String?
    /// Refuse a program whose bound (see `VerifiedProgram.bound`) exceeds this.
    package var boundLimit: UInt64
    /// Turns that fuelled loops may take together in one call.
    package var fuel: UInt64

    package enum Arguments: Sendable {
        /// R1 points to an array of 8-byte slots, one per parameter of the FUNC_PROTO `prototype` in `target`.
        /// Parameter names may carry `__nullable` or `__ref` (taken from `stub` where given, else from the prototype).
        case slots(prototype: TypeID, stub: TypeID?)
        /// R1 = read-write memory of exactly this size (0: R1 is the constant 0), R2 = the size, a known constant.
        case memory(byteCount: Int)
        /// R1 points to a struct that the kernel shows in parts.
        case view(StructView)
        /// R1 points to the arguments of a kernel function or tracepoint, as `target` has them.
        case hook(Hook)
        /// R1 points to something of which nothing is known: it may be kept and passed on, not read.
        case unknown
    }

    package enum Result: Sendable {
        /// As the prototype says: void leaves R0 free; else R0 must be an initialised scalar.
        case fromPrototype
        /// Any scalar in R0.
        case scalar
        /// A number in this range.
        case range(ClosedRange<Int64>)
    }

    package struct PacketRules: OptionSet, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let none: PacketRules = []
        package static let readable = PacketRules(rawValue: 1 << 0)
        package static let writable = PacketRules(rawValue: 1 << 1)
        /// To helpers, as memory.
        package static let passable = PacketRules(rawValue: 1 << 2)
    }

    /// A field that programs may write. A write must start at `offset` (anywhere inside, if `isInner`) and stay inside.
    package struct WritableField: Sendable {
        package var structure: TypeID
        package var offset: Int
        package var byteCount: Int
        package var allowsInnerOffsets: Bool

        package init(structure: TypeID, offset: Int, byteCount: Int, allowsInnerOffsets: Bool = false) {
            self.structure = structure
            self.offset = offset
            self.byteCount = byteCount
            self.allowsInnerOffsets = allowsInnerOffsets
        }
    }

    package init(
        name: String, arguments: Arguments, target: BTF? = nil, targetID: UInt32 = 1,
        result: Result = .fromPrototype,
        helpers: Set<Int32> = [], refusedHelpers: [Int32: String] = [:], kfuncs: Set<String>? = nil,
        writable: [WritableField] = [], promotions: [TypeID: TypeID] = [:], isSleepable: Bool = false,
        boundLimit: UInt64 = 1 << 40, fuel: UInt64 = 1 << 23
    ) {
        self.name = name
        self.arguments = arguments
        self.target = target
        self.targetID = targetID
        self.result = result
        self.helpers = helpers
        self.refusedHelpers = refusedHelpers
        self.kfuncs = kfuncs
        self.writable = writable
        self.promotions = promotions
        self.isSleepable = isSleepable
        self.boundLimit = boundLimit
        self.fuel = fuel
    }
}
