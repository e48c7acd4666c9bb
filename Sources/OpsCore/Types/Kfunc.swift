package import BPF
public import CShim

/// A function that a subsystem offers to programs: a FUNC of its BTF with code behind it.
@safe public struct Kfunc: Sendable {
    /// Same bits as the kernel's `KF_*`.
    public struct Flags: OptionSet, Sendable {
        public var rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let acquire = Flags(rawValue: 1 << 0)
        public static let release = Flags(rawValue: 1 << 1)
        public static let retNull = Flags(rawValue: 1 << 2)
        public static let trustedArgs = Flags(rawValue: 1 << 4)
        public static let sleepable = Flags(rawValue: 1 << 5)
        public static let destructive = Flags(rawValue: 1 << 6)
        public static let rcu = Flags(rawValue: 1 << 7)
        public static let iterNew = Flags(rawValue: 1 << 8)
        public static let iterNext = Flags(rawValue: 1 << 9)
        public static let iterDestroy = Flags(rawValue: 1 << 10)
    }

    /// Name of the FUNC.
    public var name: String
    public var flags: Flags
    /// Arguments 1 to 5 as BPF passes them, then the block of the calling instance.
    public var function: ops_helper_fn
    /// What `function` computes, as instructions for the JIT to put in the place of calls; empty: it is always called.
    ///
    /// Nobody verifies them: they are trusted as `function` is. See `CompileRequest.kfuncBodies`.
    package var body: [Instruction]

    public init(_ name: String, flags: Flags = .trustedArgs, function: ops_helper_fn) {
        self.name = name
        self.flags = flags
        unsafe self.function = function
        body = []
    }

    package init(_ name: String, flags: Flags = .trustedArgs, body: [Instruction], function: ops_helper_fn) {
        unsafe self.init(name, flags: flags, function: function)
        self.body = body
    }
}

/// A helper that a subsystem implements, by its number in the UAPI (`BPF_FUNC_tcp_send_ack` is 116).
@safe public struct HelperImplementation: Sendable {
    public var id: Int32
    public var function: ops_helper_fn

    public init(id: Int32, function: ops_helper_fn) {
        self.id = id
        unsafe self.function = function
    }
}
