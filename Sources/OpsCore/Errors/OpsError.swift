/// Why something was refused: what the kernel would have answered, and what a person needs to fix it.
///
/// One shape for every failure of the project; it goes over the wire and into `opsctl`'s output unchanged.
public struct OpsError: Error, Equatable, Sendable {
    /// Where in the user's work the trouble lies; what is not known is nil.
    public struct Location: Equatable, Sendable {
        public var object: String?
        public var map: String?
        public var member: String?
        public var program: String?
        public var insn: Int?
        public var file: String?
        public var line: Int?

        public init(
            object: String? = nil, map: String? = nil, member: String? = nil, program: String? = nil,
            insn: Int? = nil, file: String? = nil, line: Int? = nil
        ) {
            self.object = object
            self.map = map
            self.member = member
            self.program = program
            self.insn = insn
            self.file = file
            self.line = line
        }
    }

    /// The class of failure, for programs: `object`, `verifier`, `unsupported`, `exists`, `busy`, `not-found` …
    public var code: String
    /// The kernel's number, positive. `OpsError.enotsupp` is the kernel-internal 524, which user space does see.
    public var errno: CInt
    public var location: Location
    /// One sentence: what was refused. Lower case, no full stop, the offending value quoted.
    public var text: String
    /// Why: the rule, the value, the limit.
    public var reason: String?
    /// What would fix it.
    public var suggestion: String?

    public init(
        _ code: String, errno: CInt, _ text: String, at location: Location = Location(),
        reason: String? = nil,
        suggestion: String? = nil
    ) {
        self.code = code
        self.errno = errno
        self.location = location
        self.text = text
        self.reason = reason
        self.suggestion = suggestion
    }

    /// ENOTSUPP, which is not EOPNOTSUPP (95) and leaks to user space as "Unknown error 524".
    public static let enotsupp: CInt = 524
}
