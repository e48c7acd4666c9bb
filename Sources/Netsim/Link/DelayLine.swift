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
    /// All but the blocks: what most ACKs are.
    struct Head {
        var due: Nanoseconds
        var flow: UInt32
        var ack: UInt32
        /// Bytes, already scaled.
        var window: UInt32
        var tsval: UInt32
        var tsecr: UInt32
        var generation: UInt16
        var flags: Flags
        /// At most four of them count.
        var sackCount: UInt8 = 0
    }
    var head: Head
    var sacks = (tcp_sack_block(), tcp_sack_block(), tcp_sack_block(), tcp_sack_block())
}

/// The way back, or the part of it that no links make up: pure delay, no rate, no loss. Flows with the same delay share one
/// line, so that it stays in order.
struct DelayLine {
    let delay: Nanoseconds
    /// When the last of them arrives: nothing is overtaken.
    var lastDue: Nanoseconds = 0
    private var heads: Ring<Acknowledgement.Head>
    /// SACK blocks of the ACKs under way, one ACK's after the other's: most have none.
    private var blocks: Ring<tcp_sack_block>

    init(delay: Nanoseconds, _ pool: PagePool.Handle) {
        self.delay = delay
        heads = Ring(pool)
        blocks = Ring(pool)
    }

    func free() {
        heads.free()
        blocks.free()
    }

    @inline(__always) var isEmpty: Bool { heads.isEmpty }
    /// When the first one arrives; there must be one.
    @inline(__always) var nextDue: Nanoseconds { heads.at(heads.head).pointee.due }

    /// - Parameter ack: due no earlier than those before it.
    @inline(__always) mutating func append(_ ack: Acknowledgement) {
        heads.append(ack.head)
        for index in 0..<Int(ack.head.sackCount) { blocks.append(ack.sack(index)) }
    }

    @inline(__always) mutating func removeFirst() -> Acknowledgement {
        let head = heads.at(heads.head).pointee
        heads.removeFirst()
        var ack = Acknowledgement(head: head)
        if head.sackCount > 0 {
            ack.sacks.0 = takeBlock()
            if head.sackCount > 1 { ack.sacks.1 = takeBlock() }
            if head.sackCount > 2 { ack.sacks.2 = takeBlock() }
            if head.sackCount > 3 { ack.sacks.3 = takeBlock() }
        }
        return ack
    }

    mutating func removeAll() {
        heads.removeAll()
        blocks.removeAll()
    }

    private mutating func takeBlock() -> tcp_sack_block {
        let block = blocks.at(blocks.head).pointee
        blocks.removeFirst()
        return block
    }
}
