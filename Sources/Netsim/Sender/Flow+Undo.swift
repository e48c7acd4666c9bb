internal import KernelABI

// Taking a window reduction back when it proves to have been for nothing (Eifel, DSACK, F-RTO), and Loss state.

extension Flow {
    /// The last ACK echoes a time before the first retransmission: the original arrived. Kernel: `tcp_packet_delayed`.
    private var wasDelayed: Bool {
        tp.pointee.retrans_stamp != 0 && tp.pointee.rx_opt.rcv_tsecr != 0
            && before(tp.pointee.rx_opt.rcv_tsecr, tp.pointee.retrans_stamp)
    }

    /// Kernel: `tcp_may_undo`.
    private var mayUndo: Bool {
        tp.pointee.undo_marker != 0 && (tp.pointee.undo_retrans == 0 || wasDelayed)
    }

    /// Kernel: `tcp_undo_cwnd_reduction`.
    private func undoCwndReduction(unmarkLost: Bool) {
        if unmarkLost {
            var number = headSegment
            while number != endSegment {
                segment(number).pointee.flags.remove(.lost)
                number &+= 1
            }
            tp.pointee.lost_out = 0
            pointee.retransmitHint = FlowState.none
        }
        if tp.pointee.prior_ssthresh != 0 {
            tp.cwnd = callUndoCwnd()
            if tp.pointee.prior_ssthresh > tp.ssthresh {
                tp.ssthresh = tp.pointee.prior_ssthresh
                tp.ecnFlags &= ~UInt8(TCP_ECN_QUEUE_CWR)
            }
        }
        tp.cwndStamp = engine.jiffies32
        tp.pointee.undo_marker = 0
        // RACK looks at what it had marked afresh.
        tp.pointee.rack.advanced = 1
    }

    /// Kernel: `tcp_try_undo_recovery`. The recovery's end: SACK needs no second ACK to be sure.
    func tryUndoRecovery() -> Bool {
        if mayUndo {
            undoCwndReduction(unmarkLost: false)
        } else if tp.pointee.rack.reo_wnd_persist != 0 {
            tp.pointee.rack.reo_wnd_persist -= 1
        }
        setCAState(CAState.open)
        tp.pointee.is_sack_reneg = 0
        return false
    }

    /// Kernel: `tcp_try_undo_dsack`.
    func tryUndoDSACK() -> Bool {
        guard tp.pointee.undo_marker != 0, tp.pointee.undo_retrans == 0 else { return false }
        tp.pointee.rack.reo_wnd_persist = UInt8(min(16, Int(tp.pointee.rack.reo_wnd_persist) + 1))
        undoCwndReduction(unmarkLost: false)
        return true
    }

    /// Kernel: `tcp_try_undo_partial`.
    func tryUndoPartial(_ pass: AckPass) -> Bool {
        guard tp.pointee.undo_marker != 0, wasDelayed else { return false }
        checkReordering(pass.priorUna)
        if tp.pointee.retrans_out != 0 { return true }
        if !isAnyRetransmissionOut { tp.pointee.retrans_stamp = 0 }
        undoCwndReduction(unmarkLost: true)
        tryKeepOpen()
        return false
    }

    /// Kernel: `tcp_try_undo_loss`.
    private func tryUndoLoss(isSpurious: Bool) -> Bool {
        guard isSpurious || mayUndo else { return false }
        undoCwndReduction(unmarkLost: true)
        tp.pointee.inet_conn.icsk_retransmits = 0
        setCAState(CAState.open)
        tp.pointee.is_sack_reneg = 0
        return true
    }

    /// An ACK in Loss state: F-RTO (RFC 5682) finds out whether the timeout was spurious. Kernel: `tcp_process_loss`.
    func processLoss(_ pass: inout AckPass) {
        let recovered = !before(tp.pointee.snd_una, tp.pointee.high_seq)
        if pass.flag & AckFlag.unaAdvanced != 0, tryUndoLoss(isSpurious: false) { return }
        if tp.pointee.frto != 0 {
            // Something that was sent once only has arrived: the timeout was spurious.
            if pass.flag & AckFlag.originalAcked != 0, tryUndoLoss(isSpurious: true) { return }
            if after(tp.pointee.snd_nxt, tp.pointee.high_seq) {
                if pass.flag & AckFlag.dataSacked != 0 || pass.flag & AckFlag.notDuplicate == 0 {
                    tp.pointee.frto = 0
                }
            } else if pass.flag & AckFlag.unaAdvanced != 0, !recovered {
                tp.pointee.high_seq = tp.pointee.snd_nxt
                // Send new data, if there is any and the window allows, before retransmitting more.
                if hasUnsentData, after(tp.windowEnd, tp.pointee.snd_nxt) {
                    pass.rexmit = .new
                    return
                }
                tp.pointee.frto = 0
            }
        }
        if recovered {
            _ = tryUndoRecovery()
            return
        }
        pass.rexmit = .lost
    }
}
