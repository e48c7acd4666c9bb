internal import KernelABI

// Loss detection by time (RFC 8985, as in the kernel's tcp_recovery.c).

extension Flow {
    /// A segment sent at `sent` is known to have been delivered. Kernel: `tcp_rack_advance`.
    @inline(__always) func rackAdvance(sent: UInt64, end: UInt32, wasRetransmitted: Bool) {
        let tp = tp
        let rtt = UInt32(truncatingIfNeeded: tp.pointee.tcp_mstamp &- sent)
        // Faster than the path can be: it is the original that arrived, and its time of sending is not known.
        if rtt < tp.minRTT, wasRetransmitted { return }
        tp.pointee.rack.advanced = 1
        tp.pointee.rack.rtt_us = rtt
        if isSentAfter(sent, tp.pointee.rack.mstamp, end, tp.pointee.rack.end_seq) {
            tp.pointee.rack.mstamp = sent
            tp.pointee.rack.end_seq = end
        }
    }

    /// How much later than a delivered segment an earlier one may still arrive. Kernel: `tcp_rack_reo_wnd`.
    private var reorderingWindow: UInt32 {
        if tp.pointee.reord_seen == 0 {
            if tp.caState >= CAState.recovery { return 0 }
            if tp.pointee.sacked_out >= tp.pointee.reordering { return 0 }
        }
        return min((tp.minRTT >> 2) &* UInt32(tp.pointee.rack.reo_wnd_steps), tp.pointee.srtt_us >> 3)
    }

    /// Microseconds until `segment` counts as lost. Kernel: `tcp_rack_skb_timeout`.
    @inline(__always) func rackTimeout(_ segment: UnsafeMutablePointer<Segment>, window: UInt32) -> Int64 {
        Int64(tp.pointee.rack.rtt_us) + Int64(window)
            - Int64(truncatingIfNeeded: tp.pointee.tcp_mstamp &- sentMicroseconds(segment))
    }

    /// Marks what was sent long enough before something that has been delivered.
    /// - Returns: microseconds after which to look again, 0 for never. Kernel: `tcp_rack_detect_loss`.
    private func detectLoss() -> UInt32 {
        var timeout: Int64 = 0
        let window = reorderingWindow
        // Both are in order of transmission, so each is done with its first segment that is too young.
        var number = skipUnlisted()
        while number != endSegment {
            let segment = segment(number)
            if isOriginalListed(segment), !checkAge(number, segment, window: window, &timeout) { break }
            number &+= 1
        }
        trimResent()
        number = pointee.resent.head
        while number != pointee.resent.tail {
            let resent = pointee.resent.at(number).pointee
            if isCurrent(resent),
                !checkAge(resent.number, segment(resent.number), window: window, &timeout)
            {
                break
            }
            number &+= 1
        }
        return UInt32(truncatingIfNeeded: min(timeout, Int64(UInt32.max)))
    }

    /// Number of the first listed segment that was sent once only; the end of the queue if there is none.
    private func skipUnlisted() -> UInt32 {
        if !pointee.segments.contains(pointee.firstListed) { pointee.firstListed = headSegment }
        while pointee.firstListed != endSegment, !isOriginalListed(segment(pointee.firstListed)) {
            pointee.firstListed &+= 1
        }
        return pointee.firstListed
    }

    @inline(__always) private func isOriginalListed(_ segment: UnsafeMutablePointer<Segment>) -> Bool {
        segment.pointee.flags.intersection([.listed, .everRetransmitted]) == .listed
    }

    /// - Returns: false if the segment is too young for anything to be known about it.
    @inline(__always) private func checkAge(
        _ number: UInt32, _ segment: UnsafeMutablePointer<Segment>, window: UInt32, _ timeout: inout Int64
    ) -> Bool {
        let flags = segment.pointee.flags
        if flags.contains(.lost), !flags.contains(.retransmitted) { return true }
        guard
            isSentAfter(
                tp.pointee.rack.mstamp, sentMicroseconds(segment), tp.pointee.rack.end_seq,
                segment.pointee.end)
        else { return false }
        let remaining = rackTimeout(segment, window: window)
        if remaining <= 0 {
            markLost(number)
            segment.pointee.flags.remove(.listed)
        } else {
            timeout = max(timeout, remaining)
        }
        return true
    }

    /// - Returns: whether the reordering timer was set. Kernel: `tcp_rack_mark_lost`.
    func rackMarkLost() -> Bool {
        guard tp.pointee.rack.advanced != 0 else { return false }
        tp.pointee.rack.advanced = 0
        let timeout = detectLoss()
        guard timeout != 0 else { return false }
        let jiffies = engine.jiffies(microseconds: timeout &+ Kernel.timeoutMinMicroseconds)
        setRetransmitTimer(PendingTimer.reordering, after: jiffies)
        return true
    }

    /// The reordering timer has fired. Kernel: `tcp_rack_reo_timeout`.
    func reorderingTimeout() {
        let priorInFlight = tp.inFlight
        let lostBefore = tp.pointee.lost
        _ = detectLoss()
        if priorInFlight != tp.inFlight {
            if tp.caState != CAState.recovery {
                enterRecovery(ece: false)
                if !hasCongControl { reduceCwnd(delivered: 1, lost: tp.pointee.lost &- lostBefore, flag: 0) }
            }
            retransmitLost()
        }
        if tp.pointee.inet_conn.icsk_pending != PendingTimer.retransmit { rearmRTO() }
    }

    /// Kernel: `tcp_rack_update_reo_wnd`.
    func rackUpdateWindow() {
        let priorDelivered = engine.pointee.rateSample.pointee.prior_delivered
        guard priorDelivered != 0 else { return }
        if before(priorDelivered, tp.pointee.rack.last_delivered) { tp.pointee.rack.dsack_seen = 0 }
        if tp.pointee.rack.dsack_seen != 0 {
            let steps = tp.pointee.rack.reo_wnd_steps
            tp.pointee.rack.reo_wnd_steps = steps == .max ? steps : steps + 1
            tp.pointee.rack.dsack_seen = 0
            tp.pointee.rack.last_delivered = tp.pointee.delivered
            tp.pointee.rack.reo_wnd_persist = 16
        } else if tp.pointee.rack.reo_wnd_persist == 0 {
            tp.pointee.rack.reo_wnd_steps = 1
        }
    }

    /// Kernel: `tcp_identify_packet_loss`.
    func identifyLoss(_ pass: inout AckPass) {
        guard hasSegments else { return }
        let priorRetrans = tp.pointee.retrans_out
        if rackMarkLost() { pass.flag &= ~AckFlag.setTimer }
        if priorRetrans > tp.pointee.retrans_out { pass.flag |= AckFlag.lostRetransmission }
    }
}
