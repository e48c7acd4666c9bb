internal import KernelABI

// The sender's timers: retransmission, loss probe, reordering (jiffies), pacing (nanoseconds).
//
// A deadline is a field; the event queue holds one entry at or before the earliest of them. Setting a timer later costs
// a store: when the entry comes up too early, it is put back.

extension Flow {
    // MARK: Arming

    /// Makes sure that the queue has an entry no later than the earliest jiffies timer.
    @inline(__always) func armSlow() {
        let deadline = min(pointee.retransmitDeadline, pointee.delackDeadline)
        if deadline < pointee.slowArmed {
            pointee.slowArmed = deadline
            engine.pointee.queue.push(at: deadline, .slowTimers, pointee.index)
        }
    }

    @inline(__always) func armFast() {
        let deadline = min(pointee.pacingDeadline, pointee.compressedDeadline)
        if deadline < pointee.fastArmed {
            pointee.fastArmed = deadline
            engine.pointee.queue.push(at: deadline, .fastTimers, pointee.index)
        }
    }

    func fireSlowTimers(scheduled: Nanoseconds) {
        // An entry that a nearer one has replaced.
        guard scheduled == pointee.slowArmed else { return }
        pointee.slowArmed = .never
        let now = engine.pointee.now
        if pointee.delackDeadline <= now {
            pointee.delackDeadline = .never
            delackTimeout()
        }
        if pointee.retransmitDeadline <= now {
            pointee.retransmitDeadline = .never
            retransmitTimeout()
        }
        armSlow()
    }

    func fireFastTimers(scheduled: Nanoseconds) {
        guard scheduled == pointee.fastArmed else { return }
        pointee.fastArmed = .never
        let now = engine.pointee.now
        if pointee.compressedDeadline <= now {
            pointee.compressedDeadline = .never
            compressedTimeout()
        }
        if pointee.pacingDeadline <= now {
            pointee.pacingDeadline = .never
            pacingTimeout()
        }
        armFast()
    }

    func cancelTimers() {
        pointee.retransmitDeadline = .never
        pointee.pacingDeadline = .never
        pointee.delackDeadline = .never
        pointee.compressedDeadline = .never
        tp.pointee.inet_conn.icsk_pending = PendingTimer.none
    }

    // MARK: Setting

    /// Kernel: `tcp_reset_xmit_timer`: with pacing, from when the next packet may leave.
    func setRetransmitTimer(_ kind: UInt8, after jiffies: UInt32) {
        let tp = tp
        var jiffies = jiffies
        let pacing = Int64(bitPattern: tp.pointee.tcp_wstamp_ns &- tp.pointee.tcp_clock_cache)
        if pacing > 0, kind != PendingTimer.reordering {
            jiffies &+= UInt32(
                truncatingIfNeeded: min(UInt64(pacing), 1 << 50) &* UInt64(engine.pointee.host.hz)
                    / 1_000_000_000)
        }
        jiffies = min(jiffies, rtoMaxJiffies)
        tp.pointee.inet_conn.icsk_pending = kind
        let now = engine.jiffies64
        let expires = now &+ UInt64(jiffies)
        // Mostly it is put off to where it is: an ACK and what it lets out set it twice in a jiffy.
        if pointee.retransmitDeadline != .never, pointee.retransmitJiffies == expires,
            pointee.retransmitSetAt == now
        {
            return
        }
        pointee.retransmitJiffies = expires
        pointee.retransmitSetAt = now
        pointee.retransmitDeadline = engine.wheelTime(of: expires)
        armSlow()
    }

    func clearRetransmitTimer() {
        tp.pointee.inet_conn.icsk_pending = PendingTimer.none
        pointee.retransmitDeadline = .never
    }

    /// After an ACK: a loss probe if one makes sense, else the timeout. Kernel: `tcp_set_xmit_timer`.
    @inline(__always) func setTransmitTimer() {
        if !scheduleLossProbe(advancingRTO: true) { rearmRTO() }
    }

    /// Microseconds until the head's timeout, counted from its transmission. Kernel: `tcp_rto_delta_us`.
    private var rtoDelta: Int64 {
        let rto = engine.microseconds(jiffies: tp.rto)
        guard hasSegments else { return Int64(rto) }
        let due = sentMicroseconds(segment(headSegment)) &+ UInt64(rto)
        return Int64(bitPattern: due &- tp.pointee.tcp_mstamp)
    }

    /// Kernel: `tcp_rearm_rto`.
    func rearmRTO() {
        guard tp.pointee.packets_out != 0 else {
            clearRetransmitTimer()
            return
        }
        var rto = tp.rto
        let pending = tp.pointee.inet_conn.icsk_pending
        if pending == PendingTimer.reordering || pending == PendingTimer.lossProbe {
            rto = engine.jiffies(
                microseconds: UInt32(truncatingIfNeeded: min(max(rtoDelta, 1), Int64(UInt32.max / 2))))
        }
        setRetransmitTimer(PendingTimer.retransmit, after: rto)
    }

    /// Two RTTs after the last transmission, when there may be no more ACKs. Kernel: `tcp_schedule_loss_probe`.
    func scheduleLossProbe(advancingRTO: Bool) -> Bool {
        let tp = tp
        let state = tp.caState
        guard tp.pointee.packets_out != 0, state == CAState.open || state == CAState.cwr else { return false }
        var timeout: UInt32
        if tp.pointee.srtt_us != 0 {
            var microseconds = tp.pointee.srtt_us >> 2
            microseconds &+=
                tp.pointee.packets_out == 1 ? rtoMinMicroseconds : Kernel.timeoutMinMicroseconds
            timeout = engine.jiffies(microseconds: microseconds)
        } else {
            timeout = Kernel.initialRTOSeconds &* engine.pointee.host.hz
        }
        let delta = advancingRTO ? Int64(engine.microseconds(jiffies: tp.rto)) : rtoDelta
        if delta > 0 {
            let limit = UInt32(truncatingIfNeeded: min(delta, Int64(UInt32.max / 2)))
            timeout = min(timeout, engine.jiffies(microseconds: limit))
        }
        setRetransmitTimer(PendingTimer.lossProbe, after: timeout)
        return true
    }

    // MARK: Firing

    /// Kernel: `tcp_write_timer_handler`.
    private func retransmitTimeout() {
        guard pointee.phase != .done, pointee.phase != .failed, pointee.phase != .idle else { return }
        refreshClock()
        switch tp.pointee.inet_conn.icsk_pending {
        case PendingTimer.reordering: reorderingTimeout()
        case PendingTimer.windowProbe:
            tp.pointee.inet_conn.icsk_pending = PendingTimer.none
            windowProbeTimeout()
        case PendingTimer.lossProbe: sendLossProbe()
        case PendingTimer.retransmit:
            tp.pointee.inet_conn.icsk_pending = PendingTimer.none
            if pointee.phase == .synSent { resendSYN() } else { retransmissionTimeout() }
        default: break
        }
    }

    /// Kernel: `tcp_retransmit_timer`.
    private func retransmissionTimeout() {
        guard tp.pointee.packets_out != 0, hasSegments else { return }
        if tp.pointee.inet_conn.icsk_retransmits >= Kernel.retries2 {
            // The kernel's connection would report ETIMEDOUT to the application.
            abort(.timedOut)
            return
        }
        enterLoss()
        tp.pointee.inet_conn.icsk_retransmits &+= 1
        tp.pointee.total_rto &+= 1
        _ = retransmitAlone(headSegment)
        if tp.pointee.inet_conn.icsk_backoff < .max { tp.pointee.inet_conn.icsk_backoff += 1 }
        tp.rto = min(tp.rto &<< 1, rtoMaxJiffies)
        setRetransmitTimer(PendingTimer.retransmit, after: tp.rto)
    }

    /// New data if there is any, else the last segment again (RFC 8985). Kernel: `tcp_send_loss_probe`.
    private func sendLossProbe() {
        guard tp.pointee.tlp_high_seq == 0 else {
            rearmRTO()
            return
        }
        tp.pointee.tlp_retrans = 0
        if hasUnsentData, min(unsentBytes, tp.pointee.mss_cache) <= tp.windowEnd &- tp.pointee.snd_nxt {
            let before = tp.pointee.packets_out
            _ = writeTransmit(.probe)
            if tp.pointee.packets_out <= before {
                rearmRTO()
                return
            }
        } else {
            guard hasSegments, probeAgain(endSegment &- 1) else {
                rearmRTO()
                return
            }
            tp.pointee.tlp_retrans = 1
        }
        tp.pointee.tlp_high_seq = tp.pointee.snd_nxt
        // So that the timeout counts from the probe.
        tp.pointee.inet_conn.icsk_pending = PendingTimer.none
        rearmRTO()
    }

    /// Kernel: `tcp_process_tlp_ack`.
    func processProbeAck(_ pass: AckPass) {
        guard !before(pass.ack, tp.pointee.tlp_high_seq) else { return }
        if tp.pointee.tlp_retrans == 0 || pass.flag & AckFlag.dsackTLP != 0 {
            tp.pointee.tlp_high_seq = 0
        } else if after(pass.ack, tp.pointee.tlp_high_seq) {
            // The probe repaired a loss: that calls for one reduction.
            initCwndReduction()
            setCAState(CAState.cwr)
            endCwndReduction()
            tryKeepOpen()
        } else if pass.flag & (AckFlag.unaAdvanced | AckFlag.notDuplicate | AckFlag.dataSacked) == 0 {
            tp.pointee.tlp_high_seq = 0
        }
    }
}
