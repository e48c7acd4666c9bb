internal import KernelABI

// A connection's beginning and end: handshake, FIN, abort.

extension Flow {
    /// The application calls connect(): a new connection in this flow's place. Kernel: `tcp_v4_connect`.
    func connect() {
        pointee.generation &+= 1
        let isn = UInt32(truncatingIfNeeded: engine.pointee.random.next())
        let receiverISN = UInt32(truncatingIfNeeded: engine.pointee.random.next())
        pointee.senderOps = engine.pointee.controls.current(pointee.senderControl)
        pointee.receiverOps = engine.pointee.controls.current(pointee.receiverControl)
        initSocket(tp, .sender)
        initSocket(rp, .receiver)
        pointee.receiverState.reset(isn: receiverISN)
        pointee.highestSACK = FlowState.none
        pointee.retransmitHint = FlowState.none
        pointee.waitsForSpace = false
        pointee.finQueued = false
        pointee.finSent = false
        pointee.senderRecentTimestamp = 0
        pointee.statistics.connectTime = engine.pointee.now
        refreshClock()

        tp.pointee.snd_una = isn
        tp.pointee.snd_nxt = isn &+ 1
        tp.pointee.write_seq = isn &+ 1
        tp.pointee.snd_sml = isn
        tp.pointee.snd_up = isn
        tp.pointee.pushed_seq = isn
        tp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_SYN_SENT.rawValue)
        pointee.phase = .synSent
        engine.pointee.controls.get(pointee.senderOps)
        engine.pointee.controls.get(pointee.receiverOps)
        engine.tell(.opened, flow: pointee.index)
        let stamp = stampTransmission()
        appendSegment(
            Segment(
                seq: isn, end: isn &+ 1, stamp: stamp, flags: .syn))
        tp.pointee.packets_out = 1
        sendSYN()
        setRetransmitTimer(PendingTimer.retransmit, after: tp.rto)
    }

    /// What a new socket starts with. Kernel: `tcp_init_sock`.
    private func initSocket(_ socket: TCPSock, _ side: Side) {
        socket.pointee = tcp_sock()
        socket.pointee.inet_conn.icsk_ca_ops = ops(side)
        let host = engine.pointee.host
        socket.rto = Kernel.initialRTOSeconds &* host.hz
        socket.pointee.inet_conn.icsk_rto_min = engine.jiffies(microseconds: rtoMinMicroseconds)
        socket.pointee.inet_conn.icsk_delack_max = Kernel.delackMaxMilliseconds &* host.hz / 1000
        socket.pointee.mdev_us = Kernel.initialRTOSeconds &* 1_000_000
        socket.pointee.rtt_min.reset(at: engine.jiffies32, .max)
        socket.cwnd = host.initialWindow
        socket.ssthresh = Kernel.infiniteSsthresh
        socket.pointee.snd_cwnd_clamp = .max
        let wire = host.wire
        socket.pointee.mss_cache = wire.mss
        socket.pointee.advmss = UInt16(wire.mss)
        socket.pointee.tcp_header_len = UInt16(wire.headerBytes - 20)
        socket.pointee.reordering = Kernel.reordering
        socket.pointee.rack.reo_wnd_steps = 1
        socket.pointee.rx_opt.mss_clamp = 1460
        socket.pointee.rx_opt.sack_ok = 1
        socket.pointee.rx_opt.tstamp_ok = host.timestamps ? 1 : 0
        socket.pointee.rx_opt.wscale_ok = 1
        socket.pointee.rx_opt.snd_wscale = 10
        socket.pointee.rx_opt.rcv_wscale = 10
        socket.pointee.notsent_lowat = .max
        socket.pacingRate = Kernel.unlimitedRate
        socket.pointee.inet_conn.icsk_inet.sk.sk_max_pacing_rate = UInt(Kernel.unlimitedRate)
        socket.pointee.inet_conn.icsk_inet.sk.sk_pacing_shift = Kernel.pacingShift
        socket.pointee.inet_conn.icsk_inet.sk.sk_gso_max_size = Kernel.gsoMaxSize
        socket.pointee.inet_conn.icsk_inet.sk.sk_gso_max_segs = UInt16(Kernel.gsoMaxSegments)
        socket.pointee.inet_conn.icsk_inet.sk.sk_protocol = 6
        socket.pointee.inet_conn.icsk_inet.sk.sk_type = 1
        socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_CLOSE.rawValue)
        socket.sndbuf = min(Kernel.sndbufInitial, host.sndbuf)
        socket.rcvbuf = min(Kernel.rcvbufInitial, host.rcvbuf)
        setAddresses(socket, side)
    }

    /// Host 10.0.0.1 sends to 10.0.0.2; the sender's port tells flows apart.
    private func setAddresses(_ socket: TCPSock, _ side: Side) {
        let (here, there): (UInt32, UInt32) =
            side == .sender ? (0x0a00_0001, 0x0a00_0002) : (0x0a00_0002, 0x0a00_0001)
        let (port, peer): (UInt16, UInt16) =
            side == .sender
            ? (UInt16(truncatingIfNeeded: 32768 &+ pointee.index), 5201)
            : (5201, UInt16(truncatingIfNeeded: 32768 &+ pointee.index))
        socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_family = 2
        socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_rcv_saddr = here.bigEndian
        socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_daddr = there.bigEndian
        socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_num = port
        socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_dport = peer.bigEndian
        socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_hash = pointee.index
        socket.pointee.inet_conn.icsk_inet.inet_saddr = here.bigEndian
        socket.pointee.inet_conn.icsk_inet.inet_sport = port.bigEndian
    }

    private func sendSYN() {
        engine.transmit(
            Packet(
                serviceEnd: 0, flow: pointee.index, generation: pointee.generation, seq: tp.pointee.snd_una,
                tsval: engine.timestamp, tsecr: 0, length: 0,
                wireLength: UInt16(engine.pointee.host.wire.synBytes),
                hop: 0,
                flags: .syn))
        tp.pointee.segs_out &+= 1
    }

    func resendSYN() {
        guard tp.pointee.inet_conn.icsk_retransmits < Kernel.synRetriesMax else {
            abort(.timedOut)
            return
        }
        tp.pointee.inet_conn.icsk_retransmits += 1
        segment(headSegment).pointee.sent = UInt32(truncatingIfNeeded: engine.ktime / 1000)
        segment(headSegment).pointee.flags.insert(.everRetransmitted)
        tp.pointee.total_retrans &+= 1
        sendSYN()
        tp.rto = min(tp.rto &<< 1, rtoMaxJiffies)
        setRetransmitTimer(PendingTimer.retransmit, after: tp.rto)
    }

    /// The SYN-ACK is here. The kernel takes its ACK through the usual path before the congestion control is
    /// initialised, so `pkts_acked`, `in_ack_event` and `cong_control` may come before `init`.
    func finishConnect(_ acknowledgement: Acknowledgement) {
        if pointee.ecn || (needsECN(.sender) && needsECN(.receiver)) {
            tp.ecnFlags = UInt8(TCP_ECN_OK)
            rp.ecnFlags = UInt8(TCP_ECN_OK)
        }
        tp.pointee.rcv_nxt = pointee.receiverState.isn &+ 1
        tp.pointee.copied_seq = tp.pointee.rcv_nxt
        processAck(acknowledgement, isSlow: true)
        guard pointee.phase == .synSent else { return }
        tp.pointee.snd_wnd = acknowledgement.head.window
        tp.pointee.max_window = max(tp.pointee.max_window, acknowledgement.head.window)
        tp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_ESTABLISHED.rawValue)
        tp.pointee.lsndtime = engine.jiffies32
        // Kernel: `tcp_init_transfer`.
        tp.cwnd = tp.pointee.total_retrans > 1 ? 1 : engine.pointee.host.initialWindow
        tp.cwndStamp = engine.jiffies32
        pointee.phase = .established
        callInit(.sender)
        expandSendBuffer()
        guard pointee.phase == .established else { return }
        sendBareAck()
        pumpApplication()
    }

    /// The application closes: a FIN follows the data.
    func closeAfterData() {
        guard pointee.phase == .established else { return }
        pointee.finQueued = true
        pointee.phase = .finWait
        tp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_FIN_WAIT1.rawValue)
        pushPending()
    }

    /// The receiver's FIN is here: the transfer is over.
    func receiveFIN() {
        guard pointee.phase == .finWait, !pointee.statistics.hasReceivedFIN else { return }
        tp.pointee.rcv_nxt &+= 1
        sendBareAck()
        let elapsed = engine.pointee.now &- pointee.statistics.connectTime
        endConnection(.done)
        transferCompleted(after: elapsed)
    }

    /// Takes the connection down on both ends; its packets in flight will find another generation.
    func endConnection(_ phase: FlowPhase) {
        guard pointee.phase != .idle, pointee.phase != .done, pointee.phase != .failed else { return }
        cancelTimers()
        pointee.statistics.closeConnection(self)
        if tp.pointee.inet_conn.icsk_ca_initialized != 0 { callRelease(.sender) }
        if rp.pointee.inet_conn.icsk_ca_initialized != 0 { callRelease(.receiver) }
        tp.pointee.inet_conn.icsk_ca_initialized = 0
        rp.pointee.inet_conn.icsk_ca_initialized = 0
        tp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_CLOSE.rawValue)
        rp.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state = UInt8(TCP_CLOSE.rawValue)
        engine.tell(.closed, flow: pointee.index)
        removeAllSegments()
        pointee.generation &+= 1
        pointee.phase = phase
        engine.pointee.controls.put(pointee.senderOps)
        engine.pointee.controls.put(pointee.receiverOps)
        engine.pointee.controls.socketFreed(tp)
        engine.pointee.controls.socketFreed(rp)
    }

    /// Ends the flow for good, with a reason for the result.
    func abort(_ failure: FlowFailure) {
        if pointee.statistics.failure == nil { pointee.statistics.failure = failure }
        endConnection(.failed)
        pointee.phase = .failed
    }
}

/// Why a flow ended before its time.
enum FlowFailure {
    /// No answer after the kernel's number of retransmissions.
    case timedOut

    var text: String {
        switch self {
        case .timedOut: "timed out: no answer after the last retransmission"
        }
    }
}
