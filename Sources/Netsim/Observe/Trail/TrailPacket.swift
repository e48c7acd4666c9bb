internal import KernelABI

/// A packet or ACK of a run as another run can be compared with it: sequence numbers count from the sender's first, since
/// runs with other seeds begin elsewhere.
package struct TrailPacket: Equatable, Sendable {
    package enum Kind: String, Sendable { case packet, ack }

    package var kind: Kind
    /// Nanoseconds; when it left its host.
    package var time: Int64
    package var flow: UInt32
    /// Of a packet: its first byte. Of an ACK: what it acknowledges.
    package var number: UInt32
    /// Payload bytes.
    package var length: UInt32
    /// Bytes; of an ACK.
    package var window: UInt32
    /// SACK blocks of an ACK.
    package var sackCount: UInt8
    fileprivate var flags: UInt8

    init(_ packet: Packet, isn: UInt32, at time: Nanoseconds) {
        kind = .packet
        self.time = time
        flow = packet.flow
        number = packet.seq &- isn
        length = UInt32(packet.length)
        window = 0
        sackCount = 0
        flags = packet.flags.rawValue
    }

    init(_ ack: Acknowledgement, isn: UInt32, at time: Nanoseconds) {
        kind = .ack
        self.time = time
        flow = ack.head.flow
        number = ack.head.ack &- isn
        length = 0
        window = ack.head.window
        sackCount = ack.head.sackCount
        flags = ack.head.flags.rawValue
    }

    package var flagNames: [String] {
        let names =
            kind == .packet
            ? ["syn", "fin", "push", "cwr", "ect", "ce", "retransmission", "ece"]
            : ["syn", "fin", "ece", "dsack"]
        return names.enumerated().filter { flags & 1 << UInt8($0.offset) != 0 }.map(\.element)
    }

    /// All of it, for a hash.
    var words: [UInt64] {
        [
            UInt64(bitPattern: time), UInt64(flow) << 32 | UInt64(number),
            UInt64(length) << 32 | UInt64(window),
            UInt64(sackCount) << 16 | UInt64(flags) << 8 | (kind == .packet ? 0 : 1),
        ]
    }
}

/// A packet with what its flow's sender knew just before it left.
package struct TrailEntry: Sendable {
    package var packet: TrailPacket
    package var flowName: String
    /// nil: the packet is cross traffic.
    package var sender: SenderState?

    package struct SenderState: Equatable, Sendable {
        /// Segments.
        package var cwnd: UInt32
        /// nil: infinite.
        package var ssthresh: UInt32?
        package var inFlight: UInt32
        package var srttMicroseconds: UInt32
        /// Bytes per second; nil: not limited.
        package var pacingRate: UInt64?
        /// Kernel: `enum tcp_ca_state`.
        package var caState: UInt8

        init(_ tp: TCPSock) {
            cwnd = tp.cwnd
            ssthresh = tp.ssthresh >= Kernel.infiniteSsthresh ? nil : tp.ssthresh
            inFlight = tp.inFlight
            srttMicroseconds = tp.pointee.srtt_us >> 3
            pacingRate = tp.pacingRate == Kernel.unlimitedRate ? nil : tp.pacingRate
            caState = tp.caState
        }
    }
}
