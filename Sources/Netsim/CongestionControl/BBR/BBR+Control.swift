internal import KernelABI

// From the model to the socket: pacing rate and window.

extension BBR {
    /// One percent under what the model says, so that a queue does not build up.
    func bytesPerSecond(_ tp: TCPSock, _ bandwidth: UInt32, gain: UInt32) -> UInt64 {
        var rate = UInt64(bandwidth) &* UInt64(tp.pointee.mss_cache)
        rate = (rate &* UInt64(gain)) >> 8
        rate = rate &* (1_000_000 / 100 * 99)
        return rate >> 24
    }

    private func pacingRate(_ tp: TCPSock, _ bandwidth: UInt32, gain: UInt32) -> UInt64 {
        min(bytesPerSecond(tp, bandwidth, gain: gain), tp.maxPacingRate)
    }

    /// Before there is a sample: the initial window per RTT, or per millisecond.
    mutating func startPacingRate(_ tp: TCPSock) {
        var rtt: UInt64 = 1000
        if tp.pointee.srtt_us != 0 {
            rtt = UInt64(max(tp.pointee.srtt_us >> 3, 1))
            flags.insert(.hasSeenRTT)
        }
        let bandwidth = UInt32(truncatingIfNeeded: (UInt64(tp.cwnd) << 24) / rtt)
        tp.pacingRate = pacingRate(tp, bandwidth, gain: UInt32(Parameter.highGain))
    }

    mutating func setPacingRate(_ tp: TCPSock, _ bandwidth: UInt32, gain: UInt32) {
        let rate = pacingRate(tp, bandwidth, gain: gain)
        if !flags.contains(.hasSeenRTT), tp.pointee.srtt_us != 0 { startPacingRate(tp) }
        if flags.contains(.fullBandwidthReached) || rate > tp.pacingRate { tp.pacingRate = rate }
    }

    // MARK: Windows, in segments

    private func bandwidthDelayProduct(_ bandwidth: UInt32, gain: UInt32) -> UInt32 {
        if minRTT == .max { return 10 }
        let product = UInt64(bandwidth) &* UInt64(minRTT)
        return UInt32(truncatingIfNeeded: (((product &* UInt64(gain)) >> 8) &+ 0xff_ffff) >> 24)
    }

    /// Room for bursts in the sending host, in flight and at the receiver.
    private func withBursts(_ tp: TCPSock, _ cwnd: UInt32) -> UInt32 {
        var cwnd = cwnd &+ 3 &* burst(tp)
        cwnd = (cwnd &+ 1) & ~1
        // So that probing is seen even with a small product.
        if mode == Mode.probeBandwidth, cycleIndex == 0 { cwnd = cwnd &+ 2 }
        return cwnd
    }

    /// Kernel: `bbr_tso_segs_goal`.
    private func burst(_ tp: TCPSock) -> UInt32 {
        let most: UInt64 = 65_536 - 1 - 320
        let shift = UInt64(tp.pointee.inet_conn.icsk_inet.sk.sk_pacing_shift & 63)
        let bytes = UInt32(truncatingIfNeeded: min(tp.pacingRate >> shift, most))
        return min(max(bytes / max(tp.pointee.mss_cache, 1), Self.minTSOSegments(tp)), 0x7f)
    }

    func inflight(_ tp: TCPSock, _ bandwidth: UInt32, gain: UInt32) -> UInt32 {
        withBursts(tp, bandwidthDelayProduct(bandwidth, gain: gain))
    }

    /// What will be in the network when the next paced burst leaves.
    func inNetworkAtDeparture(_ tp: TCPSock, _ inFlight: UInt32) -> UInt32 {
        let now = tp.pointee.tcp_clock_cache
        let departure = max(tp.pointee.tcp_wstamp_ns, now)
        let wait = (departure &- now) / 1000
        let delivered = UInt32(truncatingIfNeeded: (UInt64(currentBandwidth) &* wait) >> 24)
        var then = inFlight
        if UInt32(pacingGain) > Parameter.unit { then = then &+ burst(tp) }
        return delivered >= then ? 0 : then &- delivered
    }

    private func aggregationWindow() -> UInt32 {
        guard flags.contains(.fullBandwidthReached) else { return 0 }
        let most = (UInt64(currentBandwidth) &* Parameter.extraMicroseconds) >> 24
        return min(UInt32(max(extraAcked.0, extraAcked.1)), UInt32(truncatingIfNeeded: most))
    }

    mutating func setCwnd(_ tp: TCPSock, _ sample: UnsafePointer<rate_sample>, _ bandwidth: UInt32) {
        let acked = sample.pointee.acked_sacked
        var cwnd = tp.cwnd
        if acked != 0, !isConserving(tp, losses: sample.pointee.losses, acked: acked, &cwnd) {
            var target = bandwidthDelayProduct(bandwidth, gain: UInt32(cwndGain))
            target = withBursts(tp, target &+ aggregationWindow())
            if flags.contains(.fullBandwidthReached) {
                cwnd = min(cwnd &+ acked, target)
            } else if cwnd < target || tp.pointee.delivered < 10 {
                cwnd = cwnd &+ acked
            }
            cwnd = max(cwnd, Parameter.minCwnd)
        }
        tp.cwnd = min(cwnd, tp.pointee.snd_cwnd_clamp)
        if mode == Mode.probeRTT { tp.cwnd = min(tp.cwnd, Parameter.minCwnd) }
    }

    /// The first round of a recovery sends as much as is delivered; its end brings the old window back.
    /// - Returns: whether that alone decides `cwnd`.
    private mutating func isConserving(
        _ tp: TCPSock, losses: Int32, acked: UInt32, _ cwnd: inout UInt32
    ) -> Bool {
        let state = tp.caState
        if losses > 0 {
            cwnd = UInt32(bitPattern: max(Int32(bitPattern: cwnd) &- losses, 1))
        }
        if state == CAState.recovery, priorState != CAState.recovery {
            flags.insert(.packetConservation)
            nextRoundDelivered = tp.pointee.delivered
            cwnd = tp.inFlight &+ acked
        } else if priorState >= CAState.recovery, state < CAState.recovery {
            cwnd = max(cwnd, priorCwnd)
            flags.remove(.packetConservation)
        }
        priorState = state
        guard flags.contains(.packetConservation) else { return false }
        cwnd = max(cwnd, tp.inFlight &+ acked)
        return true
    }
}
