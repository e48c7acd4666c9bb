/// Contexts of programs that see packets. Source: measured on Linux 6.18.
extension StructView {
    private static let controlBlock: [Field] = [
        .numbers(48..<64, each: 8, .parts, write: .parts(1)),
        .numbers(64..<68, .parts, write: .parts(1)),
    ]
    private static let data: [Field] = [
        .pointer(76, .packet, byteCount: 4), .pointer(80, .packetEnd, byteCount: 4),
    ]
    private static let socket = Field.pointer(168, .view(.sockCommon, maybeNull: true))
    private static let timestamps: [Field] = [
        .numbers(152..<160, each: 8, write: .whole), .numbers(184..<192, each: 8),
    ]

    /// `socket`: headers are read with helpers only.
    static let socketFilter = StructView(
        "__sk_buff",
        [.numbers(0..<48, .parts), .number(68), .number(84), .number(164), socket, .number(176)]
            + controlBlock)

    /// `tc`, `tcx`, `netkit`.
    static let traffic = StructView(
        "__sk_buff",
        [
            .numbers(0..<8, .parts), .numbers(8..<16, .parts, write: .whole), .numbers(16..<32, .parts),
            .number(32, write: .whole), .numbers(36..<44, .parts), .number(44, write: .whole), .number(68),
            .number(72, write: .whole), .number(84), .pointer(140, .packetMeta, byteCount: 4),
            .numbers(160..<168, .parts), socket, .number(176), .numbers(180..<181, each: 1),
        ] + controlBlock + data + timestamps)

    static let cgroupSKB = StructView(
        "__sk_buff",
        [
            .numbers(0..<8, .parts), .number(8, write: .whole), .numbers(12..<32, .parts),
            .number(32, write: .whole), .numbers(36..<48, .parts), .number(68), .numbers(84..<92, .parts),
            .numbers(92..<132), .numbers(132..<140, .parts), .number(164), socket, .number(176),
        ] + controlBlock + data + timestamps)

    static let lightweightTunnel = StructView(
        "__sk_buff",
        [
            .numbers(0..<8, .parts), .number(8, write: .whole), .numbers(12..<32, .parts),
            .number(32, write: .whole), .numbers(36..<48, .parts), .number(68), .number(84), .number(164),
            socket, .number(176),
        ] + controlBlock + data)

    static let streamParser = StructView(
        "__sk_buff",
        [
            .numbers(0..<8, .parts), .numbers(12..<32, .parts), .number(32, write: .whole),
            .numbers(36..<44, .parts), .number(44, write: .whole), .numbers(48..<64, each: 8, .parts),
            .numbers(64..<72, .parts), .numbers(84..<92, .parts), .numbers(92..<132),
            .numbers(132..<140, .parts), .number(164), socket, .number(176),
        ] + data)

    static let flowDissector = StructView("__sk_buff", data + [.pointer(144, .flowKeys)])

    /// - Parameter isDevmap: the program runs for the entries of a devmap, and knows where the packet goes.
    static func xdp(isDevmap: Bool) -> StructView {
        StructView(
            "xdp_md",
            [
                .pointer(0, .packet, byteCount: 4), .pointer(4, .packetEnd, byteCount: 4),
                .pointer(8, .packetMeta, byteCount: 4), .numbers(12..<(isDevmap ? 24 : 20)),
            ])
    }

    static let message = StructView(
        "sk_msg_md",
        [
            .pointer(0, .packet), .pointer(8, .packetEnd), .numbers(16..<72),
            .pointer(72, .view(.sock, maybeNull: false)),
        ])

    static let reuseport = StructView(
        "sk_reuseport_md",
        [
            .pointer(0, .packet), .pointer(8, .packetEnd), .number(16), .numbers(20..<24, each: 4),
            // The protocol of the packet is two bytes, and may be read as such.
            .numbers(20..<24, each: 2), .numbers(24..<32, .parts), .numbers(32..<36),
            .pointer(40, .view(.sock, maybeNull: false)), .pointer(48, .view(.sockCommon, maybeNull: true)),
        ])

    static let netfilter = StructView(
        "bpf_nf_ctx", [.pointer(0, .object("nf_hook_state")), .pointer(8, .object("sk_buff"))])
}
