internal import KernelABI

/// CUBIC with HyStart, as the kernel's tcp_cubic.c behaves with its default parameters (RFC 9438; Ha and Rhee 2011).
///
/// Its state lies in `icsk_ca_priv`, which programs that call the `cubictcp_*` kfuncs may overwrite: everything is
/// computed with wrapping arithmetic.
struct Cubic {
    /// ACKed segments per segment of growth.
    var count: UInt32
    /// Window before the last reduction, segments.
    var lastMax: UInt32
    var lastCwnd: UInt32
    /// Jiffies of the last recalculation.
    var lastTime: UInt32
    /// Plateau of the curve, segments.
    var origin: UInt32
    /// Time from the epoch's start to the plateau, 1/1024 s.
    var k: UInt32
    /// Smallest RTT seen, microseconds; 0: none.
    var minDelay: UInt32
    /// Jiffies; 0: the next ACK begins an epoch.
    var epochStart: UInt32
    var ackCount: UInt32
    /// Window that Reno would have.
    var renoCwnd: UInt32
    // HyStart: not cleared by `reset`, but for `found`.
    var sampleCount: UInt8
    var found: UInt8
    var roundStart: UInt32
    var endSeq: UInt32
    var lastAck: UInt32
    var currentRTT: UInt32

    private static let betaScale: UInt32 = 1024
    private static let beta: UInt32 = 717
    private static let rttScale: UInt64 = 410
    /// 2^40 / 410.
    private static let factor: UInt64 = (1 << 40) / rttScale
    /// 8 (1 + beta) / (3 (1 - beta)).
    private static let renoScale: UInt32 = 15
    private static let hystartLowWindow: UInt32 = 16
    private static let hystartAckDelta: Int32 = 2000
    private static let hystartSamples: UInt8 = 8

    static func makeOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.setName("cubic")
        ops.`init` = { Cubic.start(TCPSock.of($0)) }
        ops.ssthresh = { Cubic.ssthresh(TCPSock.of($0)) }
        ops.cong_avoid = { sock, _, acked in Cubic.congAvoid(TCPSock.of(sock), acked: acked) }
        ops.set_state = { sock, state in Cubic.setState(TCPSock.of(sock), state) }
        ops.undo_cwnd = { TCPSock.of($0).renoUndoCwnd }
        ops.cwnd_event = { sock, event in Cubic.cwndEvent(TCPSock.of(sock), event) }
        ops.pkts_acked = { sock, sample in
            // SAFETY: the engine passes a sample with every call.
            Cubic.acked(TCPSock.of(sock), sample.unsafelyUnwrapped.pointee.rtt_us)
        }
        return ops
    }

    /// The state in a socket's private area.
    @inline(__always) private static func of(_ tp: TCPSock) -> UnsafeMutablePointer<Cubic> {
        assert(MemoryLayout<Cubic>.size <= 104)
        let offset = MemoryLayout<tcp_sock>.offset(of: \.inet_conn.icsk_ca_priv).unsafelyUnwrapped
        return (UnsafeMutableRawPointer(tp) + offset).assumingMemoryBound(to: Cubic.self)
    }

    private mutating func reset() {
        let kept = self
        self = Cubic(
            count: 0, lastMax: 0, lastCwnd: 0, lastTime: 0, origin: 0, k: 0, minDelay: 0, epochStart: 0,
            ackCount: 0, renoCwnd: 0, sampleCount: kept.sampleCount, found: 0, roundStart: kept.roundStart,
            endSeq: kept.endSeq, lastAck: kept.lastAck, currentRTT: kept.currentRTT)
    }

    private mutating func resetHystart(_ tp: TCPSock) {
        let now = UInt32(truncatingIfNeeded: tp.pointee.tcp_mstamp)
        roundStart = now
        lastAck = now
        endSeq = tp.pointee.snd_nxt
        currentRTT = .max
        sampleCount = 0
    }

    // MARK: The ops

    static func start(_ tp: TCPSock) {
        let state = of(tp)
        state.pointee.reset()
        state.pointee.resetHystart(tp)
    }

    static func cwndEvent(_ tp: TCPSock, _ event: tcp_ca_event) {
        guard event == CA_EVENT_TX_START else { return }
        let state = of(tp)
        let now = tp.jiffies32
        let idle = Int32(bitPattern: now &- tp.pointee.lsndtime)
        // An idle time must not count as time in which the curve grew.
        if state.pointee.epochStart != 0, idle > 0 {
            state.pointee.epochStart = state.pointee.epochStart &+ UInt32(bitPattern: idle)
            if after(state.pointee.epochStart, now) { state.pointee.epochStart = now }
        }
    }

    static func congAvoid(_ tp: TCPSock, acked: UInt32) {
        guard tp.isCwndLimited else { return }
        var acked = acked
        if tp.isInSlowStart {
            acked = tp.slowStart(acked: acked)
            if acked == 0 { return }
        }
        let state = of(tp)
        state.pointee.update(tp, acked: acked)
        tp.congestionAvoidance(w: state.pointee.count, acked: acked)
    }

    static func ssthresh(_ tp: TCPSock) -> UInt32 {
        let state = of(tp)
        let cwnd = tp.cwnd
        state.pointee.epochStart = 0
        // Fast convergence: a flow that lost before it reached its old maximum leaves room for others.
        if cwnd < state.pointee.lastMax {
            state.pointee.lastMax = (cwnd &* (betaScale + beta)) / (2 * betaScale)
        } else {
            state.pointee.lastMax = cwnd
        }
        return max((cwnd &* beta) / betaScale, 2)
    }

    static func setState(_ tp: TCPSock, _ state: UInt8) {
        guard state == CAState.loss else { return }
        of(tp).pointee.reset()
        of(tp).pointee.resetHystart(tp)
    }

    static func acked(_ tp: TCPSock, _ rtt: Int32) {
        guard rtt >= 0 else { return }
        let state = of(tp)
        // Just after a recovery, delays still show the old queue.
        if state.pointee.epochStart != 0,
            Int32(bitPattern: tp.jiffies32 &- state.pointee.epochStart) < Int32(tp.hz)
        {
            return
        }
        let delay = max(UInt32(rtt), 1)
        if state.pointee.minDelay == 0 || state.pointee.minDelay > delay { state.pointee.minDelay = delay }
        if state.pointee.found == 0, tp.isInSlowStart {
            state.pointee.updateHystart(tp, delay: delay)
        }
    }

    // MARK: The curve

    /// Kernel: `bictcp_update`.
    private mutating func update(_ tp: TCPSock, acked: UInt32) {
        let now = tp.jiffies32
        let hz = UInt64(tp.hz)
        let cwnd = tp.cwnd
        ackCount &+= acked
        if lastCwnd == cwnd, Int32(bitPattern: now &- lastTime) <= Int32(hz / 32) { return }
        if epochStart == 0 || now != lastTime {
            lastCwnd = cwnd
            lastTime = now
            if epochStart == 0 { beginEpoch(now, cwnd: cwnd, acked: acked) }
            updateCount(now, hz: hz, cwnd: cwnd, minDelayJiffies: tp.jiffies(microseconds: minDelay))
        }
        keepUpWithReno(cwnd)
        count = max(count, 2)
    }

    private mutating func beginEpoch(_ now: UInt32, cwnd: UInt32, acked: UInt32) {
        epochStart = now
        ackCount = acked
        renoCwnd = cwnd
        if lastMax <= cwnd {
            k = 0
            origin = cwnd
        } else {
            k = Self.cubeRoot(Self.factor &* UInt64(lastMax &- cwnd))
            origin = lastMax
        }
    }

    private mutating func updateCount(_ now: UInt32, hz: UInt64, cwnd: UInt32, minDelayJiffies: UInt32) {
        let elapsed = Int64(Int32(bitPattern: now &- epochStart)) &+ Int64(minDelayJiffies)
        let t = (UInt64(bitPattern: elapsed) &<< 10) / hz
        let offset = t < UInt64(k) ? UInt64(k) &- t : t &- UInt64(k)
        let delta = UInt32(truncatingIfNeeded: (Self.rttScale &* offset &* offset &* offset) >> 40)
        let target = t < UInt64(k) ? origin &- delta : origin &+ delta
        count = target > cwnd ? cwnd / (target &- cwnd) : 100 &* cwnd
        // While the capacity is unknown, grow by 5 % per RTT at least.
        if lastMax == 0, count > 20 { count = 20 }
    }

    /// Never slower than Reno would be.
    private mutating func keepUpWithReno(_ cwnd: UInt32) {
        let delta = (cwnd &* Self.renoScale) >> 3
        if delta != 0, ackCount > delta {
            let steps = (ackCount &- 1) / delta
            ackCount &-= steps &* delta
            renoCwnd &+= steps
        }
        if renoCwnd > cwnd {
            let limit = cwnd / (renoCwnd &- cwnd)
            if count > limit { count = limit }
        }
    }

    /// The largest x with x³ <= a.
    static func cubeRoot(_ a: UInt64) -> UInt32 {
        var root: UInt64 = 0
        var rest = a
        // Digit by digit in base 2, three bits of `a` at a time.
        var shift = 63
        while shift >= 0 {
            root <<= 1
            let step = 3 &* root &* (root &+ 1) &+ 1
            if rest >> UInt64(shift) >= step {
                rest &-= step << UInt64(shift)
                root &+= 1
            }
            shift -= 3
        }
        return UInt32(truncatingIfNeeded: root)
    }

    // MARK: HyStart

    /// Leaves slow start when a round's ACKs come as one long train, or its delay has grown. Kernel: `hystart_update`.
    private mutating func updateHystart(_ tp: TCPSock, delay: UInt32) {
        // Rounds begin whatever the window; only small ones are not judged (as since Linux 6.14).
        if after(tp.pointee.snd_una, endSeq) { resetHystart(tp) }
        guard tp.cwnd >= Self.hystartLowWindow else { return }
        let now = UInt32(truncatingIfNeeded: tp.pointee.tcp_mstamp)
        if Int32(bitPattern: now &- lastAck) <= Self.hystartAckDelta {
            lastAck = now
            var threshold = minDelay &+ Self.ackDelay(tp)
            if tp.pacingStatus == 0 { threshold >>= 1 }
            if Int64(Int32(bitPattern: now &- roundStart)) > Int64(threshold) {
                found = 1
                tp.ssthresh = tp.cwnd
            }
        }
        if currentRTT > delay { currentRTT = delay }
        if sampleCount < Self.hystartSamples {
            sampleCount &+= 1
        } else if currentRTT > minDelay &+ min(max(minDelay >> 3, 4000), 16000) {
            found = 1
            tp.ssthresh = tp.cwnd
        }
    }

    /// Time that bursts may add to an ACK train, at most 1 ms.
    private static func ackDelay(_ tp: TCPSock) -> UInt32 {
        let rate = tp.pacingRate
        guard rate != 0 else { return 0 }
        let bytes = UInt64(tp.pointee.inet_conn.icsk_inet.sk.sk_gso_max_size) &* 4_000_000
        return UInt32(truncatingIfNeeded: min(1000, bytes / rate))
    }
}
