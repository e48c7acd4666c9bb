internal import KernelABI

/// What the result says about a flow, over all its connections.
struct FlowStatistics {
    var connectTime: Nanoseconds = 0
    var hasReceivedFIN = false
    var failure: FlowFailure?

    /// Of connections that are closed; the open one adds its own (`total`).
    private var closedBytesAcked: UInt64 = 0
    private var closedRetransmissions: UInt64 = 0
    private var closedDataSegments: UInt64 = 0
    private var closedBytesSent: UInt64 = 0
    /// FINs without payload, which the socket counts among its data segments.
    var bareFINs: UInt64 = 0
    /// Data packets whose bytes had been sent before.
    var resentRanges: UInt64 = 0
    /// Op calls of programs that left a window, or a pacing rate, of 0.
    var zeroWindows: UInt64 = 0
    var zeroPacing: UInt64 = 0
    private(set) var lossEvents: UInt64 = 0
    private(set) var rtoEvents: UInt64 = 0
    private(set) var cwrEvents: UInt64 = 0
    /// Times of entries into Recovery or Loss: the second and the last, for the time between them.
    private(set) var secondLossEntry: Nanoseconds = 0
    private(set) var lastLossEntry: Nanoseconds = 0
    private(set) var minRTT: UInt32 = .max

    private(set) var samples: UInt64 = 0
    private(set) var srttSum: Double = 0
    private(set) var cwndSum: Double = 0
    private(set) var slowStartExit: (time: Nanoseconds, cwnd: UInt32)?

    /// Completion times, in order.
    private(set) var completions: [Nanoseconds] = []

    /// Kernel: tracepoint `tcp_cong_state_set`; a repeated timeout counts again.
    mutating func enter(_ state: UInt8, from before: UInt8, at now: Nanoseconds) {
        if state == CAState.cwr { cwrEvents &+= 1 }
        if state == CAState.recovery, before < CAState.recovery {
            lossEvents &+= 1
        } else if state == CAState.loss {
            rtoEvents &+= 1
        } else {
            return
        }
        lastLossEntry = now
        if lossEvents &+ rtoEvents == 2 { secondLossEntry = now }
    }

    /// Mean time between entries into Recovery or Loss, without the first one; nil with fewer than three.
    var lossEpoch: Nanoseconds? {
        let count = lossEvents &+ rtoEvents
        return count > 2 ? (lastLossEntry - secondLossEntry) / Nanoseconds(count - 2) : nil
    }

    /// What TCP_INFO would say now.
    mutating func sample(_ tp: TCPSock, at time: Nanoseconds) {
        samples &+= 1
        srttSum += Double(tp.pointee.srtt_us >> 3)
        cwndSum += Double(tp.cwnd)
        if slowStartExit == nil, tp.ssthresh < Kernel.infiniteSsthresh { slowStartExit = (time, tp.cwnd) }
    }

    mutating func completed(after elapsed: Nanoseconds) { completions.append(elapsed) }

    mutating func closeConnection(_ flow: Flow) {
        closedBytesAcked &+= Self.payloadAcked(flow)
        closedRetransmissions &+= UInt64(flow.tp.pointee.total_retrans)
        closedDataSegments &+= UInt64(flow.tp.pointee.data_segs_out)
        closedBytesSent &+= flow.tp.pointee.bytes_sent
        minRTT = min(minRTT, flow.tp.minRTT)
    }

    /// Without the SYN's and the FIN's sequence numbers.
    private static func payloadAcked(_ flow: Flow) -> UInt64 {
        let all = flow.tp.pointee.bytes_acked
        let isFINAcked = flow.pointee.finSent && flow.tp.pointee.snd_una == flow.tp.pointee.write_seq
        return all &- min(all, isFINAcked ? 2 : 1)
    }

    /// All connections so far, the open one included.
    func bytesAcked(_ flow: Flow) -> UInt64 {
        closedBytesAcked &+ (flow.isOpen ? Self.payloadAcked(flow) : 0)
    }
    func retransmissions(_ flow: Flow) -> UInt64 {
        closedRetransmissions &+ (flow.isOpen ? UInt64(flow.tp.pointee.total_retrans) : 0)
    }
    /// Packets with payload that were sent, first or again, and the bytes in them.
    func dataPackets(_ flow: Flow) -> UInt64 {
        closedDataSegments &+ (flow.isOpen ? UInt64(flow.tp.pointee.data_segs_out) : 0) &- bareFINs
    }
    func dataBytes(_ flow: Flow) -> UInt64 {
        closedBytesSent &+ (flow.isOpen ? flow.tp.pointee.bytes_sent : 0)
    }
    func minRTT(_ flow: Flow) -> UInt32 { min(minRTT, flow.isOpen ? flow.tp.minRTT : .max) }
}
