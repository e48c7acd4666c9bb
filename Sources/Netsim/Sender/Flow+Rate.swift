internal import KernelABI

// Delivery rate samples (draft-cheng-iccrg-delivery-rate-estimation), as in the kernel's tcp_rate.c.

extension Flow {
    /// Segments are being sent at `stamp`, microseconds: what has been delivered so far. Kernel: `tcp_rate_skb_sent`.
    /// - Returns: the number of the delivery state for them.
    @inline(__always) func noteSent(at stamp: UInt64, isFirstInFlight: Bool) -> UInt32 {
        let tp = tp
        if isFirstInFlight {
            tp.pointee.first_tx_mstamp = stamp
            tp.pointee.delivered_mstamp = stamp
        }
        let state = DeliveryState(
            firstTxMstamp: UInt32(truncatingIfNeeded: tp.pointee.first_tx_mstamp),
            deliveredMstamp: UInt32(truncatingIfNeeded: tp.pointee.delivered_mstamp),
            delivered: tp.pointee.delivered, deliveredCE: tp.pointee.delivered_ce)
        let last = pointee.deliveries.tail &- 1
        if pointee.deliveries.isEmpty || pointee.deliveries.at(last).pointee != state {
            pointee.deliveries.append(state)
            return last &+ 1
        }
        return last
    }

    @inline(__always) func noteAppLimited(_ flags: inout Segment.Flags) {
        if tp.appLimited != 0 { flags.insert(.appLimited) } else { flags.remove(.appLimited) }
    }

    /// The sample of an ACK takes the most recently sent of the segments it delivers. Kernel: `tcp_rate_skb_delivered`.
    @inline(__always) func noteDelivered(_ segment: UnsafeMutablePointer<Segment>) {
        let tp = tp
        guard segment.pointee.flags.contains(.hasRate) else { return }
        let rs = engine.pointee.rateSample
        let sent = sentMicroseconds(segment)
        if rs.pointee.prior_delivered == 0
            || isSentAfter(sent, tp.pointee.first_tx_mstamp, segment.pointee.end, rs.pointee.last_end_seq)
        {
            let before = pointee.deliveries.at(segment.pointee.delivery).pointee
            rs.pointee.prior_delivered_ce = before.deliveredCE
            rs.pointee.prior_delivered = before.delivered
            let now = tp.pointee.tcp_mstamp
            let age = UInt32(truncatingIfNeeded: now) &- before.deliveredMstamp
            rs.pointee.prior_mstamp = now &- UInt64(age)
            rs.pointee.is_app_limited = segment.pointee.flags.contains(.appLimited)
            rs.pointee.is_retrans = segment.pointee.flags.isRetransmission
            rs.pointee.last_end_seq = segment.pointee.end
            tp.pointee.first_tx_mstamp = sent
            rs.pointee.interval_us = Int(segment.pointee.sent &- before.firstTxMstamp)
        }
        if segment.pointee.flags.contains(.sacked) { segment.pointee.flags.remove(.hasRate) }
    }

    /// Completes the sample. Kernel: `tcp_rate_gen`.
    func completeRateSample(delivered: UInt32, lost: UInt32, isReneging: Bool) {
        let tp = tp
        let rs = engine.pointee.rateSample
        if tp.appLimited != 0, after(tp.pointee.delivered, tp.appLimited) { tp.appLimited = 0 }
        if delivered != 0 { tp.pointee.delivered_mstamp = tp.pointee.tcp_mstamp }
        rs.pointee.acked_sacked = delivered
        rs.pointee.losses = Int32(bitPattern: lost)
        if rs.pointee.prior_mstamp == 0 || isReneging {
            rs.pointee.delivered = -1
            rs.pointee.interval_us = -1
            return
        }
        rs.pointee.delivered = Int32(bitPattern: tp.pointee.delivered &- rs.pointee.prior_delivered)
        rs.pointee.delivered_ce = Int32(
            bitPattern: (tp.pointee.delivered_ce &- rs.pointee.prior_delivered_ce) & 0xf_ffff)
        let sendInterval = UInt64(bitPattern: Int64(rs.pointee.interval_us))
        let ackInterval = tp.pointee.tcp_mstamp &- rs.pointee.prior_mstamp
        rs.pointee.interval_us = Int(truncatingIfNeeded: max(sendInterval, ackInterval))
        rs.pointee.snd_interval_us = UInt32(truncatingIfNeeded: sendInterval)
        rs.pointee.rcv_interval_us = UInt32(truncatingIfNeeded: ackInterval)
        if rs.pointee.interval_us < Int(tp.minRTT) {
            rs.pointee.interval_us = -1
            return
        }
        let rate = UInt64(UInt32(bitPattern: rs.pointee.delivered)) &* UInt64(tp.pointee.rate_interval_us)
        let best = UInt64(tp.pointee.rate_delivered) &* UInt64(bitPattern: Int64(rs.pointee.interval_us))
        if !rs.pointee.is_app_limited || rate >= best {
            tp.pointee.rate_delivered = UInt32(bitPattern: rs.pointee.delivered)
            tp.pointee.rate_interval_us = UInt32(truncatingIfNeeded: rs.pointee.interval_us)
            tp.pointee.rate_app_limited = rs.pointee.is_app_limited ? 1 : 0
        }
    }

    /// The application is about to write: has it let the pipe run dry? Kernel: `tcp_rate_check_app_limited`.
    func checkAppLimited() {
        if tp.pointee.write_seq &- tp.pointee.snd_nxt < tp.pointee.mss_cache, tp.inFlight < tp.cwnd,
            tp.pointee.lost_out <= tp.pointee.retrans_out
        {
            let mark = tp.pointee.delivered &+ tp.inFlight
            tp.appLimited = mark != 0 ? mark : 1
        }
    }
}
