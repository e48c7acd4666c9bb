internal import KernelABI

// The modes: STARTUP, DRAIN, PROBE_BW with its cycle of gains, PROBE_RTT.

extension BBR {
    mutating func updateGains() {
        switch mode {
        case Mode.startup: (pacingGain, cwndGain) = (Parameter.highGain, Parameter.highGain)
        case Mode.drain: (pacingGain, cwndGain) = (Parameter.drainGain, Parameter.highGain)
        case Mode.probeBandwidth:
            let gain = Parameter.cycle[Int(cycleIndex & 7)]
            pacingGain = flags.contains(.usesPolicerRate) ? UInt16(Parameter.unit) : gain
            cwndGain = Parameter.cwndGain
        default: (pacingGain, cwndGain) = (UInt16(Parameter.unit), UInt16(Parameter.unit))
        }
    }

    /// Drains the queue that STARTUP has built.
    mutating func checkDrain(_ tp: TCPSock) {
        if mode == Mode.startup, flags.contains(.fullBandwidthReached) {
            mode = Mode.drain
            tp.ssthresh = inflight(tp, maxBandwidth, gain: Parameter.unit)
        }
        if mode == Mode.drain,
            inNetworkAtDeparture(tp, tp.inFlight) <= inflight(tp, maxBandwidth, gain: Parameter.unit)
        {
            enterProbeBandwidth(tp)
        }
    }

    // MARK: PROBE_BW

    mutating func updateCycle(_ tp: TCPSock, _ sample: UnsafePointer<rate_sample>) {
        if mode == Mode.probeBandwidth, isPhaseOver(tp, sample) { nextPhase(tp) }
    }

    private func isPhaseOver(_ tp: TCPSock, _ sample: UnsafePointer<rate_sample>) -> Bool {
        let elapsed = Int64(bitPattern: tp.pointee.delivered_mstamp &- cycleStamp)
        let isFullLength = max(elapsed, 0) > Int64(minRTT)
        let gain = UInt32(pacingGain)
        if gain == Parameter.unit { return isFullLength }
        let inNetwork = inNetworkAtDeparture(tp, sample.pointee.prior_in_flight)
        if gain > Parameter.unit {
            // Probing lasts until the pipe holds that much, or something was lost on the way there.
            return isFullLength
                && (sample.pointee.losses != 0 || inNetwork >= inflight(tp, maxBandwidth, gain: gain))
        }
        return isFullLength || inNetwork <= inflight(tp, maxBandwidth, gain: Parameter.unit)
    }

    private mutating func nextPhase(_ tp: TCPSock) {
        cycleIndex = (cycleIndex &+ 1) & 7
        cycleStamp = tp.pointee.delivered_mstamp
    }

    /// Begins anywhere in the cycle but where it drains, so that flows do not probe together.
    mutating func enterProbeBandwidth(_ tp: TCPSock) {
        mode = Mode.probeBandwidth
        let draw = tp.flow.engine.pointee.cycleRandom.next()
        // The upper half of draw × 7 is uniform in 0 … 6.
        cycleIndex = 7 - UInt8(truncatingIfNeeded: draw.multipliedFullWidth(by: 7).high)
        nextPhase(tp)
    }

    // MARK: PROBE_RTT

    mutating func probeRTT(_ tp: TCPSock, now: UInt32) {
        // The low rate of this mode is no sign of the path.
        let mark = tp.pointee.delivered &+ tp.inFlight
        tp.appLimited = mark != 0 ? mark : 1
        if probeRTTDoneStamp == 0 {
            guard tp.inFlight <= Parameter.minCwnd else { return }
            probeRTTDoneStamp = now &+ tp.jiffies(microseconds: Parameter.probeRTTMilliseconds &* 1000)
            flags.remove(.probeRTTRoundDone)
            nextRoundDelivered = tp.pointee.delivered
        } else {
            if flags.contains(.roundStart) { flags.insert(.probeRTTRoundDone) }
            if flags.contains(.probeRTTRoundDone) { checkProbeRTTDone(tp) }
        }
    }

    mutating func checkProbeRTTDone(_ tp: TCPSock) {
        let now = tp.jiffies32
        guard probeRTTDoneStamp != 0, after(now, probeRTTDoneStamp) else { return }
        minRTTStamp = now
        tp.cwnd = max(tp.cwnd, priorCwnd)
        if flags.contains(.fullBandwidthReached) {
            enterProbeBandwidth(tp)
        } else {
            mode = Mode.startup
        }
    }

    /// Before recovery or ProbeRTT changes it.
    mutating func saveCwnd(_ tp: TCPSock) {
        if priorState < CAState.recovery, mode != Mode.probeRTT {
            priorCwnd = tp.cwnd
        } else {
            priorCwnd = max(priorCwnd, tp.cwnd)
        }
    }
}
