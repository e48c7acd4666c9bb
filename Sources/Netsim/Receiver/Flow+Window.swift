internal import KernelABI

// The receive window: what is offered, how it opens, how the buffer follows the rate (dynamic right-sizing).

extension Flow {
    /// Payload of a full segment.
    @inline(__always) var receiverMSS: UInt32 { UInt32(rp.pointee.advmss) }

    /// Window bytes that buffer bytes are worth. Kernel: `tcp_win_from_space`.
    @inline(__always) private func window(fromSpace space: Int64) -> Int64 {
        (space &* Int64(rp.pointee.scaling_ratio)) >> 8
    }

    /// Kernel memory of data that the application has not read.
    @inline(__always) private func unreadMemory(_ segments: Int64) -> Int64 {
        (segments &+ Int64(pointee.receiverState.outOfOrder.segmentCount)) &* Int64(Kernel.receivedTruesize)
    }

    /// Kernel: `tcp_space`.
    @inline(__always) private func space(unread segments: Int64) -> Int64 {
        window(fromSpace: Int64(rp.rcvbuf) - unreadMemory(segments))
    }

    /// What the SYN-ACK offers. Kernel: `tcp_select_initial_window`; half of the buffer, before a segment was seen.
    func initWindow() {
        rp.pointee.scaling_ratio = 128
        let mss = Int64(rp.pointee.advmss)
        let space = min(window(fromSpace: Int64(rp.rcvbuf)), 65_535)
        let initial = max(space / mss * mss, 1)
        rp.pointee.rcv_wnd = UInt32(truncatingIfNeeded: initial)
        rp.pointee.rcv_ssthresh = rp.pointee.rcv_wnd
        rp.pointee.window_clamp = UInt32(truncatingIfNeeded: window(fromSpace: Int64(rp.rcvbuf)))
    }

    /// Kernel: `tcp_init_buffer_space`.
    func startWindowMeasurement() {
        rp.pointee.inet_conn.icsk_ack.rcv_mss = 536
        rp.pointee.rcvq_space.time = rp.pointee.tcp_mstamp
        rp.pointee.rcvq_space.seq = rp.pointee.copied_seq
        rp.pointee.rcvq_space.space = min(
            min(rp.pointee.rcv_ssthresh, rp.pointee.rcv_wnd), 10 &* receiverMSS)
    }

    /// A segment shows how much memory its payload takes: the buffer is worth more window than was assumed.
    @inline(__always) private func measureScaling() {
        let ratio = UInt8(truncatingIfNeeded: (receiverMSS << 8) / Kernel.receivedTruesize)
        guard rp.pointee.scaling_ratio != ratio else { return }
        rp.pointee.scaling_ratio = ratio
        rp.pointee.window_clamp = UInt32(truncatingIfNeeded: window(fromSpace: Int64(rp.rcvbuf)))
        rp.pointee.rcvq_space.space = min(rp.pointee.rcvq_space.space, rp.pointee.window_clamp)
    }

    /// A full segment lets the window grow by two. Kernel: `tcp_grow_window`.
    ///
    /// - Parameter unread: segments in memory beside the out-of-order queue.
    func growWindow(length: UInt32, unread: Int64) {
        if length >= receiverMSS { measureScaling() }
        let room = min(Int64(rp.pointee.window_clamp), space(unread: unread)) - Int64(rp.pointee.rcv_ssthresh)
        guard room > 0, window(fromSpace: Int64(Kernel.receivedTruesize)) <= Int64(length) else { return }
        let step = max(2 &* receiverMSS, 2 &* length)
        rp.pointee.rcv_ssthresh &+= UInt32(min(room, Int64(step)))
        rp.pointee.inet_conn.icsk_ack.quick |= 1
    }

    /// Kernel: `__tcp_select_window`.
    func selectWindow(unread segments: Int64) -> UInt32 {
        var free = space(unread: segments)
        let allowed = window(fromSpace: Int64(rp.rcvbuf))
        let full = min(Int64(rp.pointee.window_clamp), allowed)
        let mss = Int64(rp.pointee.inet_conn.icsk_ack.rcv_mss)
        let scale: Int64 = 10
        if free < full >> 1 {
            rp.pointee.inet_conn.icsk_ack.quick = 0
            free = max(free, 0) & ~((1 << scale) - 1)
            if free < allowed >> 4 || free < min(mss, full) { return 0 }
        }
        free = min(free, Int64(rp.pointee.rcv_ssthresh))
        // Rounded up to what the scaled field can say.
        return UInt32(truncatingIfNeeded: (free + (1 << scale) - 1) & ~((1 << scale) - 1))
    }

    /// What was offered and is not used yet. Kernel: `tcp_receive_window`.
    @inline(__always) var offeredWindow: UInt32 {
        let window = Int32(bitPattern: rp.pointee.rcv_wup &+ rp.pointee.rcv_wnd &- rp.pointee.rcv_nxt)
        return UInt32(max(window, 0))
    }

    /// The window of an ACK that leaves now; what was offered is never taken back. Kernel: `tcp_select_window`.
    func offerWindow(unread segments: Int64) -> UInt32 {
        let current = offeredWindow
        var window = selectWindow(unread: segments)
        if window < current { window = (current &+ 1023) & ~1023 }
        rp.pointee.rcv_wnd = window
        rp.pointee.rcv_wup = rp.pointee.rcv_nxt
        return window
    }

    /// The application reads what is in order. Kernel: `tcp_recvmsg`, `tcp_cleanup_rbuf`.
    func readByApplication() {
        let copied = rp.pointee.rcv_nxt &- rp.pointee.copied_seq
        guard copied > 0 else { return }
        adjustSpace(firstRead: min(copied, receiverMSS))
        rp.pointee.copied_seq = rp.pointee.rcv_nxt
        let pending = rp.ackPending
        guard pointee.receiverState.phase == .established else { return }
        var acknowledges = false
        if pending & UInt8(ICSK_ACK_SCHED.rawValue) != 0 {
            let isTwoSegments =
                rp.pointee.rcv_nxt &- rp.pointee.rcv_wup > UInt32(rp.pointee.inet_conn.icsk_ack.rcv_mss)
            let pushed = UInt8(ICSK_ACK_PUSHED.rawValue | ICSK_ACK_PUSHED2.rawValue)
            let isDrained = pending & pushed != 0 && pointee.receiverState.outOfOrder.isEmpty
            acknowledges = isTwoSegments || isDrained
        }
        if !acknowledges, 2 &* UInt64(offeredWindow) <= UInt64(rp.pointee.window_clamp) {
            let window = selectWindow(unread: 0)
            acknowledges = window != 0 && UInt64(window) >= 2 &* UInt64(offeredWindow)
        }
        if acknowledges { sendAck(unread: 0) }
    }

    /// Once per RTT, the buffer is sized for twice what arrived in it, and more if that grew.
    ///
    /// The kernel looks after each packet that it copies: of what a filled hole has set free, all but the first packet
    /// still waits then, and counts as not taken.
    /// Kernel: `tcp_rcv_space_adjust`, `tcp_rcvbuf_grow`.
    private func adjustSpace(firstRead: UInt32) {
        let rtt = rp.pointee.rcv_rtt_est.rtt_us >> 3
        let elapsed = rp.pointee.tcp_mstamp &- rp.pointee.rcvq_space.time
        // The kernel takes a tie for reached; but where the first packet after a pause is processed a little late, as it
        // is on a host, what is a tie here is not reached there.
        guard rtt != 0, elapsed > UInt64(rtt) else { return }
        let read = rp.pointee.copied_seq &+ firstRead
        let waiting = Int64(rp.pointee.rcv_nxt &- read)
        let copied = Int64(read &- rp.pointee.rcvq_space.seq) - waiting
        if copied > Int64(rp.pointee.rcvq_space.space) { growBuffer(UInt32(truncatingIfNeeded: copied)) }
        rp.pointee.rcvq_space.seq = read
        rp.pointee.rcvq_space.time = rp.pointee.tcp_mstamp
    }

    /// - Parameter copied: bytes that the application took in an RTT.
    func growBuffer(_ copied: UInt32) {
        let old = UInt64(max(rp.pointee.rcvq_space.space, 1))
        rp.pointee.rcvq_space.space = copied
        var window = UInt64(copied) << 1
        window &+= (window &* (UInt64(copied) &- old) / old) << 1
        if !pointee.receiverState.outOfOrder.isEmpty {
            window &+= UInt64(pointee.receiverState.outOfOrder.lastEnd &- rp.pointee.rcv_nxt)
        }
        let ratio = UInt64(max(rp.pointee.scaling_ratio, 1))
        let bytes = min((window << 8) / ratio, UInt64(max(engine.pointee.host.rcvbuf, 0)))
        guard bytes > UInt64(max(rp.rcvbuf, 0)) else { return }
        rp.rcvbuf = Int32(truncatingIfNeeded: bytes)
        rp.pointee.window_clamp = UInt32(truncatingIfNeeded: self.window(fromSpace: Int64(bytes)))
    }

    /// RTT as the receiver sees it: its own timestamps come back on data. Kernel: `tcp_rcv_rtt_measure_ts`.
    func measureRTT(length: UInt32) {
        let echo = rp.pointee.rx_opt.rcv_tsecr
        guard echo != 0, echo != rp.pointee.rcv_rtt_last_tsecr else { return }
        rp.pointee.rcv_rtt_last_tsecr = echo
        guard length >= UInt32(rp.pointee.inet_conn.icsk_ack.rcv_mss) else { return }
        let delta = UInt32(truncatingIfNeeded: rp.pointee.tcp_mstamp / 1000) &- echo
        guard delta > 0, delta < UInt32(Int32.max) / 1000 else { return }
        updateReceiverRTT(delta &* 1000, isOfWindow: false)
    }

    /// Without data to echo: the time in which a window arrives is an RTT at most. Kernel: `tcp_rcv_rtt_measure`.
    func measureWindowTime() {
        let now = rp.pointee.tcp_mstamp
        if rp.pointee.rcv_rtt_est.time != 0 {
            if before(rp.pointee.rcv_nxt, rp.pointee.rcv_rtt_est.seq) { return }
            let elapsed = UInt32(truncatingIfNeeded: now &- rp.pointee.rcv_rtt_est.time)
            updateReceiverRTT(max(elapsed, 1), isOfWindow: true)
        }
        rp.pointee.rcv_rtt_est.seq = rp.pointee.rcv_nxt &+ rp.pointee.rcv_wnd
        rp.pointee.rcv_rtt_est.time = now
    }

    /// A smaller one counts at once, or the buffer would be sized for data of more than one RTT.
    /// Kernel: `tcp_rcv_rtt_update`.
    private func updateReceiverRTT(_ sample: UInt32, isOfWindow: Bool) {
        let old = rp.pointee.rcv_rtt_est.rtt_us
        if old == 0 || sample &<< 3 < old {
            rp.pointee.rcv_rtt_est.rtt_us = sample &<< 3
        } else if !isOfWindow {
            rp.pointee.rcv_rtt_est.rtt_us = old &- (old >> 3) &+ sample
        }
    }
}
