/// How to judge programs without loading them.
public struct CheckOptions: Sendable {
    public enum Context: Equatable, Sendable {
        /// From the section and from the struct_ops variables that name the program.
        case auto
        /// Any section: R1 may only be left alone, any scalar in R0.
        case none
        /// As a member of this type; the member is that whose name the section's or the program's ends with.
        case type(String)
    }
    /// Only this program; nil: all.
    public var program: String?
    public var context: Context
    /// Raw BTF to judge against instead of the subsystem's.
    public var btf: [UInt8]?
    public var profile: String?
    public var kconfig: [String: String]
    /// Asked every few thousand instructions; true ends the check with a refusal.
    public var isCancelled: (@Sendable () -> Bool)?
    /// 0, 1 or 2: how much of the kernel-style log to keep.
    public var logLevel: Int

    public init(
        program: String? = nil, context: Context = .auto, btf: [UInt8]? = nil, profile: String? = nil,
        kconfig: [String: String] = [:], logLevel: Int = 0,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) {
        self.program = program
        self.context = context
        self.btf = btf
        self.profile = profile
        self.kconfig = kconfig
        self.logLevel = logLevel
        self.isCancelled = isCancelled
    }
}

/// Verdict on one program.
public struct CheckedProgram: Sendable {
    public enum Verdict: String, Sendable { case accept, reject, unsupported }

    /// Why a program was not accepted, for the person who wrote the C.
    public struct Reason: Equatable, Sendable {
        /// Whose no it is.
        public enum Kind: String, Sendable {
            /// No host could take the program: it may do harm, or is malformed.
            case rejected
            /// It may be fine, and uses something that is not built here.
            case notImplemented = "not_implemented"
            /// It is safe, and what it is for does not allow it.
            case refusedBySubsystem = "refused_by_subsystem"
        }

        public var kind: Kind
        /// First words for people: "Verification failed", "Refused by tcp_congestion_ops.init".
        public var headline: String
        public var category: String
        public var problem: String
        public var reason: String
        public var at: [String]
        public var causalPath: [String]
        public var suggestion: String?
        public var insn: Int?
        public var file: String?
        public var line: Int?
    }

    public var program: String
    public var section: String
    /// `tcp_congestion_ops.ssthresh`, or nil if no context was found.
    public var context: String?
    public var verdict: Verdict
    public var reason: Reason?
    public var insnCount: Int
    public var processed: Int
    /// nil unless accepted.
    public var bound: UInt64?
    public var verifyMicroseconds: UInt64
    public var log: String
}
