internal import KernelABI

/// BBR version 1, as the kernel's tcp_bbr.c behaves (draft-cardwell-iccrg-bbr-congestion-control-00).
///
/// A model of the path (largest delivery rate of 10 rounds, smallest RTT of 10 s) sets the pacing rate and the window;
/// loss matters little. `BBR+Model` keeps the model, `BBR+Cycle` the modes, `BBR+Policer` the rate of a token bucket,
/// `BBR+Control` what follows for the socket.
///
/// Its state lies in `icsk_ca_priv`, which programs that call the `bbr_*` kfuncs may overwrite: everything is computed
/// with wrapping arithmetic, and every value of a field is legal.
///
/// Units: bandwidth in segments per microsecond × 2^24, gains × 256, times in microseconds or jiffies as named.
struct BBR {
    /// Smallest RTT, microseconds; `.max`: none yet.
    var minRTT: UInt32 = 0
    /// Jiffies.
    var minRTTStamp: UInt32 = 0
    /// Jiffies at which ProbeRTT may end; 0: its window has not drained yet.
    var probeRTTDoneStamp: UInt32 = 0
    var bandwidth = minmax()
    var roundCount: UInt32 = 0
    /// Value of `delivered` at which the round ends.
    var nextRoundDelivered: UInt32 = 0
    var fullBandwidthCount: UInt8 = 0
    var policerRounds: UInt8 = 0
    /// Which of `extraAcked` is filled now, and for how many rounds.
    var extraIndex: UInt8 = 0
    var extraRounds: UInt8 = 0
    /// Start of the gain cycle's phase, microseconds.
    var cycleStamp: UInt64 = 0
    var policerBandwidth: UInt32 = 0
    var policerDelivered: UInt32 = 0
    /// Milliseconds.
    var policerStamp: UInt32 = 0
    var policerLost: UInt32 = 0
    var fullBandwidth: UInt32 = 0
    /// Window before recovery or ProbeRTT.
    var priorCwnd: UInt32 = 0
    var ackEpochStamp: UInt64 = 0
    var ackEpochAcked: UInt32 = 0
    /// Segments ACKed beyond what the rate explains, of two windows of five rounds.
    var extraAcked: (UInt16, UInt16) = (0, 0)
    var mode: UInt8 = 0
    var priorState: UInt8 = 0
    var cycleIndex: UInt8 = 0
    var flags: Flags = []
    var pacingGain: UInt16 = 0
    var cwndGain: UInt16 = 0

    struct Flags: OptionSet {
        var rawValue: UInt8
        static let roundStart = Flags(rawValue: 1)
        static let packetConservation = Flags(rawValue: 2)
        static let idleRestart = Flags(rawValue: 4)
        static let probeRTTRoundDone = Flags(rawValue: 8)
        static let fullBandwidthReached = Flags(rawValue: 16)
        static let hasSeenRTT = Flags(rawValue: 32)
        static let policerSampling = Flags(rawValue: 64)
        static let usesPolicerRate = Flags(rawValue: 128)
    }

    enum Mode {
        static let startup: UInt8 = 0
        static let drain: UInt8 = 1
        static let probeBandwidth: UInt8 = 2
        static let probeRTT: UInt8 = 3
    }

    /// Names from the draft, section 4.
    enum Parameter {
        static let unit: UInt32 = 256
        /// 2/ln 2.
        static let highGain: UInt16 = 739
        static let drainGain: UInt16 = 88
        static let cwndGain: UInt16 = 512
        static let cycle: [8 of UInt16] = [320, 192, 256, 256, 256, 256, 256, 256]
        static let bandwidthRounds: UInt32 = 10
        static let minRTTSeconds: UInt32 = 10
        static let probeRTTMilliseconds: UInt32 = 200
        static let minCwnd: UInt32 = 4
        static let startupGrowth: UInt32 = 320
        static let startupRounds: UInt8 = 3
        static let extraRounds: UInt8 = 5
        static let extraMicroseconds: UInt64 = 100_000
        static let ackEpochMax: UInt32 = 1 << 20
        /// Bytes per second under which a burst is one segment.
        static let smallRate: UInt64 = 1_200_000 / 8
    }

    static func makeOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.setName("bbr")
        ops.flags = UInt32(TCP_CONG_NON_RESTRICTED)
        ops.`init` = { BBR.start(TCPSock.of($0)) }
        ops.cong_control = { sock, _, _, sample in
            // SAFETY: the engine passes a sample with every call.
            BBR.control(TCPSock.of(sock), sample.unsafelyUnwrapped)
        }
        ops.sndbuf_expand = { _ in BBR.sendBufferFactor }
        ops.undo_cwnd = { BBR.undoCwnd(TCPSock.of($0)) }
        ops.cwnd_event = { sock, event in BBR.cwndEvent(TCPSock.of(sock), event) }
        ops.ssthresh = { BBR.ssthresh(TCPSock.of($0)) }
        ops.min_tso_segs = { BBR.minTSOSegments(TCPSock.of($0)) }
        ops.set_state = { sock, state in BBR.setState(TCPSock.of(sock), state) }
        return ops
    }

    /// The state in a socket's private area.
    @inline(__always) static func of(_ tp: TCPSock) -> UnsafeMutablePointer<BBR> {
        assert(MemoryLayout<BBR>.size <= 104)
        let offset = MemoryLayout<tcp_sock>.offset(of: \.inet_conn.icsk_ca_priv).unsafelyUnwrapped
        return (UnsafeMutableRawPointer(tp) + offset).assumingMemoryBound(to: BBR.self)
    }

    // MARK: The ops

    static let sendBufferFactor: UInt32 = 3

    static func start(_ tp: TCPSock) {
        var state = BBR()
        tp.ssthresh = Kernel.infiniteSsthresh
        state.nextRoundDelivered = tp.pointee.delivered
        state.minRTT = tp.minRTT
        state.minRTTStamp = tp.jiffies32
        state.bandwidth.reset(at: 0, 0)
        state.pacingGain = Parameter.highGain
        state.cwndGain = Parameter.highGain
        state.ackEpochStamp = tp.pointee.tcp_mstamp
        state.startPolicerInterval(tp)
        state.startPacingRate(tp)
        of(tp).pointee = state
        if tp.pacingStatus == SK_PACING_NONE.rawValue { tp.pacingStatus = SK_PACING_NEEDED.rawValue }
    }

    /// Once per ACK: the model, then the mode, then rate and window.
    static func control(_ tp: TCPSock, _ sample: UnsafePointer<rate_sample>) {
        let state = of(tp)
        state.pointee.updateBandwidth(tp, sample)
        state.pointee.updateAckAggregation(tp, sample)
        state.pointee.updateCycle(tp, sample)
        state.pointee.checkFullPipe(sample)
        state.pointee.checkDrain(tp)
        state.pointee.updateMinRTT(tp, sample)
        state.pointee.updateGains()
        let bandwidth = state.pointee.currentBandwidth
        state.pointee.setPacingRate(tp, bandwidth, gain: UInt32(state.pointee.pacingGain))
        state.pointee.setCwnd(tp, sample, bandwidth)
    }

    static func ssthresh(_ tp: TCPSock) -> UInt32 {
        of(tp).pointee.saveCwnd(tp)
        return tp.ssthresh
    }

    /// A spurious recovery may have hidden growth: look for a full pipe afresh.
    static func undoCwnd(_ tp: TCPSock) -> UInt32 {
        of(tp).pointee.fullBandwidth = 0
        of(tp).pointee.fullBandwidthCount = 0
        of(tp).pointee.resetPolicer(tp)
        return tp.cwnd
    }

    static func cwndEvent(_ tp: TCPSock, _ event: tcp_ca_event) {
        guard event == CA_EVENT_TX_START, tp.appLimited != 0 else { return }
        let state = of(tp)
        state.pointee.flags.insert(.idleRestart)
        state.pointee.ackEpochStamp = tp.pointee.tcp_mstamp
        state.pointee.ackEpochAcked = 0
        if state.pointee.mode == Mode.probeBandwidth {
            state.pointee.setPacingRate(tp, state.pointee.currentBandwidth, gain: Parameter.unit)
        } else if state.pointee.mode == Mode.probeRTT {
            state.pointee.checkProbeRTTDone(tp)
        }
    }

    static func setState(_ tp: TCPSock, _ newState: UInt8) {
        guard newState == CAState.loss else { return }
        let state = of(tp)
        state.pointee.priorState = CAState.loss
        state.pointee.fullBandwidth = 0
        // A timeout counts as the end of a round with losses.
        state.pointee.flags.insert(.roundStart)
        state.pointee.samplePolicer(tp, losses: 1, isAppLimited: false)
    }

    static func minTSOSegments(_ tp: TCPSock) -> UInt32 { tp.pacingRate < Parameter.smallRate ? 1 : 2 }
}
