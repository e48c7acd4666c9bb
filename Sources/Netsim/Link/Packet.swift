/// A data-direction packet on a link: one segment, or a bare SYN, ACK or FIN of the sender.
struct Packet {
    struct Flags: OptionSet {
        var rawValue: UInt8
        static let syn = Flags(rawValue: 1)
        static let fin = Flags(rawValue: 2)
        static let push = Flags(rawValue: 4)
        static let cwr = Flags(rawValue: 8)
        /// ECT(0): a marking link may turn it into `ce`.
        static let ect = Flags(rawValue: 16)
        static let ce = Flags(rawValue: 32)
        static let retransmission = Flags(rawValue: 64)
        /// The sender's flag for its own received data; only DCTCP-style echo on bare ACKs uses it.
        static let ece = Flags(rawValue: 128)
    }

    /// End of service at the link it is on.
    var serviceEnd: Nanoseconds
    var flow: UInt32
    var generation: UInt32
    var seq: UInt32
    /// Timestamp option: sender's clock in milliseconds, and the echo.
    var tsval: UInt32
    var tsecr: UInt32
    /// Payload bytes.
    var length: UInt16
    /// IP bytes, what the link serves and its buffer counts.
    var wireLength: UInt16
    var hop: UInt8
    var flags: Flags

    /// Sequence space it takes: payload, plus one for SYN and for FIN.
    @inline(__always) var endSeq: UInt32 {
        seq &+ UInt32(length) &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
    }
}

/// Sizes on the wire, IPv4 and TCP with timestamps, MTU 1500.
enum Wire {
    static let headerBytes = 52
    static let mss: UInt32 = 1448
    static let synBytes = 60
    /// A SACK option with n blocks adds 4 + 8 n bytes; it only matters on the way back, which has no rate limit.
}
