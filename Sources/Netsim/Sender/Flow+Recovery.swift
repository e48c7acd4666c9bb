internal import KernelABI

// Congestion states: what enters and leaves Disorder, CWR, Recovery and Loss. Kernel: `tcp_fastretrans_alert` and around.

extension Flow {
    /// Kernel: `tcp_set_ca_state`: programs are told first.
    func setCAState(_ state: UInt8) {
        callSetState(state)
        let before = tp.caState
        tp.caState = state
        pointee.statistics.enter(state, from: before, at: engine.pointee.now)
        if state != before { engine.tell(.stateChanged(from: before, to: state), flow: pointee.index) }
    }

    /// Kernel: `tcp_fastretrans_alert`.
    func handleAlert(_ pass: inout AckPass) {
        let ece = pass.flag & AckFlag.ece != 0
        if tp.pointee.packets_out == 0, tp.pointee.sacked_out != 0 { tp.pointee.sacked_out = 0 }
        if ece { tp.pointee.prior_ssthresh = 0 }
        if checkReneging(&pass) { return }

        // States that end when everything sent before they began is acknowledged.
        if tp.caState == CAState.open {
            tp.pointee.retrans_stamp = 0
        } else if !before(tp.pointee.snd_una, tp.pointee.high_seq) {
            switch tp.caState {
            case CAState.cwr:
                // The receiver must have seen CWR, so something above has to be acknowledged.
                if tp.pointee.snd_una != tp.pointee.high_seq {
                    endCwndReduction()
                    setCAState(CAState.open)
                }
            case CAState.recovery:
                if tryUndoRecovery() { return }
                endCwndReduction()
            default: break
            }
        }

        switch tp.caState {
        case CAState.recovery:
            if pass.flag & AckFlag.unaAdvanced != 0, tryUndoPartial(pass) { return }
            if tryUndoDSACK() { tryToOpen(pass.flag) }
            identifyLoss(&pass)
            if tp.caState != CAState.recovery {
                guard tp.pointee.lost_out != 0 else { return }
                enterRecovery(ece: ece)
            }
        case CAState.loss:
            processLoss(&pass)
            identifyLoss(&pass)
            guard tp.caState == CAState.open || pass.flag & AckFlag.lostRetransmission != 0 else { return }
            guard defaultAlert(&pass, ece: ece) else { return }
        default:
            guard defaultAlert(&pass, ece: ece) else { return }
        }
        pass.rexmit = .lost
    }

    /// - Returns: whether recovery was entered.
    private func defaultAlert(_ pass: inout AckPass, ece: Bool) -> Bool {
        if tp.caState <= CAState.disorder { _ = tryUndoDSACK() }
        identifyLoss(&pass)
        guard tp.pointee.lost_out != 0 else {
            tryToOpen(pass.flag)
            return false
        }
        enterRecovery(ece: ece)
        return true
    }

    /// The receiver dropped what it had SACKed. Kernel: `tcp_check_sack_reneging`. (Our receiver never does; only a
    /// timeout that finds the head SACKed, see `markLostByTimeout`.)
    private func checkReneging(_ pass: inout AckPass) -> Bool { false }

    // MARK: Window reduction

    /// Kernel: `tcp_init_cwnd_reduction`.
    func initCwndReduction() {
        tp.pointee.high_seq = tp.pointee.snd_nxt
        tp.pointee.tlp_high_seq = 0
        tp.cwndCount = 0
        tp.pointee.prior_cwnd = tp.cwnd
        tp.pointee.prr_delivered = 0
        tp.pointee.prr_out = 0
        tp.ssthresh = callSsthresh()
        queueCWR()
    }

    @inline(__always) func queueCWR() {
        if tp.ecnFlags & UInt8(TCP_ECN_OK) != 0 { tp.ecnFlags |= UInt8(TCP_ECN_QUEUE_CWR) }
    }

    /// Proportional rate reduction (RFC 6937). Kernel: `tcp_cwnd_reduction`.
    func reduceCwnd(delivered: UInt32, lost: UInt32, flag: UInt32) {
        guard Int32(bitPattern: delivered) > 0, tp.pointee.prior_cwnd != 0 else { return }
        let inFlight = tp.inFlight
        let delta = Int32(bitPattern: tp.ssthresh &- inFlight)
        tp.pointee.prr_delivered &+= delivered
        var count: Int32
        if delta < 0 {
            let dividend =
                UInt64(tp.ssthresh) &* UInt64(tp.pointee.prr_delivered) &+ UInt64(tp.pointee.prior_cwnd) &- 1
            let target = UInt32(truncatingIfNeeded: dividend / UInt64(tp.pointee.prior_cwnd))
            count = Int32(bitPattern: target &- tp.pointee.prr_out)
        } else {
            count = max(
                Int32(bitPattern: tp.pointee.prr_delivered &- tp.pointee.prr_out),
                Int32(bitPattern: delivered))
            if flag & AckFlag.unaAdvanced != 0, lost == 0 { count &+= 1 }
            count = min(delta, count)
        }
        // A fast retransmission goes out at once when recovery begins.
        count = max(count, tp.pointee.prr_out != 0 ? 0 : 1)
        tp.cwnd = inFlight &+ UInt32(bitPattern: count)
    }

    /// Kernel: `tcp_end_cwnd_reduction`.
    func endCwndReduction() {
        if hasCongControl { return }
        if tp.ssthresh < Kernel.infiniteSsthresh,
            tp.caState == CAState.cwr || tp.pointee.undo_marker != 0
        {
            tp.cwnd = tp.ssthresh
            tp.cwndStamp = engine.jiffies32
        }
        callCwndEvent(CA_EVENT_COMPLETE_CWR)
    }

    /// Kernel: `tcp_enter_cwr`.
    func enterCWR() {
        tp.pointee.prior_ssthresh = 0
        if tp.caState < CAState.cwr {
            tp.pointee.undo_marker = 0
            initCwndReduction()
            setCAState(CAState.cwr)
        }
    }

    /// Kernel: `tcp_init_undo`.
    private func initUndo() {
        tp.pointee.undo_marker = tp.pointee.snd_una
        var count = Int32(bitPattern: tp.pointee.retrans_out)
        // A loss probe that was a retransmission may be DSACKed, too.
        if tp.pointee.tlp_high_seq != 0, tp.pointee.tlp_retrans != 0 { count &+= 1 }
        tp.pointee.undo_retrans = count != 0 ? count : -1
    }

    /// Kernel: `tcp_enter_recovery`.
    func enterRecovery(ece: Bool) {
        tp.pointee.prior_ssthresh = 0
        initUndo()
        if !tp.isInCwndReduction {
            if !ece { tp.pointee.prior_ssthresh = tp.currentSsthresh }
            initCwndReduction()
        }
        setCAState(CAState.recovery)
    }

    /// Kernel: `tcp_enter_loss`.
    func enterLoss() {
        let isNew = tp.caState < CAState.recovery
        let retransmits = tp.pointee.inet_conn.icsk_retransmits
        markLostByTimeout()
        if tp.caState <= CAState.disorder || !after(tp.pointee.high_seq, tp.pointee.snd_una)
            || (tp.caState == CAState.loss && retransmits == 0)
        {
            tp.pointee.prior_ssthresh = tp.currentSsthresh
            tp.pointee.prior_cwnd = tp.cwnd
            tp.ssthresh = callSsthresh()
            callCwndEvent(CA_EVENT_LOSS)
            initUndo()
        }
        tp.cwnd = tp.inFlight &+ 1
        tp.cwndCount = 0
        tp.cwndStamp = engine.jiffies32
        if tp.caState <= CAState.disorder, tp.pointee.sacked_out >= tp.pointee.reordering {
            tp.pointee.reordering = min(tp.pointee.reordering, Kernel.reordering)
        }
        setCAState(CAState.loss)
        tp.pointee.high_seq = tp.pointee.snd_nxt
        tp.pointee.tlp_high_seq = 0
        queueCWR()
        tp.pointee.frto = isNew || retransmits != 0 ? 1 : 0
    }

    /// Kernel: `tcp_timeout_mark_lost`.
    private func markLostByTimeout() {
        guard hasSegments else { return }
        let isReneging = segment(headSegment).pointee.flags.contains(.sacked)
        if isReneging {
            tp.pointee.sacked_out = 0
            tp.pointee.is_sack_reneg = 1
        }
        pointee.firstListed = headSegment
        var number = headSegment
        while number != endSegment {
            let segment = segment(number)
            if isReneging {
                segment.pointee.flags.remove(.sacked)
                if !segment.pointee.flags.contains(.listed) { relist(number) }
            } else if number != headSegment, rackTimeout(segment, window: 0) > 0 {
                number &+= 1
                continue
            }
            markLost(number)
            number &+= 1
        }
        pointee.retransmitHint = FlowState.none
    }

    // MARK: Opening up

    /// Kernel: `tcp_try_keep_open`.
    func tryKeepOpen() {
        let state = tp.leftOut != 0 || isAnyRetransmissionOut ? CAState.disorder : CAState.open
        if tp.caState != state {
            setCAState(state)
            tp.pointee.high_seq = tp.pointee.snd_nxt
        }
    }

    /// Kernel: `tcp_try_to_open`.
    private func tryToOpen(_ flag: UInt32) {
        if !isAnyRetransmissionOut { tp.pointee.retrans_stamp = 0 }
        if flag & AckFlag.ece != 0 { enterCWR() }
        if tp.caState != CAState.cwr { tryKeepOpen() }
    }

    /// Kernel: `tcp_any_retrans_done`.
    var isAnyRetransmissionOut: Bool {
        if tp.pointee.retrans_out != 0 { return true }
        return hasSegments && segment(headSegment).pointee.flags.contains(.everRetransmitted)
    }
}
