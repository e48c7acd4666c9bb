/// A kernel version as programs see it: a view of the subsystem's one superset of types. Offsets never differ between
/// profiles, so values and machine code need no translation; what differs is which members exist and their prototypes.
public struct KernelProfile: Equatable, Sendable {
    /// `6.12`.
    public var name: String
    /// Members that this kernel does not have, as `struct.member`.
    public var hiddenMembers: Set<String>
    /// Function-pointer members whose prototype is another one here.
    public var prototypes: [SwappedPrototype]
    /// What a program's `__kconfig` externs read, by name: the right sides of `CONFIG_HZ=250` in a kernel's config text,
    /// and `LINUX_KERNEL_VERSION` and its like.
    public var kconfig: [String: String]
    /// Replaces `FieldRule.flags` of these members (`tcp_congestion_ops.flags`).
    public var flagMasks: [String: UInt64]

    public init(
        name: String, hiddenMembers: Set<String> = [], prototypes: [SwappedPrototype] = [],
        kconfig: [String: String] = [:], flagMasks: [String: UInt64] = [:]
    ) {
        self.name = name
        self.hiddenMembers = hiddenMembers
        self.prototypes = prototypes
        self.kconfig = kconfig
        self.flagMasks = flagMasks
    }

    public struct SwappedPrototype: Equatable, Sendable {
        /// `tcp_congestion_ops.cong_control`.
        public var member: String
        /// FUNC of the subsystem's BTF that has the prototype of this kernel.
        public var function: String
        /// For each of its arguments, which argument of the host's call it is: `(sk, rs)` of `(sk, ack, flag, rs)` is
        /// `[0, 3]`.
        public var arguments: [Int]

        public init(member: String, function: String, arguments: [Int]) {
            self.member = member
            self.function = function
            self.arguments = arguments
        }
    }

    /// What a subsystem without profiles of its own gets, and the default of every load.
    public static let linux6_12 = KernelProfile(
        name: "6.12",
        kconfig: [
            "CONFIG_HZ": "250", "LINUX_KERNEL_VERSION": "\(6 << 16 | 12 << 8)", "LINUX_HAS_BPF_COOKIE": "1",
            "LINUX_HAS_SYSCALL_WRAPPER": "1",
        ])
}
