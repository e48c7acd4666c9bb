/// One struct_ops type as its subsystem describes it: data, and nothing but data.
///
/// What the C struct itself says (members, offsets, prototypes) comes from the subsystem's BTF; this adds what C cannot
/// say. Kernel counterpart: `struct bpf_struct_ops` with its `cfi_stubs` and `verifier_ops`.
public struct StructOpsType: Sendable {
    /// Name of the C struct, for example `tcp_congestion_ops`. Its value struct is `bpf_struct_ops_<name>`.
    public var name: String
    /// Function-pointer members that programs may implement. One that is missing here is unsupported: a program for it
    /// is refused at load.
    public var members: [String: Member]
    /// Data members that a user may set. Every other byte of a value must be zero.
    public var fields: [String: FieldRule]
    /// Each group names alternatives of which at least one must be set: `[["ssthresh"], ["cong_avoid", "cong_control"]]`.
    public var required: [[String]]
    public var attachment: Attachment
    /// Helpers that its programs may call beside those that every program may (`OpsRuntime.baseHelpers`), by id.
    public var helpers: Set<Int32>
    /// Fields of BTF objects that its programs may write.
    public var writable: [WritableField]
    /// An argument of the first struct type is really one of the second: TCP passes `sock`, meaning `tcp_sock`.
    public var promotions: [String: String]
    /// Whether `Subsystem.update` is implemented; if not, updating a link is EOPNOTSUPP.
    public var supportsUpdate: Bool

    public init(
        name: String, members: [String: Member], fields: [String: FieldRule] = [:], required: [[String]] = [],
        attachment: Attachment = .none, helpers: Set<Int32> = [], writable: [WritableField] = [],
        promotions: [String: String] = [:], supportsUpdate: Bool = false
    ) {
        self.name = name
        self.members = members
        self.fields = fields
        self.required = required
        self.attachment = attachment
        self.helpers = helpers
        self.writable = writable
        self.promotions = promotions
        self.supportsUpdate = supportsUpdate
    }

    /// A supported function-pointer member.
    public struct Member: Sendable {
        /// FUNC of the subsystem's BTF whose parameter names carry `__nullable` and `__ref`; nil: those of the member's
        /// own prototype count. Kernel counterpart: the function in `cfi_stubs`.
        public var stub: String?
        /// Programs of a `.s` section may implement it.
        public var allowsSleepable: Bool
        /// Helpers that the type allows but not here, with the sentence that says why.
        public var refusedHelpers: [Int32: String]
        /// Helpers allowed here only.
        public var helpers: Set<Int32>
        /// Names of the kfuncs that may be called here; nil: all of the subsystem's.
        public var kfuncs: Set<String>?

        public init(
            stub: String? = nil, allowsSleepable: Bool = false, refusedHelpers: [Int32: String] = [:],
            helpers: Set<Int32> = [], kfuncs: Set<String>? = nil
        ) {
            self.stub = stub
            self.allowsSleepable = allowsSleepable
            self.refusedHelpers = refusedHelpers
            self.helpers = helpers
            self.kfuncs = kfuncs
        }
    }

    /// What a data member accepts when the subsystem's `initMember` leaves it to the default.
    public enum FieldRule: Equatable, Sendable {
        /// A terminated, non-empty string of letters, digits, `_` and `.`, as TCP, Qdisc and the scheduler require.
        case name
        /// An integer with no bit outside the mask.
        case flags(mask: UInt64)
        /// Any bytes: they are copied.
        case any
    }

    /// How the subsystem finds a registration.
    public enum Attachment: Equatable, Sendable {
        /// There is one at most, or the subsystem has its own way.
        case none
        /// By the string in this member (`tcp_congestion_ops.name`).
        case name(member: String)
        /// By the id of a target object in this member (`hid_bpf_ops.hid_id`).
        case target(member: String)
    }

    /// A field that programs may write; a write must start at its offset and stay inside.
    public struct WritableField: Equatable, Sendable {
        public var structure: String
        /// Members joined by dots: `sk_pacing_rate`, `icsk_ack.pending`.
        public var path: String
        /// A write may start anywhere inside (`icsk_ca_priv`).
        public var allowsInnerOffsets: Bool

        public init(_ structure: String, _ path: String, allowsInnerOffsets: Bool = false) {
            self.structure = structure
            self.path = path
            self.allowsInnerOffsets = allowsInnerOffsets
        }
    }
}
