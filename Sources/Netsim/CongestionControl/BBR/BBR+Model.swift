internal import KernelABI

// The model of the path: delivery rate, smallest RTT, aggregation of ACKs.

extension BBR {
    var maxBandwidth: UInt32 { bandwidth.s.0.v }
    var currentBandwidth: UInt32 { flags.contains(.usesPolicerRate) ? policerBandwidth : maxBandwidth }

    mutating func updateBandwidth(_ tp: TCPSock, _ sample: UnsafePointer<rate_sample>) {
        flags.remove(.roundStart)
        guard sample.pointee.delivered >= 0, sample.pointee.interval_us > 0 else { return }
        if !before(sample.pointee.prior_delivered, nextRoundDelivered) {
            nextRoundDelivered = tp.pointee.delivered
            roundCount &+= 1
            flags.insert(.roundStart)
            flags.remove(.packetConservation)
        }
        samplePolicer(
            tp, losses: sample.pointee.losses, isAppLimited: sample.pointee.is_app_limited)
        let rate = UInt32(
            truncatingIfNeeded: (UInt64(UInt32(bitPattern: sample.pointee.delivered)) << 24)
                / UInt64(sample.pointee.interval_us))
        // What the application held back says nothing about the path, unless it is more than was known.
        if !sample.pointee.is_app_limited || rate >= maxBandwidth {
            bandwidth.runningMaximum(window: Parameter.bandwidthRounds, at: roundCount, rate)
        }
    }

    /// How much more than the rate explains ACKs bring at once; the window grows by it.
    mutating func updateAckAggregation(_ tp: TCPSock, _ sample: UnsafePointer<rate_sample>) {
        guard Int32(bitPattern: sample.pointee.acked_sacked) > 0, sample.pointee.delivered >= 0,
            sample.pointee.interval_us > 0
        else { return }
        if flags.contains(.roundStart) {
            extraRounds = min(31, extraRounds &+ 1)
            if extraRounds >= Parameter.extraRounds {
                extraRounds = 0
                extraIndex = extraIndex != 0 ? 0 : 1
                setExtra(0)
            }
        }
        let elapsed = tp.pointee.delivered_mstamp &- ackEpochStamp
        var expected = UInt32(truncatingIfNeeded: (UInt64(currentBandwidth) &* elapsed) >> 24)
        let acked = sample.pointee.acked_sacked
        if ackEpochAcked <= expected || ackEpochAcked &+ acked >= Parameter.ackEpochMax {
            ackEpochAcked = 0
            ackEpochStamp = tp.pointee.delivered_mstamp
            expected = 0
        }
        ackEpochAcked = min(Parameter.ackEpochMax - 1, ackEpochAcked &+ acked)
        let extra = min(ackEpochAcked &- expected, tp.cwnd)
        if extra > UInt32(extraIndex != 0 ? extraAcked.1 : extraAcked.0) {
            setExtra(UInt16(truncatingIfNeeded: extra))
        }
    }

    private mutating func setExtra(_ value: UInt16) {
        if extraIndex != 0 { extraAcked.1 = value } else { extraAcked.0 = value }
    }

    /// STARTUP ends when the rate has not grown by a quarter in three rounds.
    mutating func checkFullPipe(_ sample: UnsafePointer<rate_sample>) {
        guard !flags.contains(.fullBandwidthReached), flags.contains(.roundStart),
            !sample.pointee.is_app_limited
        else { return }
        let threshold = (UInt64(fullBandwidth) &* UInt64(Parameter.startupGrowth)) >> 8
        if UInt64(maxBandwidth) >= threshold {
            fullBandwidth = maxBandwidth
            fullBandwidthCount = 0
            return
        }
        fullBandwidthCount &+= 1
        if fullBandwidthCount >= Parameter.startupRounds { flags.insert(.fullBandwidthReached) }
    }

    /// The RTT filter; when its value is ten seconds old, ProbeRTT shrinks the window to measure afresh.
    mutating func updateMinRTT(_ tp: TCPSock, _ sample: UnsafePointer<rate_sample>) {
        let now = tp.jiffies32
        let isExpired = after(now, minRTTStamp &+ Parameter.minRTTSeconds &* tp.hz)
        let rtt = sample.pointee.rtt_us
        if rtt >= 0, rtt < Int(minRTT) || (isExpired && !sample.pointee.is_ack_delayed) {
            minRTT = UInt32(truncatingIfNeeded: rtt)
            minRTTStamp = now
        }
        if isExpired, !flags.contains(.idleRestart), mode != Mode.probeRTT {
            mode = Mode.probeRTT
            saveCwnd(tp)
            probeRTTDoneStamp = 0
        }
        if mode == Mode.probeRTT { probeRTT(tp, now: now) }
        if sample.pointee.delivered > 0 { flags.remove(.idleRestart) }
    }
}

extension minmax {
    /// The counterpart of `runningMinimum` for the largest value.
    mutating func runningMaximum(window: UInt32, at time: UInt32, _ value: UInt32) {
        // The order is all that differs, so the same filter runs on the complement.
        complement()
        runningMinimum(window: window, at: time, ~value)
        complement()
    }

    private mutating func complement() {
        s.0.v = ~s.0.v
        s.1.v = ~s.1.v
        s.2.v = ~s.2.v
    }
}
