internal import KernelABI

// A data-direction packet has reached the receiving socket. Kernel: `tcp_rcv_established`, `tcp_data_queue`.

extension Flow {
    func receive(_ packet: Packet) {
        let ktime = engine.ktime
        rp.pointee.tcp_clock_cache = ktime
        rp.pointee.tcp_mstamp = ktime / 1000
        rp.pointee.segs_in &+= 1
        switch pointee.receiverState.phase {
        case .listen, .synReceived:
            if packet.flags.contains(.syn) {
                answerSYN(packet)
                return
            }
            guard pointee.receiverState.phase == .synReceived else { return }
            establish()
        case .established: break
        case .closed: return
        }
        rp.pointee.rx_opt.rcv_tsval = packet.tsval
        rp.pointee.rx_opt.rcv_tsecr = packet.tsecr
        // The echo is that of the first segment not acknowledged yet (RFC 7323).
        if !after(packet.seq, rp.pointee.rcv_wup), !before(packet.tsval, rp.pointee.rx_opt.ts_recent) {
            rp.pointee.rx_opt.ts_recent = packet.tsval
        }
        if packet.length > 0 || packet.flags.contains(.fin) {
            receiveData(packet)
        } else if before(packet.seq, rp.pointee.rcv_nxt) {
            // A probe of the window: what lies before the window is answered at once.
            sendAck(unread: unreadSegments)
        }
    }

    private func answerSYN(_ packet: Packet) {
        pointee.receiverState.phase = .synReceived
        pointee.receiverState.synSeq = packet.seq
        if pointee.receiverState.synAckTime == 0 { pointee.receiverState.synAckTime = rp.pointee.tcp_mstamp }
        rp.pointee.rcv_nxt = packet.seq &+ 1
        rp.pointee.copied_seq = rp.pointee.rcv_nxt
        rp.pointee.rcv_wup = rp.pointee.rcv_nxt
        rp.pointee.rx_opt.ts_recent = packet.tsval
        initWindow()
        transmitAck(rp.pointee.rcv_nxt, ecnFlags: 0, flags: .syn)
    }

    /// The handshake's third packet, or data if that was lost. Kernel: the child socket of `tcp_rcv_state_process`.
    private func establish() {
        pointee.receiverState.phase = .established
        rp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_ESTABLISHED.rawValue)
        rp.pointee.snd_una = pointee.receiverState.isn &+ 1
        rp.pointee.snd_nxt = rp.pointee.snd_una
        rp.pointee.write_seq = rp.pointee.snd_una
        let rtt = UInt32(truncatingIfNeeded: rp.pointee.tcp_mstamp &- pointee.receiverState.synAckTime)
        rp.pointee.srtt_us = max(rtt, 1) &<< 3
        rp.pointee.mdev_us = rtt &<< 1
        rp.rto = engine.jiffies(microseconds: rtt &+ max(rp.pointee.mdev_us, rtoMinMicroseconds))
        rp.pointee.rtt_min.reset(at: engine.jiffies32, rtt)
        rp.cwndStamp = engine.jiffies32
        callInit(.receiver)
        startWindowMeasurement()
    }

    private func receiveData(_ packet: Packet) {
        let rp = rp
        rp.pointee.data_segs_in &+= 1
        if packet.flags.contains(.cwr) {
            rp.ecnFlags &= ~UInt8(TCP_ECN_DEMAND_CWR)
            rp.ackPending |= UInt8(ICSK_ACK_NOW.rawValue)
        }
        let isExpected = packet.seq == rp.pointee.rcv_nxt
        if !isExpected || !pointee.receiverState.outOfOrder.isEmpty {
            callInAckEvent(CA_ACK_SLOWPATH.rawValue, .receiver)
        }
        let end = packet.endSeq
        if !after(end, rp.pointee.rcv_nxt) {
            receiveDuplicate(packet.seq, end)
            return
        }
        // Beyond what was offered: not kept (the sender never does this).
        guard before(packet.seq, rp.pointee.rcv_wup &+ rp.pointee.rcv_wnd) else {
            enterQuickAck(Kernel.quickACKsMax)
            rp.ackPending |= UInt8(ICSK_ACK_SCHED.rawValue)
            checkAck(isOutOfOrderPossible: false)
            return
        }
        if packet.flags.contains(.fin) { pointee.receiverState.finSeq = end &- 1 }
        if isExpected || before(packet.seq, rp.pointee.rcv_nxt) {
            receiveInOrder(packet, end: end)
        } else {
            receiveOutOfOrder(packet, end: end)
        }
    }

    private func receiveInOrder(_ packet: Packet, end: UInt32) {
        let wasFilling = !pointee.receiverState.outOfOrder.isEmpty
        measureRTT(length: UInt32(packet.length))
        noteArrived(end &- rp.pointee.rcv_nxt)
        noteData(packet)
        if wasFilling { takeOutOfOrder() }
        let isLast = pointee.receiverState.finSeq.map { !before(rp.pointee.rcv_nxt, $0 &+ 1) } ?? false
        if isLast { rp.ackPending |= UInt8(ICSK_ACK_SCHED.rawValue) }
        checkAck(isOutOfOrderPossible: wasFilling)
        readByApplication()
        if isLast { closeReceiver() }
    }

    private func noteArrived(_ bytes: UInt32) {
        rp.pointee.rcv_nxt &+= bytes
        rp.pointee.bytes_received &+= UInt64(bytes)
    }

    /// What has become in order moves over. Kernel: `tcp_ofo_queue`.
    private func takeOutOfOrder() {
        while let end = pointee.receiverState.outOfOrder.removeFirst(
            startingBy: rp.pointee.rcv_nxt, mss: receiverMSS)
        {
            if after(end, rp.pointee.rcv_nxt) { noteArrived(end &- rp.pointee.rcv_nxt) }
        }
        removeAckedBlocks()
        // RFC 5681, 4.2: acknowledge at once when a gap has been filled.
        if pointee.receiverState.outOfOrder.isEmpty { rp.ackPending |= UInt8(ICSK_ACK_NOW.rawValue) }
    }

    private func receiveOutOfOrder(_ packet: Packet, end: UInt32) {
        checkCE(packet)
        rp.ackPending |= UInt8(ICSK_ACK_SCHED.rawValue)
        rp.pointee.rcv_ooopack &+= 1
        let block = tcp_sack_block(start_seq: packet.seq, end_seq: end)
        let (merged, isDuplicate) = pointee.receiverState.outOfOrder.insert(block)
        if isDuplicate {
            noteDuplicate(block)
        } else {
            addBlock(merged)
            // Not counting itself, which is in the queue already.
            growWindow(length: UInt32(packet.length), unread: -1)
            growBuffer(rp.pointee.rcvq_space.space)
        }
        checkAck(isOutOfOrderPossible: true)
    }

    /// All of it was here before: say so at once (DSACK). Kernel: `tcp_send_dupack`, `tcp_dsack_set`.
    private func receiveDuplicate(_ seq: UInt32, _ end: UInt32) {
        noteDuplicate(tcp_sack_block(start_seq: seq, end_seq: end))
        enterQuickAck(Kernel.quickACKsMax)
        rp.ackPending |= UInt8(ICSK_ACK_SCHED.rawValue)
        checkAck(isOutOfOrderPossible: false)
    }

    private func noteDuplicate(_ block: tcp_sack_block) {
        rp.pointee.duplicate_sack = block
        pointee.receiverState.hasDSACK = true
    }

    /// Bookkeeping of every segment that arrives in order. Kernel: `tcp_event_data_recv`.
    private func noteData(_ packet: Packet) {
        let rp = rp
        let now = engine.jiffies32
        rp.ackPending |= UInt8(ICSK_ACK_SCHED.rawValue)
        measureMSS(length: UInt32(packet.length), isPush: packet.flags.contains(.push))
        measureWindowTime()
        let atoMin = engine.pointee.host.hz / 25
        if rp.pointee.inet_conn.icsk_ack.ato == 0 {
            increaseQuickAck(Kernel.quickACKsMax)
            rp.pointee.inet_conn.icsk_ack.ato = atoMin
        } else {
            let gap = now &- rp.pointee.inet_conn.icsk_ack.lrcvtime
            let ato = rp.pointee.inet_conn.icsk_ack.ato
            if gap <= atoMin / 2 {
                rp.pointee.inet_conn.icsk_ack.ato = (ato >> 1) &+ atoMin / 2
            } else if gap < ato {
                rp.pointee.inet_conn.icsk_ack.ato = min((ato >> 1) &+ gap, min(rp.rto, 255))
            } else if gap > rp.rto {
                // A long pause: the sender may have restarted with a small window.
                increaseQuickAck(Kernel.quickACKsMax)
            }
        }
        rp.pointee.inet_conn.icsk_ack.lrcvtime = now
        checkCE(packet)
        if packet.length >= 128 { growWindow(length: UInt32(packet.length), unread: 1) }
    }

    /// Kernel: `tcp_measure_rcv_mss`.
    private func measureMSS(length: UInt32, isPush: Bool) {
        let pushed = UInt8(ICSK_ACK_PUSHED.rawValue)
        if length >= UInt32(rp.pointee.inet_conn.icsk_ack.rcv_mss) {
            rp.pointee.inet_conn.icsk_ack.rcv_mss = UInt16(truncatingIfNeeded: min(length, receiverMSS))
            // Likely the end of a write.
            if isPush { rp.ackPending |= pushed }
            return
        }
        if rp.ackPending & pushed != 0 { rp.ackPending |= UInt8(ICSK_ACK_PUSHED2.rawValue) }
        rp.ackPending |= pushed
    }

    /// Kernel: `tcp_ecn_check_ce`.
    private func checkCE(_ packet: Packet) {
        guard rp.ecnFlags & UInt8(TCP_ECN_OK) != 0 else { return }
        if packet.flags.contains(.ce) {
            if needsECN(.receiver) { callCwndEvent(CA_EVENT_ECN_IS_CE, .receiver) }
            if rp.ecnFlags & UInt8(TCP_ECN_DEMAND_CWR) == 0 {
                // The sender's window may be about to become very small: do not delay ACKs.
                enterQuickAck(2)
                rp.ecnFlags |= UInt8(TCP_ECN_DEMAND_CWR)
            }
            rp.ecnFlags |= UInt8(TCP_ECN_SEEN)
        } else if packet.flags.contains(.ect) {
            if needsECN(.receiver) { callCwndEvent(CA_EVENT_ECN_NO_CE, .receiver) }
            rp.ecnFlags |= UInt8(TCP_ECN_SEEN)
        } else if rp.ecnFlags & UInt8(TCP_ECN_SEEN) != 0 {
            // A retransmission, most likely.
            enterQuickAck(2)
        }
    }

    /// The sink has read everything and sees the end: it closes, too.
    private func closeReceiver() {
        guard pointee.receiverState.phase == .established else { return }
        pointee.receiverState.phase = .closed
        rp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_LAST_ACK.rawValue)
        pointee.delackDeadline = .never
        pointee.compressedDeadline = .never
        sendFIN()
    }

    /// Where links may lose it, it is sent again until the sender has seen it, which ends the connection.
    /// Kernel: the receiver's retransmission timer, in LAST_ACK.
    private func sendFIN() {
        transmitAck(rp.pointee.rcv_nxt, ecnFlags: rp.ecnFlags, flags: .fin)
        guard pointee.returnCount > 0 else { return }
        pointee.delackDeadline = engine.wheelTime(of: engine.jiffies64 &+ UInt64(rp.rto))
        armSlow()
    }

    /// The timer of a closed receiver, which has no ACK to delay.
    func resendFIN() {
        rp.rto = min(rp.rto &<< 1, rtoMaxJiffies)
        sendFIN()
    }
}
