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
        /// In the list of segments by time of transmission.
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
    /// Last transmission, on the programs' clock.
    var sentNanoseconds: UInt64
    /// Delivery state when it was last sent: the low bits of microseconds, and segments. Segments live minutes at most.
    var firstTxMstamp: UInt32 = 0
    var deliveredMstamp: UInt32 = 0
    var delivered: UInt32 = 0
    var deliveredCE: UInt32 = 0
    /// Neighbours in the list by time of transmission; numbers in the ring, or `FlowState.none`.
    var next: UInt32 = 0
    var previous: UInt32 = 0

    /// - Parameter end: at most 65,535 after `seq`.
    init(seq: UInt32, end: UInt32, sentNanoseconds: UInt64, flags: Flags) {
        self.seq = seq
        length = UInt16(truncatingIfNeeded: end &- seq)
        self.flags = flags
        self.sentNanoseconds = sentNanoseconds
    }

    /// After its payload and its SYN or FIN.
    @inline(__always) var end: UInt32 { seq &+ UInt32(length) }
    @inline(__always) var sentMicroseconds: UInt64 { sentNanoseconds / 1000 }
    @inline(__always) var payload: UInt32 {
        end &- seq &- (flags.contains(.fin) ? 1 : 0) &- (flags.contains(.syn) ? 1 : 0)
    }
}

/// Bytes of the write queue that lie in one packet. Kernel counterpart: an skb of `sk_write_queue`.
struct WriteChunk {
    /// Sequence number after its last byte; it begins where the one before ends.
    var end: UInt32
    /// A write() ended here, or half a window has been filled since the last mark.
    var isPush: Bool
}
