internal import KernelABI

// Round-trip time, its variation, the retransmission timeout and the windowed minimum (RFC 6298, as Linux does it).

extension Flow {
    @inline(__always) var rtoMinMicroseconds: UInt32 {
        UInt32(truncatingIfNeeded: engine.pointee.host.minRTO / .microsecond)
    }

    /// Takes one RTT measurement into the smoothed mean and the mean deviation. Kernel: `tcp_rtt_estimator`.
    func updateRTT(_ microseconds: UInt32) {
        let tp = tp
        var m = Int64(microseconds)
        var srtt = tp.pointee.srtt_us
        if srtt != 0 {
            m -= Int64(srtt >> 3)
            srtt = UInt32(truncatingIfNeeded: Int64(srtt) + m)
            if m < 0 {
                m = -m - Int64(tp.pointee.mdev_us >> 2)
                // A falling RTT widens the deviation only slowly, or the timeout would jump up when delay goes down.
                if m > 0 { m >>= 3 }
            } else {
                m -= Int64(tp.pointee.mdev_us >> 2)
            }
            tp.pointee.mdev_us = UInt32(truncatingIfNeeded: Int64(tp.pointee.mdev_us) + m)
            if tp.pointee.mdev_us > tp.pointee.mdev_max_us {
                tp.pointee.mdev_max_us = tp.pointee.mdev_us
                if tp.pointee.mdev_max_us > tp.pointee.rttvar_us {
                    tp.pointee.rttvar_us = tp.pointee.mdev_max_us
                }
            }
            if after(tp.pointee.snd_una, tp.pointee.rtt_seq) {
                if tp.pointee.mdev_max_us < tp.pointee.rttvar_us {
                    tp.pointee.rttvar_us &-= (tp.pointee.rttvar_us &- tp.pointee.mdev_max_us) >> 2
                }
                tp.pointee.rtt_seq = tp.pointee.snd_nxt
                tp.pointee.mdev_max_us = rtoMinMicroseconds
            }
        } else {
            srtt = UInt32(truncatingIfNeeded: m << 3)
            tp.pointee.mdev_us = UInt32(truncatingIfNeeded: m << 1)
            tp.pointee.rttvar_us = max(tp.pointee.mdev_us, rtoMinMicroseconds)
            tp.pointee.mdev_max_us = tp.pointee.rttvar_us
            tp.pointee.rtt_seq = tp.pointee.snd_nxt
        }
        tp.pointee.srtt_us = max(1, srtt)
    }

    /// Kernel: `tcp_set_rto`.
    func updateRTO() {
        let microseconds = (tp.pointee.srtt_us >> 3) &+ tp.pointee.rttvar_us
        tp.rto = min(engine.jiffies(microseconds: microseconds), rtoMaxJiffies)
    }

    @inline(__always) var rtoMaxJiffies: UInt32 { Kernel.rtoMaxSeconds &* engine.pointee.host.hz }

    /// - Parameters: times in microseconds, negative for "none".
    /// - Returns: whether there was a measurement. Kernel: `tcp_ack_update_rtt`.
    func updateRTT(seq: Int64, sack: Int64, congestion: Int64, flag: UInt32, tsecr: UInt32) -> Bool {
        var seq = seq
        var congestion = congestion
        if seq < 0 { seq = sack }
        if seq < 0, tsecr != 0, flag & AckFlag.acked != 0 {
            // Retransmitted data: only the echoed timestamp, in milliseconds, tells which copy was acknowledged.
            let delta = UInt32(truncatingIfNeeded: tp.pointee.tcp_mstamp / 1000) &- tsecr
            if delta < UInt32(Int32.max) / 1000 {
                seq = Int64(max(delta, 1)) * 1000
                congestion = seq
            }
        }
        engine.pointee.rateSample.pointee.rtt_us = Int(congestion)
        guard seq >= 0 else { return false }
        updateMinRTT(UInt32(truncatingIfNeeded: max(congestion, 0)), flag: flag)
        updateRTT(UInt32(truncatingIfNeeded: seq))
        updateRTO()
        tp.pointee.inet_conn.icsk_backoff = 0
        return true
    }

    /// Kernel: `tcp_update_rtt_min`.
    func updateMinRTT(_ microseconds: UInt32, flag: UInt32) {
        if flag & AckFlag.maybeDelayed != 0, microseconds > tp.minRTT { return }
        let window = Kernel.minRTTWindowSeconds &* engine.pointee.host.hz
        let value = microseconds != 0 ? microseconds : engine.jiffyMicroseconds
        tp.pointee.rtt_min.runningMinimum(window: window, at: engine.jiffies32, value)
    }
}

extension minmax {
    /// Best, second and third best of a sliding window, in constant space. Kernel: `minmax_running_min`, after
    /// K. Nichols' filter.
    mutating func runningMinimum(window: UInt32, at time: UInt32, _ value: UInt32) {
        let new = minmax_sample(t: time, v: value)
        if value <= s.0.v || new.t &- s.2.t > window {
            s = (new, new, new)
            return
        }
        if value <= s.1.v {
            s.2 = new
            s.1 = new
        } else if value <= s.2.v {
            s.2 = new
        }
        let age = new.t &- s.0.t
        if age > window {
            // The best left the window: the others move up, at most twice.
            s = (s.1, s.2, new)
            if new.t &- s.0.t > window { s = (s.1, s.2, new) }
        } else if s.1.t == s.0.t, age > window / 4 {
            s.2 = new
            s.1 = new
        } else if s.2.t == s.1.t, age > window / 2 {
            s.2 = new
        }
    }

    mutating func reset(at time: UInt32, _ value: UInt32) {
        let new = minmax_sample(t: time, v: value)
        s = (new, new, new)
    }
}
