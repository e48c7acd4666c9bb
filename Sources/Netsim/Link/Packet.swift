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
        /// Receive offload puts nothing behind these.
        static let endsTrain: Flags = [.syn, .fin, .push, .cwr]
    }

    /// End of service at the link it is on.
    var serviceEnd: Nanoseconds
    var flow: UInt32
    var seq: UInt32
    /// Timestamp option: sender's clock in milliseconds, and the echo.
    var tsval: UInt32
    var tsecr: UInt32
    /// Payload bytes.
    var length: UInt16
    /// IP bytes, what the link serves and its buffer counts.
    var wireLength: UInt16
    /// Low bits of the flow's count of connections.
    var generation: UInt16
    var hop: UInt8
    var flags: Flags

    init(
        serviceEnd: Nanoseconds, flow: UInt32, generation: UInt16, seq: UInt32, tsval: UInt32, tsecr: UInt32,
        length: UInt16, wireLength: UInt16, hop: UInt8, flags: Flags
    ) {
        self.serviceEnd = serviceEnd
        self.flow = flow
        self.seq = seq
        self.tsval = tsval
        self.tsecr = tsecr
        self.length = length
        self.wireLength = wireLength
        self.generation = generation
        self.hop = hop
        self.flags = flags
    }

    /// Sequence space it takes: payload, plus one for SYN and for FIN.
    @inline(__always) var endSeq: UInt32 {
        seq &+ UInt32(length) &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
    }
}

/// Sizes on the wire: IPv4 and TCP, MTU 1500.
struct Wire {
    let headerBytes: Int
    let synBytes: Int
    /// SACK blocks that fit beside the other options.
    let sackBlocks: UInt8

    init(timestamps: Bool) {
        headerBytes = timestamps ? 52 : 40
        synBytes = timestamps ? 60 : 52
        sackBlocks = timestamps ? 3 : 4
    }

    var mss: UInt32 { UInt32(1500 - headerBytes) }

    /// IP bytes of an ACK.
    func bytes(of ack: Acknowledgement) -> Int {
        if ack.head.flags.contains(.syn) { return synBytes }
        return headerBytes + (ack.head.sackCount > 0 ? 4 + 8 * Int(ack.head.sackCount) : 0)
    }
}
