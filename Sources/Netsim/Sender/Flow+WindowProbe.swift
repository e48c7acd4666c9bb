internal import KernelABI

// When nothing is in flight and what is unsent may not leave (the receiver's window, or a window of 0 that a program
// set), a timer asks the receiver for its window, with growing distance (RFC 1122, 4.2.2.17).

extension Flow {
    /// Kernel: `tcp_probe0_base`.
    private var probeBase: UInt32 { max(tp.rto, engine.jiffies(microseconds: rtoMinMicroseconds)) }

    /// Kernel: `tcp_probe0_when`.
    private var probeDistance: UInt32 {
        let backoff = UInt32(min(tp.pointee.inet_conn.icsk_backoff, 31))
        let jiffies = UInt64(probeBase) << UInt64(backoff)
        return UInt32(truncatingIfNeeded: min(jiffies, UInt64(rtoMaxJiffies)))
    }

    /// Kernel: `tcp_check_probe_timer`.
    func checkWindowProbe() {
        guard tp.pointee.packets_out == 0, tp.pointee.inet_conn.icsk_pending == PendingTimer.none,
            hasUnsentData, pointee.phase == .established || pointee.phase == .finWait
        else { return }
        setRetransmitTimer(PendingTimer.windowProbe, after: probeBase)
    }

    /// Kernel: `tcp_probe_timer`, `tcp_send_probe0`.
    func windowProbeTimeout() {
        guard tp.pointee.packets_out == 0, hasUnsentData else {
            tp.pointee.inet_conn.icsk_probes_out = 0
            return
        }
        guard tp.pointee.inet_conn.icsk_probes_out < Kernel.retries2 else {
            abort(.timedOut)
            return
        }
        sendWindowProbe()
        guard tp.pointee.packets_out == 0, hasUnsentData else {
            tp.pointee.inet_conn.icsk_probes_out = 0
            tp.pointee.inet_conn.icsk_backoff = 0
            return
        }
        tp.pointee.inet_conn.icsk_probes_out += 1
        if tp.pointee.inet_conn.icsk_backoff < Kernel.retries2 { tp.pointee.inet_conn.icsk_backoff += 1 }
        setRetransmitTimer(PendingTimer.windowProbe, after: probeDistance)
    }

    /// What fits the window, if anything, else an old sequence number that the receiver must answer.
    /// Kernel: `tcp_write_wakeup`.
    private func sendWindowProbe() {
        let window = tp.windowEnd &- tp.pointee.snd_nxt
        if Int32(bitPattern: window) > 0, hasRoomForSegment {
            _ = transmitNew(bytes: min(min(window, unsentBytes), tp.pointee.mss_cache))
        } else {
            sendBareAck(seq: tp.pointee.snd_una &- 1)
        }
    }

    /// An ACK while nothing was in flight. Kernel: `tcp_ack_probe`.
    func acknowledgeWindowProbe() {
        guard hasUnsentData, tp.pointee.packets_out == 0 else { return }
        if min(unsentBytes, tp.pointee.mss_cache) <= tp.windowEnd &- tp.pointee.snd_nxt {
            tp.pointee.inet_conn.icsk_backoff = 0
            tp.pointee.inet_conn.icsk_probes_out = 0
            if tp.pointee.inet_conn.icsk_pending == PendingTimer.windowProbe { clearRetransmitTimer() }
        } else {
            setRetransmitTimer(PendingTimer.windowProbe, after: probeDistance)
        }
    }
}
