internal import KernelABI

// Token buckets: bursts pass, then a steady share is lost. Two intervals of 4 to 16 rounds, each begun and ended by a
// loss, with a fifth lost and nearly equal rates, make that rate the sending rate for 48 rounds.

extension BBR {
    private static let intervalRoundsMin: UInt8 = 4
    /// × 256.
    private static let lossThreshold: UInt64 = 50
    private static let ratio: UInt64 = 32
    /// Bytes per second.
    private static let difference: UInt64 = 500
    private static let roundsMax: UInt8 = 48

    mutating func startPolicerInterval(_ tp: TCPSock) {
        policerStamp = UInt32(truncatingIfNeeded: tp.pointee.delivered_mstamp / 1000)
        policerDelivered = tp.pointee.delivered
        policerLost = tp.pointee.lost
        policerRounds = 0
    }

    mutating func resetPolicer(_ tp: TCPSock) {
        policerBandwidth = 0
        flags.subtract([.usesPolicerRate, .policerSampling])
        startPolicerInterval(tp)
    }

    mutating func samplePolicer(_ tp: TCPSock, losses: Int32, isAppLimited: Bool) {
        if flags.contains(.usesPolicerRate) {
            guard mode == Mode.probeBandwidth, flags.contains(.roundStart) else { return }
            policerRounds &+= 1
            if policerRounds >= Self.roundsMax {
                resetPolicer(tp)
                enterProbeBandwidth(tp)
            }
            return
        }
        if !flags.contains(.policerSampling) {
            guard losses != 0 else { return }
            startPolicerInterval(tp)
            flags.insert(.policerSampling)
        }
        if isAppLimited {
            resetPolicer(tp)
            return
        }
        if flags.contains(.roundStart) { policerRounds &+= 1 }
        if policerRounds < Self.intervalRoundsMin { return }
        if policerRounds > 4 * Self.intervalRoundsMin {
            resetPolicer(tp)
            return
        }
        // An interval ends with a loss, that is, with an empty bucket.
        if losses != 0 { endPolicerInterval(tp) }
    }

    private mutating func endPolicerInterval(_ tp: TCPSock) {
        let lost = tp.pointee.lost &- policerLost
        let delivered = tp.pointee.delivered &- policerDelivered
        guard delivered != 0, UInt64(lost) << 8 >= Self.lossThreshold &* UInt64(delivered) else { return }
        let elapsed = UInt32(truncatingIfNeeded: tp.pointee.delivered_mstamp / 1000) &- policerStamp
        guard Int32(bitPattern: elapsed) >= 1 else { return }
        guard elapsed < UInt32.max / 1000 else {
            resetPolicer(tp)
            return
        }
        let rate = UInt32(truncatingIfNeeded: (UInt64(delivered) << 24) / (UInt64(elapsed) &* 1000))
        if policerBandwidth != 0 {
            let gap = rate > policerBandwidth ? rate &- policerBandwidth : policerBandwidth &- rate
            if UInt64(gap) &* UInt64(Parameter.unit) <= Self.ratio &* UInt64(policerBandwidth)
                || bytesPerSecond(tp, gap, gain: Parameter.unit) <= Self.difference
            {
                policerBandwidth = UInt32(
                    truncatingIfNeeded: (UInt64(rate) &+ UInt64(policerBandwidth)) >> 1)
                flags.insert(.usesPolicerRate)
                pacingGain = UInt16(Parameter.unit)
                policerRounds = 0
                return
            }
        }
        policerBandwidth = rate
        startPolicerInterval(tp)
    }
}
