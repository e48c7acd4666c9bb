internal import KernelABI

/// A packet of the receiver on its way back to the sender.
struct Acknowledgement {
    struct Flags: OptionSet {
        var rawValue: UInt8
        static let syn = Flags(rawValue: 1)
        static let fin = Flags(rawValue: 2)
        static let ece = Flags(rawValue: 4)
        /// The first block reports a duplicate (RFC 2883).
        static let dsack = Flags(rawValue: 8)
    }
    var due: Nanoseconds
    var flow: UInt32
    var ack: UInt32
    /// Bytes, already scaled.
    var window: UInt32
    var tsval: UInt32
    var tsecr: UInt32
    var generation: UInt16
    var flags: Flags
    var sackCount: UInt8
    var sacks: (tcp_sack_block, tcp_sack_block, tcp_sack_block, tcp_sack_block)
}

/// The way back: pure delay, no rate, no loss. Flows with the same delay share one line, so that it stays in order.
struct DelayLine {
    let delay: Nanoseconds
    var packets: Ring<Acknowledgement>
    /// When the last of them arrives: jitter does not reorder.
    var lastDue: Nanoseconds = 0

    init(delay: Nanoseconds) {
        self.delay = delay
        packets = Ring(capacity: 64)
    }

    func free() { packets.free() }
}
