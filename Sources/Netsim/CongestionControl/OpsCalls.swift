internal import CShim
internal import KernelABI
internal import OpsCore

// Every call of a congestion control goes through here: the clocks of its instance are set before, and what it asked
// for (ACKs, another congestion control) is done after.

/// The end of a connection whose ops are called.
enum Side {
    case sender, receiver
}

extension Engine {
    /// What programs see of the time.
    @inline(__always) func setClocks(of block: UnsafeMutablePointer<ops_block>) {
        let ktime = self.ktime
        block.pointee.ktime_ns = ktime
        let jiffies = jiffies64
        if block.pointee.jiffies64 != jiffies {
            block.pointee.jiffies64 = jiffies
            let tick = 1_000_000_000 / UInt64(pointee.host.hz)
            block.pointee.ktime_coarse_ns = ktime / tick &* tick
        }
    }
}

extension Flow {
    @inline(__always) func ops(_ side: Side) -> UnsafePointer<tcp_congestion_ops> {
        side == .sender ? pointee.senderOps.ops : pointee.receiverOps.ops
    }

    /// Before a call.
    /// - Returns: the account of the program that will run; the attachment may be another one's when the call is over.
    @inline(__always) private func enter(_ side: Side) -> UnsafeMutablePointer<ProgramAccount>? {
        guard let program = side == .sender ? pointee.senderOps.program : pointee.receiverOps.program else {
            return nil
        }
        let block = program.pointee.block
        engine.setClocks(of: block)
        block.pointee.cpu = pointee.index % engine.pointee.host.cpus
        engine.pointee.effects.depth &+= 1
        return program
    }

    /// After a call. What programs asked for is done when the outermost one has returned.
    @inline(__always) private func leave(
        _ program: UnsafeMutablePointer<ProgramAccount>?, _ op: Op, _ side: Side = .sender,
        _ words: CallWords = CallWords(), result: UInt32? = nil
    ) {
        if let program {
            engine.pointee.effects.depth &-= 1
            let call = CallRecord(
                time: engine.pointee.now, flow: pointee.index, op: op, side: side, result: result,
                words: words)
            if program.pointee.note(call) { settleInstructions(program) }
            let block = program.pointee.block
            // Only loops that may end at any turn take fuel: two loads where there are none.
            if block.pointee.fuel != block.pointee.fuel_per_call { chargeFuel(program) }
            if side == .sender { noteOddValues() }
            // The world's own consumer reads at once, whoever listens: what a ring buffer has room for depends on nothing
            // outside. One load where there is nothing to read.
            if block.pointee.records != 0 { Instance.of(block)?.consumeRecords() }
        }
        guard engine.pointee.effects.isPending, engine.pointee.effects.depth == 0 else { return }
        runEffects()
    }

    // MARK: Ops that decide

    @inline(__always) func callSsthresh() -> UInt32 {
        guard let op = ops(.sender).pointee.ssthresh else { return tp.ssthresh }
        let program = enter(.sender)
        let value = op(tp.sock)
        leave(program, .ssthresh, result: value)
        return value
    }

    @inline(__always) func callUndoCwnd() -> UInt32 {
        guard let op = ops(.sender).pointee.undo_cwnd else { return tp.cwnd }
        let program = enter(.sender)
        let value = op(tp.sock)
        leave(program, .undoCwnd, result: value)
        return value
    }

    /// nil: not implemented.
    @inline(__always) func callMinTSOSegments() -> UInt32? {
        guard let op = ops(.sender).pointee.min_tso_segs else { return nil }
        let program = enter(.sender)
        let value = op(tp.sock)
        leave(program, .minTSOSegments, result: value)
        return value
    }

    /// nil: not implemented.
    @inline(__always) func callSndbufExpand() -> UInt32? {
        guard let op = ops(.sender).pointee.sndbuf_expand else { return nil }
        let program = enter(.sender)
        let value = op(tp.sock)
        leave(program, .sndbufExpand, result: value)
        return value
    }

    // MARK: Ops that are told

    @inline(__always) func callCongAvoid(ack: UInt32, acked: UInt32) {
        guard let op = ops(.sender).pointee.cong_avoid else { return }
        let program = enter(.sender)
        op(tp.sock, ack, acked)
        leave(program, .congAvoid, .sender, CallWords(ack, acked))
    }

    @inline(__always) var hasCongControl: Bool { ops(.sender).pointee.cong_control != nil }

    @inline(__always) func callCongControl(ack: UInt32, flag: UInt32) {
        guard let op = ops(.sender).pointee.cong_control else { return }
        let program = enter(.sender)
        op(tp.sock, ack, Int32(bitPattern: flag), engine.pointee.rateSample)
        leave(
            program, .congControl, .sender,
            CallWords(ack: ack, flag: flag, UnsafePointer(engine.pointee.rateSample)))
    }

    @inline(__always) func callSetState(_ state: UInt8) {
        guard let op = ops(.sender).pointee.set_state else { return }
        let program = enter(.sender)
        op(tp.sock, state)
        leave(program, .setState, .sender, CallWords(UInt32(state)))
    }

    @inline(__always) func callCwndEvent(_ event: tcp_ca_event, _ side: Side = .sender) {
        guard let op = ops(side).pointee.cwnd_event else { return }
        let program = enter(side)
        op((side == .sender ? tp : rp).sock, event)
        leave(program, .cwndEvent, side, CallWords(event.rawValue))
    }

    @inline(__always) func callInAckEvent(_ flags: UInt32, _ side: Side = .sender) {
        guard let op = ops(side).pointee.in_ack_event else { return }
        let program = enter(side)
        op((side == .sender ? tp : rp).sock, flags)
        leave(program, .inAckEvent, side, CallWords(flags))
    }

    @inline(__always) func callPktsAcked(count: UInt32, rttMicroseconds: Int64, inFlightBytes: UInt32) {
        guard let op = ops(.sender).pointee.pkts_acked else { return }
        let sample = engine.pointee.ackSample
        sample.pointee = ack_sample(
            pkts_acked: count, rtt_us: Int32(truncatingIfNeeded: rttMicroseconds), in_flight: inFlightBytes)
        let program = enter(.sender)
        op(tp.sock, sample)
        leave(
            program, .pktsAcked, .sender,
            CallWords(count, UInt32(truncatingIfNeeded: rttMicroseconds), inFlightBytes))
    }

    /// Kernel: `tcp_init_congestion_control`.
    func callInit(_ side: Side) {
        let tp = side == .sender ? self.tp : rp
        tp.pointee.prior_ssthresh = 0
        if let op = ops(side).pointee.`init` {
            let program = enter(side)
            op(tp.sock)
            leave(program, .initialise, side)
        }
        tp.pointee.inet_conn.icsk_ca_initialized = 1
    }

    /// Kernel: `tcp_cleanup_congestion_control`.
    func callRelease(_ side: Side) {
        guard let op = ops(side).pointee.release else { return }
        let program = enter(side)
        op((side == .sender ? tp : rp).sock)
        leave(program, .release, side)
    }

    /// Whether this end's congestion control must have ECN. Kernel: `tcp_ca_needs_ecn`.
    @inline(__always) func needsECN(_ side: Side) -> Bool {
        ops(side).pointee.flags & UInt32(TCP_CONG_NEEDS_ECN) != 0
    }
}
