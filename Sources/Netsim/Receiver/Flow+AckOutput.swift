internal import KernelABI

// When the receiver acknowledges, and what its ACKs say. Kernel: `__tcp_ack_snd_check`, `tcp_send_ack`.

extension Flow {
    private var isQuick: Bool { rp.pointee.inet_conn.icsk_ack.quick != 0 }

    /// Kernel: `tcp_incr_quickack`.
    func increaseQuickAck(_ most: UInt32) {
        let mss = UInt32(max(rp.pointee.inet_conn.icsk_ack.rcv_mss, 1))
        var count = rp.pointee.rcv_wnd / (2 &* mss)
        if count == 0 { count = 2 }
        count = min(count, most)
        if count > UInt32(rp.pointee.inet_conn.icsk_ack.quick) {
            rp.pointee.inet_conn.icsk_ack.quick = UInt8(truncatingIfNeeded: count)
        }
    }

    /// Kernel: `tcp_enter_quickack_mode`.
    func enterQuickAck(_ most: UInt32) {
        increaseQuickAck(most)
        rp.pointee.inet_conn.icsk_ack.ato = engine.pointee.host.hz / 25
    }

    /// Segments in order that the application has not read. A filled hole sets many free at once.
    var unreadSegments: Int64 {
        Int64((rp.pointee.rcv_nxt &- rp.pointee.copied_seq &+ receiverMSS &- 1) / receiverMSS)
    }

    /// A segment has been taken in: acknowledge now, later, or compressed. Kernel: `__tcp_ack_snd_check`.
    func checkAck(isOutOfOrderPossible: Bool) {
        let rp = rp
        guard pointee.receiverState.phase == .established else { return }
        let host = engine.pointee.host
        let isTwoSegments =
            rp.pointee.rcv_nxt &- rp.pointee.rcv_wup > UInt32(rp.pointee.inet_conn.icsk_ack.rcv_mss)
            && selectWindow(unread: unreadSegments) >= rp.pointee.rcv_wnd
        let isNow = rp.ackPending & UInt8(ICSK_ACK_NOW.rawValue) != 0
        if isTwoSegments || isQuick || isNow || !host.delayedACK {
            sendAck(unread: unreadSegments)
            return
        }
        guard isOutOfOrderPossible, !pointee.receiverState.outOfOrder.isEmpty else {
            delayAck()
            return
        }
        compressAck(host)
    }

    /// Many SACKs in a row say little: after three they are held back a moment. Kernel: SACK compression.
    private func compressAck(_ host: HostSettings) {
        guard host.sackCompression, rp.pointee.compressed_ack < Kernel.compressedSACKsMax else {
            sendAck(unread: unreadSegments)
            return
        }
        if rp.pointee.compressed_ack_rcv_nxt != rp.pointee.rcv_nxt {
            rp.pointee.compressed_ack_rcv_nxt = rp.pointee.rcv_nxt
            pointee.receiverState.dupAcks = 0
        }
        if pointee.receiverState.dupAcks < 3 {
            pointee.receiverState.dupAcks += 1
            sendAck(unread: unreadSegments)
            return
        }
        rp.pointee.compressed_ack += 1
        guard pointee.compressedDeadline == .never else { return }
        var rtt = rp.pointee.rcv_rtt_est.rtt_us
        if rp.pointee.srtt_us != 0, rp.pointee.srtt_us < rtt { rtt = rp.pointee.srtt_us }
        let delay = min(Kernel.compressedSACKDelay, UInt64(rtt) &* 125 / 20)
        pointee.compressedDeadline = engine.pointee.now &+ Nanoseconds(delay)
        armFast()
    }

    func compressedTimeout() {
        guard pointee.receiverState.phase == .established, rp.pointee.compressed_ack != 0 else { return }
        refreshReceiverClock()
        sendAck(unread: 0)
    }

    private func refreshReceiverClock() {
        rp.pointee.tcp_clock_cache = engine.ktime
        rp.pointee.tcp_mstamp = rp.pointee.tcp_clock_cache / 1000
    }

    /// Kernel: `tcp_send_delayed_ack`.
    private func delayAck() {
        let rp = rp
        let hz = engine.pointee.host.hz
        let delackMin = max(hz / 25, 1)
        var ato = UInt32(rp.pointee.inet_conn.icsk_ack.ato)
        if ato > delackMin {
            var most = hz / 2
            if rp.ackPending & UInt8(ICSK_ACK_PUSHED.rawValue) != 0 { most = hz / 5 }
            if rp.pointee.srtt_us != 0 {
                most = min(most, max(engine.jiffies(microseconds: rp.pointee.srtt_us >> 3), delackMin))
            }
            ato = min(ato, most)
        }
        ato = min(ato, rp.pointee.inet_conn.icsk_delack_max)
        let now = engine.jiffies64
        var timeout = now &+ UInt64(ato)
        if rp.ackPending & UInt8(ICSK_ACK_TIMER.rawValue) != 0, pointee.delackDeadline != .never {
            if pointee.receiverState.delackJiffies <= now &+ UInt64(ato >> 2) {
                sendAck(unread: unreadSegments)
                return
            }
            timeout = min(timeout, pointee.receiverState.delackJiffies)
        }
        rp.ackPending |= UInt8(ICSK_ACK_SCHED.rawValue | ICSK_ACK_TIMER.rawValue)
        pointee.receiverState.delackJiffies = timeout
        pointee.delackDeadline = engine.wheelTime(of: timeout)
        armSlow()
    }

    /// Kernel: `tcp_delack_timer_handler`.
    func delackTimeout() {
        if pointee.receiverState.phase == .closed { return resendFIN() }
        guard pointee.receiverState.phase == .established,
            rp.ackPending & UInt8(ICSK_ACK_TIMER.rawValue) != 0
        else { return }
        rp.ackPending &= ~UInt8(ICSK_ACK_TIMER.rawValue)
        guard rp.ackPending & UInt8(ICSK_ACK_SCHED.rawValue) != 0 else { return }
        refreshReceiverClock()
        // An ACK came too late: wait longer the next time.
        rp.pointee.inet_conn.icsk_ack.ato = min(
            min(UInt32(rp.pointee.inet_conn.icsk_ack.ato) &<< 1, rp.rto), 255)
        sendAck(unread: 0)
    }

    /// Sends an ACK for everything. - Parameter unread: segments that wait for the application.
    func sendAck(unread: Int64) {
        let rp = rp
        _ = offerWindow(unread: unread)
        let isScheduled = rp.ackPending & UInt8(ICSK_ACK_SCHED.rawValue) != 0
        transmitAck(rp.pointee.rcv_nxt, ecnFlags: rp.ecnFlags, flags: [])
        rp.pointee.compressed_ack = 0
        pointee.compressedDeadline = .never
        pointee.delackDeadline = .never
        rp.ackPending = 0
        // Kernel: `tcp_dec_quickack_mode`.
        let quick = rp.pointee.inet_conn.icsk_ack.quick
        guard quick != 0, isScheduled else { return }
        if quick == 1 {
            rp.pointee.inet_conn.icsk_ack.quick = 0
            rp.pointee.inet_conn.icsk_ack.ato = engine.pointee.host.hz / 25
        } else {
            rp.pointee.inet_conn.icsk_ack.quick = quick - 1
        }
    }

    /// The ACK that a program sends (`tcp_send_ack`): it may name an older `rcv_nxt`, and then changes no state.
    func sendProgramAck(_ ack: PendingEffects.ACK) {
        if ack.rcvNxt == rp.pointee.rcv_nxt {
            let flags = rp.ecnFlags
            rp.ecnFlags = ack.ecnFlags
            sendAck(unread: unreadSegments)
            rp.ecnFlags = flags
        } else {
            transmitAck(ack.rcvNxt, ecnFlags: ack.ecnFlags, flags: [])
        }
    }

    /// Puts an ACK on the way back.
    func transmitAck(_ ack: UInt32, ecnFlags: UInt8, flags: Acknowledgement.Flags) {
        let rp = rp
        var flags = flags
        if ecnFlags & UInt8(TCP_ECN_DEMAND_CWR) != 0, ecnFlags & UInt8(TCP_ECN_OK) != 0 { flags.insert(.ece) }
        var packet = Acknowledgement(
            head: .init(
                due: 0, flow: pointee.index, ack: ack, window: rp.pointee.rcv_wnd,
                tsval: engine.timestamp, tsecr: rp.pointee.rx_opt.ts_recent,
                generation: pointee.generation, flags: flags))
        addBlocks(to: &packet)
        rp.pointee.segs_out &+= 1
        engine.transmit(packet, line: pointee.delayLine)
    }

    // MARK: SACK blocks

    /// A duplicate's block first, then the most recent ones, as many as fit.
    private func addBlocks(to packet: inout Acknowledgement) {
        let count = rp.pointee.rx_opt.num_sacks
        guard pointee.receiverState.hasDSACK || count > 0 else { return }
        let blocks = rp.pointee.selective_acks
        let most = engine.pointee.host.wire.sackBlocks
        if pointee.receiverState.hasDSACK {
            pointee.receiverState.hasDSACK = false
            packet.head.flags.insert(.dsack)
            packet.sacks = (rp.pointee.duplicate_sack, blocks.0, blocks.1, blocks.2)
            packet.head.sackCount = min(count &+ 1, most)
        } else {
            packet.sacks = blocks
            packet.head.sackCount = min(count, most)
        }
    }

    /// The range that grew comes first; blocks it has swallowed go. Kernel: `tcp_sack_new_ofo_skb`.
    func addBlock(_ block: tcp_sack_block) {
        var kept: [4 of tcp_sack_block] = .init(repeating: tcp_sack_block(start_seq: 0, end_seq: 0))
        kept[0] = block
        var count = 1
        forEachBlock { old in
            let isSwallowed = !before(old.start_seq, block.start_seq) && !after(old.end_seq, block.end_seq)
            if !isSwallowed, count < 4 {
                kept[count] = old
                count += 1
            }
        }
        rp.pointee.selective_acks = (kept[0], kept[1], kept[2], kept[3])
        rp.pointee.rx_opt.num_sacks = UInt8(count)
    }

    /// Kernel: `tcp_sack_remove`.
    func removeAckedBlocks() {
        if pointee.receiverState.outOfOrder.isEmpty {
            rp.pointee.rx_opt.num_sacks = 0
            return
        }
        var kept: [4 of tcp_sack_block] = .init(repeating: tcp_sack_block(start_seq: 0, end_seq: 0))
        var count = 0
        let next = rp.pointee.rcv_nxt
        forEachBlock { old in
            if before(next, old.start_seq) {
                kept[count] = old
                count += 1
            }
        }
        rp.pointee.selective_acks = (kept[0], kept[1], kept[2], kept[3])
        rp.pointee.rx_opt.num_sacks = UInt8(count)
    }

    @inline(__always) private func forEachBlock(_ body: (tcp_sack_block) -> Void) {
        let blocks = rp.pointee.selective_acks
        let count = rp.pointee.rx_opt.num_sacks
        if count > 0 { body(blocks.0) }
        if count > 1 { body(blocks.1) }
        if count > 2 { body(blocks.2) }
        if count > 3 { body(blocks.3) }
    }
}
