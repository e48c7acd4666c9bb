internal import KernelABI

/// DCTCP (RFC 8257), as the kernel's tcp_dctcp.c behaves with its default parameters.
///
/// Sender: `alpha` follows the share of marked segments, and a marked window shrinks by alpha / 2. Receiver: its ACKs
/// echo exactly which segments were marked. Its state lies in `icsk_ca_priv`, where programs may overwrite it.
struct DCTCP {
    /// Counters when the observation window began.
    var oldDelivered: UInt32
    var oldDeliveredCE: UInt32
    var priorReceiveNext: UInt32
    /// 0 … 1024.
    var alpha: UInt32
    /// The observation window ends when this is acknowledged.
    var nextSeq: UInt32
    /// Whether the last segment received was marked.
    var isCE: UInt32
    var lossCwnd: UInt32

    private static let alphaMax: UInt32 = 1024
    /// g = 1/16.
    private static let gainShift: UInt32 = 4

    static func makeOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.setName("dctcp")
        ops.flags = UInt32(TCP_CONG_NEEDS_ECN)
        ops.`init` = { DCTCP.start(TCPSock.of($0)) }
        ops.in_ack_event = { sock, _ in DCTCP.updateAlpha(TCPSock.of(sock)) }
        ops.cwnd_event = { sock, event in DCTCP.cwndEvent(TCPSock.of(sock), event) }
        ops.ssthresh = { DCTCP.ssthresh(TCPSock.of($0)) }
        ops.cong_avoid = { sock, _, acked in TCPSock.of(sock).renoCongAvoid(acked: acked) }
        ops.undo_cwnd = { DCTCP.undoCwnd(TCPSock.of($0)) }
        ops.set_state = { sock, state in DCTCP.setState(TCPSock.of(sock), state) }
        return ops
    }

    @inline(__always) private static func of(_ tp: TCPSock) -> UnsafeMutablePointer<DCTCP> {
        let offset = MemoryLayout<tcp_sock>.offset(of: \.inet_conn.icsk_ca_priv).unsafelyUnwrapped
        return (UnsafeMutableRawPointer(tp) + offset).assumingMemoryBound(to: DCTCP.self)
    }

    private mutating func startWindow(_ tp: TCPSock) {
        nextSeq = tp.pointee.snd_nxt
        oldDelivered = tp.pointee.delivered
        oldDeliveredCE = tp.pointee.delivered_ce
    }

    // MARK: The ops

    /// A connection without ECN gets Reno instead.
    static func start(_ tp: TCPSock) {
        let state = tp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state
        let mayNegotiate = state == UInt8(TCP_LISTEN.rawValue) || state == UInt8(TCP_CLOSE.rawValue)
        guard tp.ecnFlags & UInt8(TCP_ECN_OK) != 0 || mayNegotiate else {
            _ = tp.flow.setCongestionControl("reno", socket: tp)
            return
        }
        var new = DCTCP(
            oldDelivered: 0, oldDeliveredCE: 0, priorReceiveNext: tp.pointee.rcv_nxt, alpha: alphaMax,
            nextSeq: 0, isCE: 0, lossCwnd: 0)
        new.startWindow(tp)
        of(tp).pointee = new
    }

    static func ssthresh(_ tp: TCPSock) -> UInt32 {
        let cwnd = tp.cwnd
        of(tp).pointee.lossCwnd = cwnd
        return max(cwnd &- (cwnd &* of(tp).pointee.alpha) >> 11, 2)
    }

    /// Once per window: alpha = alpha (1 - g) + g × marked / delivered.
    static func updateAlpha(_ tp: TCPSock) {
        let state = of(tp)
        guard !before(tp.pointee.snd_una, state.pointee.nextSeq) else { return }
        var alpha = state.pointee.alpha
        // Small values would never reach zero in integers: then everything goes.
        let decay = alpha >> gainShift
        alpha = alpha &- (decay != 0 ? decay : alpha)
        let marked = tp.pointee.delivered_ce &- state.pointee.oldDeliveredCE
        if marked != 0 {
            let delivered = max(tp.pointee.delivered &- state.pointee.oldDelivered, 1)
            alpha = min(alpha &+ (marked &<< (10 - gainShift)) / delivered, alphaMax)
        }
        state.pointee.alpha = alpha
        state.pointee.startWindow(tp)
    }

    static func setState(_ tp: TCPSock, _ newState: UInt8) {
        if newState == CAState.recovery, newState != tp.caState { halve(tp) }
    }

    static func cwndEvent(_ tp: TCPSock, _ event: tcp_ca_event) {
        switch event {
        case CA_EVENT_ECN_IS_CE: receive(tp, isCE: true)
        case CA_EVENT_ECN_NO_CE: receive(tp, isCE: false)
        case CA_EVENT_LOSS: halve(tp)
        default: break
        }
    }

    static func undoCwnd(_ tp: TCPSock) -> UInt32 { max(tp.cwnd, of(tp).pointee.lossCwnd) }

    /// Loss is answered as by any TCP.
    private static func halve(_ tp: TCPSock) {
        of(tp).pointee.lossCwnd = tp.cwnd
        tp.ssthresh = max(tp.cwnd >> 1, 2)
    }

    /// An ACK covers segments that are all marked or all not: a change sends what is due at once.
    private static func receive(_ tp: TCPSock, isCE: Bool) {
        let state = of(tp)
        let new: UInt32 = isCE ? 1 : 0
        if state.pointee.isCE != new {
            if tp.ackPending & UInt8(ICSK_ACK_TIMER.rawValue) != 0 {
                echo(tp, state.pointee.isCE == 1)
                _ = tp.flow.engine.pointee.effects.append(
                    PendingEffects.ACK(
                        socket: UInt(bitPattern: tp), rcvNxt: state.pointee.priorReceiveNext,
                        ecnFlags: tp.ecnFlags))
            }
            tp.ackPending |= UInt8(ICSK_ACK_NOW.rawValue)
        }
        state.pointee.priorReceiveNext = tp.pointee.rcv_nxt
        state.pointee.isCE = new
        echo(tp, isCE)
    }

    private static func echo(_ tp: TCPSock, _ isMarked: Bool) {
        let demand = UInt8(TCP_ECN_DEMAND_CWR)
        if isMarked { tp.ecnFlags |= demand } else { tp.ecnFlags &= ~demand }
    }
}
