/// One segment of the retransmission queue. Kernel counterpart: an skb of the rtx queue, at most one segment long.
struct Segment {
    struct Flags: OptionSet {
        var rawValue: UInt16
        static let sacked = Flags(rawValue: 1)
        /// A retransmission of it is in flight.
        static let retransmitted = Flags(rawValue: 2)
        static let lost = Flags(rawValue: 4)
        static let everRetransmitted = Flags(rawValue: 8)
        static let syn = Flags(rawValue: 16)
        static let fin = Flags(rawValue: 32)
        static let appLimited = Flags(rawValue: 64)
        /// Still looked at for being lost: neither SACKed nor found lost since it was last sent.
        static let listed = Flags(rawValue: 128)
        /// Last of the segments that left as one packet of TSO.
        static let endsBurst = Flags(rawValue: 256)
        static let push = Flags(rawValue: 512)
        /// Its delivery state has not been used for a rate sample yet.
        static let hasRate = Flags(rawValue: 1024)

        @inline(__always) var isRetransmission: Bool {
            !isDisjoint(with: [.retransmitted, .everRetransmitted])
        }
    }

    var seq: UInt32
    /// Sequence numbers it takes: payload, SYN and FIN.
    private var length: UInt16
    var flags: Flags
    /// Last transmission: the low bits of microseconds on the programs' clock. Segments live minutes at most.
    var sent: UInt32
    /// Number of the `DeliveryState` when it was last sent; counts only with `hasRate`.
    var delivery: UInt32

    /// - Parameters:
    ///   - end: at most 65,535 after `seq`.
    ///   - stamp: of its transmission, nanoseconds.
    init(seq: UInt32, end: UInt32, stamp: UInt64, flags: Flags, delivery: UInt32 = 0) {
        self.seq = seq
        length = UInt16(truncatingIfNeeded: end &- seq)
        self.flags = flags
        sent = UInt32(truncatingIfNeeded: stamp / 1000)
        self.delivery = delivery
    }

    /// After its payload and its SYN or FIN.
    @inline(__always) var end: UInt32 { seq &+ UInt32(length) }
    @inline(__always) var payload: UInt32 {
        end &- seq &- (flags.contains(.fin) ? 1 : 0) &- (flags.contains(.syn) ? 1 : 0)
    }
}

/// What had been delivered when segments were sent, for rate samples: the same for all that leave between two ACKs.
/// Kernel counterpart: the `tx` part of an skb's control block.
struct DeliveryState: Equatable {
    /// Low bits of microseconds.
    var firstTxMstamp: UInt32
    var deliveredMstamp: UInt32
    /// Segments.
    var delivered: UInt32
    var deliveredCE: UInt32
}

/// One retransmission. It is history when the segment has gone, or has been sent again since.
struct Resent {
    /// Number of the segment.
    var number: UInt32
    /// As `Segment.sent` then.
    var sent: UInt32
}

/// Bytes of the write queue that lie in one packet. Kernel counterpart: an skb of `sk_write_queue`.
struct WriteChunk {
    /// Sequence number after its last byte; it begins where the one before ends.
    var end: UInt32
    /// A write() ended here, or half a window has been filled since the last mark.
    var isPush: Bool
}
