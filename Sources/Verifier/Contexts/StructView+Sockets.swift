/// Contexts of programs that decide for sockets and cgroups. Source: measured on Linux 6.18.
extension StructView {
    static let sockOps = StructView(
        "bpf_sock_ops",
        [
            .numbers(0..<4), .numbers(4..<8, write: .whole), .numbers(8..<164),
            .numbers(164..<168, write: .whole), .numbers(168..<184, each: 8),
            .pointer(184, .view(.sock, maybeNull: true)), .pointer(192, .packet), .pointer(200, .packetEnd),
            .numbers(208..<212), .numbers(212..<216, .start), .numbers(216..<224, each: 8),
        ])

    /// Nothing has been bound yet: marks and the device can be chosen.
    static let newSocket = StructView(
        "bpf_sock",
        [
            .numbers(0..<4, write: .whole), .numbers(4..<16, .start), .numbers(16..<24, write: .whole),
            .numbers(48..<52, .start), .numbers(52..<72, .parts), .numbers(72..<80, .start),
        ])

    /// - Parameter isIPv6: which of the two local addresses is set.
    static func boundSocket(isIPv6: Bool) -> StructView {
        StructView(
            "bpf_sock",
            [
                .numbers(4..<16, .start), .numbers(isIPv6 ? 28..<44 : 24..<28, .parts),
                .numbers(44..<52, .start), .numbers(52..<72, .parts), .numbers(72..<80, .start),
            ])
    }

    package enum AddressFamily: Sendable { case ipv4, ipv6, unix }

    /// - Parameter hasSource: the program may choose the address to send from.
    static func socketAddress(_ family: AddressFamily, hasSource: Bool) -> StructView {
        var fields: [Field] = [
            .numbers(0..<4), .number(24, write: .whole), .numbers(28..<40),
            .pointer(64, .view(.sock, maybeNull: false)),
        ]
        switch family {
        case .ipv4:
            fields.append(.number(4, write: .whole))
            if hasSource { fields.append(.number(40, write: .whole)) }
        case .ipv6:
            fields.append(.numbers(8..<24, each: 8, .parts, write: .parts(4)))
            if hasSource {
                fields += [
                    .number(44, write: .whole), .numbers(48..<56, each: 8, .parts, write: .parts(4)),
                    .number(56, write: .whole),
                ]
            }
        case .unix: break
        }
        return StructView("bpf_sock_addr", fields)
    }

    static let device = StructView("bpf_cgroup_dev_ctx", [.number(0), .numbers(4..<12)])
    static let sysctl = StructView("bpf_sysctl", [.number(0), .number(4, write: .whole)])

    static func socketOption(isSet: Bool) -> StructView {
        StructView(
            "bpf_sockopt",
            [
                .pointer(0, .view(.sock, maybeNull: false)), .pointer(8, .packet), .pointer(16, .packetEnd),
                .numbers(24..<32, write: isSet ? .whole : .no), .numbers(32..<36, write: .whole),
            ] + (isSet ? [] : [.numbers(36..<40, write: .whole)]))
    }

    static let socketLookup = StructView(
        "bpf_sk_lookup", [.pointer(0, .view(.sock, maybeNull: true)), .numbers(8..<68, .parts)])
}
