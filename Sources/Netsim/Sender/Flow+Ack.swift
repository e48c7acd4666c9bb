internal import KernelABI

// An ACK's way through the sender. Kernel: `tcp_ack` and `tcp_clean_rtx_queue` of tcp_input.c (6.18's order of calls).

extension Flow {
    /// An ACK of the receiver has arrived.
    func receive(_ acknowledgement: Acknowledgement) {
        let tp = tp
        refreshClock()
        tp.pointee.segs_in &+= 1
        tp.pointee.rx_opt.rcv_tsval = acknowledgement.head.tsval
        tp.pointee.rx_opt.rcv_tsecr = acknowledgement.head.tsecr
        pointee.senderRecentTimestamp = acknowledgement.head.tsval
        switch pointee.phase {
        case .synSent:
            if acknowledgement.head.flags.contains(.syn) { finishConnect(acknowledgement) }
        case .established, .finWait:
            processAck(acknowledgement, isSlow: !isPredicted(acknowledgement))
            guard pointee.phase == .established || pointee.phase == .finWait else { return }
            pushPending()
            checkSendSpace()
            if acknowledgement.head.flags.contains(.fin) { receiveFIN() }
        case .idle, .done, .failed: break
        }
    }

    /// Reads the world's clock. Kernel: `tcp_mstamp_refresh`.
    @inline(__always) func refreshClock() {
        let tp = tp
        let ktime = engine.ktime
        tp.pointee.tcp_clock_cache = ktime
        tp.pointee.tcp_mstamp = ktime / 1000
    }

    /// Whether the ACK is what the sender expected: nothing but a higher number. Kernel: header prediction.
    private func isPredicted(_ acknowledgement: Acknowledgement) -> Bool {
        acknowledgement.head.sackCount == 0 && acknowledgement.head.flags.isEmpty
            && acknowledgement.head.window == tp.pointee.snd_wnd && pointee.phase == .established
    }

    /// Kernel: `tcp_ack`.
    func processAck(_ acknowledgement: Acknowledgement, isSlow: Bool) {
        let tp = tp
        let ack = acknowledgement.head.ack
        let priorUna = tp.pointee.snd_una
        var pass = AckPass(
            ack: ack, flag: isSlow ? AckFlag.slowPath : 0, priorUna: priorUna,
            priorHighestSACK: highestSACKSeq, tsecr: acknowledgement.head.tsecr, reordered: tp.pointee.snd_nxt
        )
        guard !after(ack, tp.pointee.snd_nxt) else { return }
        resetRateSample()

        if before(ack, priorUna) {
            processOldAck(acknowledgement, &pass)
            return
        }
        if after(ack, priorUna) {
            pass.flag |= AckFlag.unaAdvanced
            tp.pointee.inet_conn.icsk_retransmits = 0
        }
        let rs = engine.pointee.rateSample
        rs.pointee.prior_in_flight = tp.inFlight
        let priorPackets = tp.pointee.packets_out
        let (delivered, lost) = (tp.pointee.delivered, tp.pointee.lost)
        let isReneging = tp.pointee.is_sack_reneg != 0

        if pass.flag & (AckFlag.slowPath | AckFlag.unaAdvanced) == AckFlag.unaAdvanced {
            advanceUna(to: ack)
            pass.flag |= AckFlag.windowUpdate
        } else {
            updateWindow(acknowledgement, &pass)
            if acknowledgement.head.sackCount > 0 {
                let sacked = tagSACKed(acknowledgement, &pass)
                if acknowledgement.head.flags.contains(.ece) { noteECE(&pass) }
                countDelivered(sacked, ece: pass.flag & AckFlag.ece != 0)
            } else if acknowledgement.head.flags.contains(.ece) {
                noteECE(&pass)
            }
        }
        tp.pointee.rcv_tstamp = engine.jiffies32
        guard priorPackets != 0 else {
            callInAckEvent(ackEventFlags(pass.flag))
            acknowledgeWindowProbe()
            return
        }
        cleanQueue(&pass)
        rackUpdateWindow()
        callInAckEvent(ackEventFlags(pass.flag))
        if tp.pointee.tlp_high_seq != 0 { processProbeAck(pass) }
        if isDubious(pass.flag) { handleAlert(&pass) }
        if pass.flag & AckFlag.setTimer != 0 { setTransmitTimer() }
        rs.pointee.is_ack_delayed = pass.flag & AckFlag.maybeDelayed != 0
        let newlyDelivered = tp.pointee.delivered &- delivered
        let newlyLost = tp.pointee.lost &- lost
        completeRateSample(delivered: newlyDelivered, lost: newlyLost, isReneging: isReneging)
        controlCongestion(ack: ack, delivered: newlyDelivered, lost: newlyLost, flag: pass.flag)
        transmitRecovery(pass.rexmit)
    }

    /// An ACK that others have overtaken may still carry SACK blocks.
    private func processOldAck(_ acknowledgement: Acknowledgement, _ pass: inout AckPass) {
        guard acknowledgement.head.sackCount > 0 else { return }
        let sacked = tagSACKed(acknowledgement, &pass)
        countDelivered(sacked, ece: false)
        handleAlert(&pass)
        transmitRecovery(pass.rexmit)
    }

    @inline(__always) private func resetRateSample() {
        engine.pointee.rateSample.pointee = rate_sample()
    }

    private func noteECE(_ pass: inout AckPass) {
        if tp.ecnFlags & UInt8(TCP_ECN_OK) != 0 { pass.flag |= AckFlag.ece }
    }

    @inline(__always) private func ackEventFlags(_ flag: UInt32) -> UInt32 {
        var flags: UInt32 = 0
        if flag & AckFlag.windowUpdate != 0 { flags |= CA_ACK_WIN_UPDATE.rawValue }
        if flag & AckFlag.slowPath != 0 {
            flags |= CA_ACK_SLOWPATH.rawValue
            if flag & AckFlag.ece != 0 { flags |= CA_ACK_ECE.rawValue }
        }
        return flags
    }

    @inline(__always) private func advanceUna(to ack: UInt32) {
        tp.pointee.bytes_acked &+= UInt64(ack &- tp.pointee.snd_una)
        tp.pointee.snd_una = ack
    }

    /// Kernel: `tcp_ack_update_window`. Every packet of the receiver carries the same sequence number, so an ACK updates
    /// the window when it is newer or opens it.
    private func updateWindow(_ acknowledgement: Acknowledgement, _ pass: inout AckPass) {
        let window = acknowledgement.head.window
        if after(pass.ack, tp.pointee.snd_una) || window > tp.pointee.snd_wnd {
            pass.flag |= AckFlag.windowUpdate
            tp.pointee.snd_wnd = window
            if window > tp.pointee.max_window { tp.pointee.max_window = window }
        }
        if after(pass.ack, tp.pointee.snd_una) { advanceUna(to: pass.ack) }
    }

    /// Drops what the ACK covers from the retransmission queue and measures RTT. Kernel: `tcp_clean_rtx_queue`.
    private func cleanQueue(_ pass: inout AckPass) {
        let tp = tp
        var firstAcked: UInt64 = 0
        var lastAcked: UInt64 = 0
        var reordered = tp.pointee.snd_nxt
        var acked: UInt32 = 0
        let priorSacked = tp.pointee.sacked_out
        let una = tp.pointee.snd_una
        let ece = pass.flag & AckFlag.ece != 0
        while hasSegments {
            let number = headSegment
            let segment = segment(number)
            guard !after(segment.pointee.end, una) else { break }
            let flags = segment.pointee.flags
            if flags.isRetransmission {
                if flags.contains(.retransmitted) { tp.pointee.retrans_out &-= 1 }
                pass.flag |= AckFlag.retransmittedDataAcked
            } else if !flags.contains(.sacked) {
                lastAcked = sentMicroseconds(segment)
                if firstAcked == 0 { firstAcked = lastAcked }
                if before(segment.pointee.seq, reordered) { reordered = segment.pointee.seq }
                if !after(segment.pointee.end, tp.pointee.high_seq) { pass.flag |= AckFlag.originalAcked }
            }
            if flags.contains(.sacked) {
                tp.pointee.sacked_out &-= 1
            } else {
                countDelivered(1, ece: ece)
                if !isSpurious(segment, tsecr: pass.tsecr) {
                    rackAdvance(
                        sent: sentMicroseconds(segment), end: segment.pointee.end,
                        wasRetransmitted: flags.isRetransmission)
                }
            }
            if flags.contains(.lost) { tp.pointee.lost_out &-= 1 }
            tp.pointee.packets_out &-= 1
            acked &+= 1
            noteDelivered(segment)
            if flags.contains(.syn) {
                pass.flag |= AckFlag.synAcked
                tp.pointee.retrans_stamp = 0
            } else {
                pass.flag |= AckFlag.dataAcked
            }
            removeFirstSegment()
        }
        trimHistory()
        if !pointee.segments.contains(pointee.highestSACK), pointee.highestSACK != endSegment {
            pointee.highestSACK = headSegment
        }
        tp.pointee.snd_up = una
        finishClean(
            &pass, acked: acked, firstAcked: firstAcked, lastAcked: lastAcked, priorSacked: priorSacked,
            reordered: reordered)
    }

    private func finishClean(
        _ pass: inout AckPass, acked: UInt32, firstAcked: UInt64, lastAcked: UInt64, priorSacked: UInt32,
        reordered: UInt32
    ) {
        let tp = tp
        let now = tp.pointee.tcp_mstamp
        let rs = engine.pointee.rateSample
        var seqRTT: Int64 = -1
        var sackRTT: Int64 = -1
        var congestionRTT: Int64 = -1
        if firstAcked != 0, pass.flag & AckFlag.retransmittedDataAcked == 0 {
            seqRTT = Int64(truncatingIfNeeded: now &- firstAcked)
            congestionRTT = Int64(truncatingIfNeeded: now &- lastAcked)
            if acked == 1, priorSacked == 0, tp.pointee.snd_una &- pass.priorUna < tp.pointee.mss_cache,
                rs.pointee.prior_delivered &+ 1 == tp.pointee.delivered,
                pass.flag & (AckFlag.alert | AckFlag.synAcked) == 0
            {
                // One small segment: the receiver may have waited before it acknowledged it.
                pass.flag |= AckFlag.maybeDelayed
            }
        }
        if pass.firstSackSent != 0 {
            sackRTT = Int64(truncatingIfNeeded: now &- pass.firstSackSent)
            congestionRTT = Int64(truncatingIfNeeded: now &- pass.lastSackSent)
        }
        let measured = updateRTT(
            seq: seqRTT, sack: sackRTT, congestion: congestionRTT, flag: pass.flag, tsecr: pass.tsecr)
        if pass.flag & AckFlag.acked != 0 {
            pass.flag |= AckFlag.setTimer
            if before(reordered, pass.priorHighestSACK) { checkReordering(reordered) }
        } else if hasSegments, measured, sackRTT >= 0,
            sackRTT > Int64(truncatingIfNeeded: now &- sentMicroseconds(segment(headSegment)))
        {
            // The SACK is newer than the head's last transmission, so the timeout need not be put off for it.
            pass.flag |= AckFlag.setTimer
        }
        callPktsAcked(
            count: acked, rttMicroseconds: Int64(rs.pointee.rtt_us),
            inFlightBytes: tp.pointee.mss_cache &* (tp.pointee.delivered &- rs.pointee.prior_delivered))
    }

    /// The ACK echoes a time before the segment was retransmitted: the original arrived.
    /// Kernel: `tcp_skb_spurious_retrans`.
    private func isSpurious(_ segment: UnsafeMutablePointer<Segment>, tsecr: UInt32) -> Bool {
        segment.pointee.flags.isRetransmission && tsecr != 0
            && before(tsecr, UInt32(truncatingIfNeeded: sentMicroseconds(segment) / 1000))
    }

    /// Kernel: `tcp_ack_is_dubious`.
    @inline(__always) private func isDubious(_ flag: UInt32) -> Bool {
        flag & AckFlag.notDuplicate == 0 || flag & AckFlag.alert != 0 || tp.caState != CAState.open
    }

    /// Kernel: `tcp_cong_control`.
    private func controlCongestion(ack: UInt32, delivered: UInt32, lost: UInt32, flag: UInt32) {
        if hasCongControl {
            callCongControl(ack: ack, flag: flag)
            return
        }
        if tp.isInCwndReduction {
            reduceCwnd(delivered: delivered, lost: lost, flag: flag)
        } else if mayRaiseCwnd(flag) {
            callCongAvoid(ack: ack, acked: delivered)
            tp.cwndStamp = engine.jiffies32
        }
        updatePacingRate()
    }

    /// Kernel: `tcp_may_raise_cwnd`.
    private func mayRaiseCwnd(_ flag: UInt32) -> Bool {
        if tp.pointee.reordering > Kernel.reordering { return flag & AckFlag.forwardProgress != 0 }
        return flag & AckFlag.dataAcked != 0
    }

    /// Kernel: `tcp_update_pacing_rate`.
    func updatePacingRate() {
        let tp = tp
        var rate = UInt64(tp.pointee.mss_cache) &* (10_000 << 3)
        let isEarly = tp.cwnd < tp.ssthresh / 2
        rate = rate &* (isEarly ? Kernel.pacingSlowStartRatio : Kernel.pacingAvoidanceRatio)
        rate = rate &* UInt64(max(tp.cwnd, tp.pointee.packets_out))
        if tp.pointee.srtt_us != 0 { rate /= UInt64(tp.pointee.srtt_us) }
        tp.pacingRate = min(rate, tp.maxPacingRate)
    }
}
