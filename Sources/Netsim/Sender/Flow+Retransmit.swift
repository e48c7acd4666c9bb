internal import KernelABI

// Sending again what was marked lost. Kernel: `tcp_xmit_recovery`, `tcp_xmit_retransmit_queue`, `tcp_retransmit_skb`.

extension Flow {
    /// Acts on what an ACK asked for, once the window has been set. Kernel: `tcp_xmit_recovery`.
    func transmitRecovery(_ rexmit: AckPass.Rexmit) {
        switch rexmit {
        case .none: return
        case .new:
            pushPending()
            if after(tp.pointee.snd_nxt, tp.pointee.high_seq) { return }
            tp.pointee.frto = 0
            retransmitLost()
        case .lost: retransmitLost()
        }
    }

    /// Retransmits marked segments, oldest first, while cwnd allows. Kernel: `tcp_xmit_retransmit_queue`.
    func retransmitLost() {
        guard tp.pointee.packets_out != 0, hasSegments else { return }
        var number = pointee.retransmitHint
        if number == FlowState.none || !pointee.segments.contains(number) { number = headSegment }
        var foundHole = false
        var restartsTimer = false
        let burstMax = burstSegments()
        var burst = Burst()
        while number != endSegment {
            if burst.segments == 0, isPaced() { break }
            let segment = segment(number)
            if !foundHole { pointee.retransmitHint = number }
            guard Int32(bitPattern: tp.cwnd &- tp.inFlight) > 0 else { break }
            guard tp.pointee.retrans_out < tp.pointee.lost_out else { break }
            let flags = segment.pointee.flags
            guard flags.contains(.lost), flags.isDisjoint(with: [.sacked, .retransmitted]) else {
                if flags.isDisjoint(with: [.lost, .retransmitted, .sacked]) { foundHole = true }
                end(&burst)
                number &+= 1
                continue
            }
            guard retransmit(number, in: &burst) else { break }
            if tp.isInCwndReduction { tp.pointee.prr_out &+= 1 }
            if number == headSegment, tp.pointee.inet_conn.icsk_pending != PendingTimer.reordering {
                restartsTimer = true
            }
            // Only what left as one packet leaves as one again.
            if burst.segments >= burstMax || flags.contains(.endsBurst) { end(&burst) }
            number &+= 1
        }
        end(&burst)
        if restartsTimer { setRetransmitTimer(PendingTimer.retransmit, after: tp.rto) }
    }

    /// Retransmitted neighbours leave as one packet of TSO would: with one time, and paced as a whole.
    struct Burst {
        var stamp: UInt64 = 0
        var segments: UInt32 = 0
        var bytes: UInt32 = 0
    }

    private func end(_ burst: inout Burst) {
        guard burst.segments > 0 else { return }
        accountSent(segments: burst.segments, bytes: burst.bytes)
        burst = Burst()
    }

    /// Sends one segment again as a burst of its own.
    func retransmitAlone(_ number: UInt32) -> Bool {
        var burst = Burst()
        defer { end(&burst) }
        return retransmit(number, in: &burst)
    }

    /// Sends one segment again and counts it. Kernel: `tcp_retransmit_skb`.
    /// - Returns: false if the receiver's window forbids it.
    private func retransmit(_ number: UInt32, in burst: inout Burst) -> Bool {
        guard transmitAgain(number, in: &burst) else { return false }
        let segment = segment(number)
        segment.pointee.flags.insert(.retransmitted)
        tp.pointee.retrans_out &+= 1
        if tp.pointee.retrans_stamp == 0 {
            tp.pointee.retrans_stamp = UInt32(truncatingIfNeeded: burst.stamp / 1_000_000)
        }
        if tp.pointee.undo_retrans < 0 { tp.pointee.undo_retrans = 0 }
        tp.pointee.undo_retrans &+= 1
        return true
    }

    /// A loss probe with old data: on the wire like a retransmission, but not counted as one in flight.
    func probeAgain(_ number: UInt32) -> Bool {
        var burst = Burst()
        defer { end(&burst) }
        return transmitAgain(number, in: &burst)
    }

    /// Kernel: `__tcp_retransmit_skb`.
    private func transmitAgain(_ number: UInt32, in burst: inout Burst) -> Bool {
        let segment = segment(number)
        // Beyond a window that the receiver took back, only the first segment may go.
        if after(segment.pointee.end, tp.windowEnd), segment.pointee.seq != tp.pointee.snd_una {
            return false
        }
        if burst.segments == 0 {
            burst.stamp = stampTransmission()
            if tp.inFlight == 0 { callCwndEvent(CA_EVENT_TX_START) }
        }
        tp.pointee.lsndtime = engine.jiffies32
        let sent = burst.stamp / 1000
        segment.pointee.sent = UInt32(truncatingIfNeeded: sent)
        segment.pointee.delivery = noteSent(at: sent, isFirstInFlight: tp.pointee.packets_out == 0)
        segment.pointee.flags.insert([.everRetransmitted, .hasRate])
        noteAppLimited(&segment.pointee.flags)
        noteResent(number)
        send(segment.pointee, timestamp: sent / 1000, isRetransmission: true)
        let payload = segment.pointee.payload
        burst.segments &+= 1
        burst.bytes &+= payload
        tp.pointee.total_retrans &+= 1
        tp.pointee.bytes_retrans &+= UInt64(payload)
        if payload > 0 { pointee.statistics.resentRanges &+= 1 }
        return true
    }
}
