internal import KernelABI

/// What drives a flow: bulk data, transfers one after the other, or periodic writes.
struct Application {
    enum Kind {
        case bulk
        case transfer(bytes: UInt64, count: UInt32, gap: Nanoseconds)
        case write(bytes: UInt64, every: Nanoseconds)
    }
    enum Step: UInt8 { case start, write, stop, over }

    /// Of a flow that takes arrivals: the transfer that it has now.
    var kind: Kind
    let start: Nanoseconds
    let stop: Nanoseconds
    /// What the next application event is for.
    var step: Step = .start
    /// Bytes that write() has been called with and the socket has not taken yet.
    var pending: UInt64 = 0
    var transfersDone: UInt32 = 0
    var nextWrite: Nanoseconds = .never
    /// Number of the arrivals that it takes its transfers from; `FlowState.none`: of none.
    var group = FlowState.none
    /// When the transfer arrived, if it is of a group.
    var arrival: Nanoseconds = 0

    init(kind: Kind, start: Nanoseconds, stop: Nanoseconds) {
        self.kind = kind
        self.start = start
        self.stop = stop
    }
}

extension Flow {
    /// An application event is due.
    func runApplication() {
        let now = engine.pointee.now
        if now >= pointee.application.stop {
            pointee.application.step = .over
            endConnection(.done)
            return
        }
        switch pointee.application.step {
        case .start:
            pointee.application.step = .write
            connect()
            if pointee.application.group != FlowState.none {
                pointee.statistics.connectTime = pointee.application.arrival
            }
            engine.pointee.queue.push(at: pointee.application.stop, .application, pointee.index)
        case .write: periodicWrite()
        case .stop, .over: break
        }
    }

    private func periodicWrite() {
        guard case .write(let bytes, let every) = pointee.application.kind,
            pointee.phase == .established, pointee.application.nextWrite <= engine.pointee.now
        else { return }
        refreshClock()
        let (sum, overflow) = pointee.application.pending.addingReportingOverflow(bytes)
        pointee.application.pending = overflow ? .max : sum
        scheduleWrite(after: every)
        writePending()
    }

    private func scheduleWrite(after every: Nanoseconds) {
        pointee.application.nextWrite = engine.pointee.now &+ every
        engine.pointee.queue.push(at: pointee.application.nextWrite, .application, pointee.index)
    }

    /// The connection is up: the application's first write.
    func pumpApplication() {
        switch pointee.application.kind {
        case .bulk: pointee.application.pending = .max
        case .transfer(let bytes, _, _): pointee.application.pending = bytes
        case .write(let bytes, let every):
            pointee.application.pending = bytes
            scheduleWrite(after: every)
        }
        writePending()
    }

    // MARK: write()

    /// Bytes that one packet of the write queue may hold. Kernel: `tcp_xmit_size_goal`.
    private var sizeGoal: UInt32 {
        let mss = tp.pointee.mss_cache
        guard engine.pointee.host.tso else { return mss }
        var bytes = Kernel.gsoMaxSize
        let most = tp.pointee.max_window
        // A packet takes half of the window at most.
        let half = most > Kernel.defaultMSS ? most >> 1 : most
        if half != 0, bytes > half { bytes = max(half, 68) }
        return max(bytes / mss * mss, mss)
    }

    /// Writes as much as the socket takes. Kernel: `tcp_sendmsg_locked`.
    func writePending() {
        pointee.waitsForSpace = false
        while pointee.phase == .established {
            if pointee.writeLeft == 0 {
                guard pointee.application.pending > 0 else { break }
                let bytes = UInt32(min(pointee.application.pending, UInt64(Kernel.writeBytes)))
                if pointee.application.pending != .max { pointee.application.pending -= UInt64(bytes) }
                pointee.writeLeft = bytes
                checkAppLimited()
            }
            guard copyToQueue() else { return }
            push(isNagleOff: false)
        }
        if case .transfer = pointee.application.kind { closeAfterData() }
    }

    /// Cuts the rest of a write() into packets.
    /// - Returns: false when the send buffer is full first.
    private func copyToQueue() -> Bool {
        let goal = sizeGoal
        var hasCopied = false
        while pointee.writeLeft > 0 {
            var room: UInt32 = 0
            if !pointee.chunks.isEmpty { room = goal &- min(goal, tailLength) }
            if room == 0 {
                guard tp.wmemQueued < tp.sndbuf else {
                    pointee.waitsForSpace = true
                    if hasCopied { push(isNagleOff: true) }
                    return false
                }
                restartAfterIdle()
                tp.wmemQueued = tp.wmemQueued &+ Kernel.sendOverhead
                pointee.chunks.append(WriteChunk(end: tp.pointee.write_seq, isPush: false))
                room = goal
            }
            let bytes = min(room, pointee.writeLeft)
            let tail = pointee.chunks.at(pointee.chunks.tail &- 1)
            tail.pointee.end &+= bytes
            if !hasCopied { tail.pointee.isPush = false }
            hasCopied = true
            tp.pointee.write_seq &+= bytes
            tp.wmemQueued = tp.wmemQueued &+ Int32(bitPattern: bytes)
            pointee.writeLeft &-= bytes
            if pointee.writeLeft == 0 { break }
            // Kernel: `forced_push`, `tcp_push_one`.
            let marked = tp.pointee.pushed_seq &+ (tp.pointee.max_window >> 1)
            if after(tp.pointee.write_seq, marked) {
                push(isNagleOff: true)
            } else if pointee.chunks.count == 1 {
                _ = writeTransmit(.one)
            }
            guard pointee.phase == .established else { return false }
        }
        return true
    }

    private var tailLength: UInt32 {
        let last = pointee.chunks.tail &- 1
        let start = pointee.chunks.count == 1 ? tp.pointee.snd_nxt : pointee.chunks.at(last &- 1).pointee.end
        return tp.pointee.write_seq &- start
    }

    /// Kernel: `tcp_push`.
    private func push(isNagleOff: Bool) {
        guard !pointee.chunks.isEmpty else { return }
        pointee.chunks.at(pointee.chunks.tail &- 1).pointee.isPush = true
        tp.pointee.pushed_seq = tp.pointee.write_seq
        _ = writeTransmit(isNagleOff ? .push : .ordinary)
    }

    /// After an ACK: room in the send buffer wakes the application. Kernel: `tcp_check_space`.
    @inline(__always) func checkSendSpace() {
        guard pointee.waitsForSpace, pointee.phase == .established else { return }
        if tp.inFlight < tp.cwnd {
            expandSendBuffer()
            tp.cwndStamp = engine.jiffies32
        }
        // Kernel: `sk_stream_is_writeable`: a third of the buffer is free.
        if Int64(tp.sndbuf) - Int64(tp.wmemQueued) >= Int64(tp.wmemQueued) >> 1 { writePending() }
    }

    /// Kernel: `tcp_sndbuf_expand`. What the program answers wraps as the kernel's int does.
    func expandSendBuffer() {
        let factor = callSndbufExpand() ?? 2
        let segments = max(max(engine.pointee.host.initialWindow, tp.cwnd), tp.pointee.reordering &+ 1)
        let bytes = Int32(bitPattern: factor &* (segments &* Kernel.sendPerSegment))
        if tp.sndbuf < bytes { tp.sndbuf = min(bytes, engine.pointee.host.sndbuf) }
    }

    /// A new write after a pause longer than the RTO starts with a smaller window. Kernel: `tcp_cwnd_restart`.
    private func restartAfterIdle() {
        guard tp.pointee.packets_out == 0, !hasCongControl else { return }
        let idle = engine.jiffies32 &- tp.pointee.lsndtime
        guard Int32(bitPattern: idle) > Int32(truncatingIfNeeded: tp.rto) else { return }
        var cwnd = tp.cwnd
        callCwndEvent(CA_EVENT_CWND_RESTART)
        tp.ssthresh = tp.currentSsthresh
        let restart = min(engine.pointee.host.initialWindow, cwnd)
        var left = Int64(idle) - Int64(tp.rto)
        while left > 0, cwnd > restart {
            cwnd >>= 1
            left -= Int64(max(tp.rto, 1))
        }
        tp.cwnd = max(cwnd, restart)
        tp.cwndStamp = engine.jiffies32
        tp.pointee.snd_cwnd_used = 0
    }

    /// The receiver has closed its end, too: this transfer is done, the next one follows after the gap.
    func transferCompleted(after elapsed: Nanoseconds) {
        guard case .transfer(let bytes, let count, let gap) = pointee.application.kind else { return }
        pointee.statistics.completed(after: elapsed)
        if pointee.application.group != FlowState.none {
            engine.finishArrival(self, group: pointee.application.group, bytes: bytes)
            return
        }
        pointee.application.transfersDone += 1
        guard pointee.application.transfersDone < count else {
            pointee.application.step = .over
            return
        }
        pointee.application.step = .start
        engine.pointee.queue.push(at: engine.pointee.now &+ gap, .application, pointee.index)
    }
}
