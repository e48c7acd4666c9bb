internal import KernelABI

/// What drives a flow: bulk data, transfers one after the other, or periodic writes.
struct Application {
    enum Kind {
        case bulk
        case transfer(bytes: UInt64, count: UInt32, gap: Nanoseconds)
        case write(bytes: UInt64, every: Nanoseconds)
    }
    enum Step: UInt8 { case start, write, stop, over }

    let kind: Kind
    let start: Nanoseconds
    let stop: Nanoseconds
    /// What the next application event is for.
    var step: Step = .start
    /// Bytes that write() has been called with and the socket has not taken yet.
    var pending: UInt64 = 0
    var transfersDone: UInt32 = 0
    var nextWrite: Nanoseconds = .never

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

    /// write(): gives the socket what it takes. Kernel: `tcp_sendmsg_locked`.
    func writePending() {
        guard pointee.phase == .established else { return }
        checkAppLimited()
        while pointee.application.pending > 0 {
            guard hasSendSpace else {
                pointee.waitsForSpace = true
                return
            }
            restartAfterIdle()
            let chunk = UInt32(
                min(pointee.application.pending, UInt64(Kernel.gsoMaxSize / Wire.mss &* Wire.mss)))
            if pointee.application.pending != .max { pointee.application.pending -= UInt64(chunk) }
            tp.pointee.write_seq &+= chunk
            pushPending()
            guard pointee.phase == .established else { return }
        }
        pointee.waitsForSpace = false
        if case .transfer = pointee.application.kind { closeAfterData() }
    }

    @inline(__always) private var queuedBytes: Int64 {
        Int64(tp.pointee.write_seq &- tp.pointee.snd_una)
    }
    /// Kernel: `sk_stream_memory_free`.
    @inline(__always) private var hasSendSpace: Bool { queuedBytes < Int64(tp.sndbuf) }

    /// After an ACK: room in the send buffer wakes the application. Kernel: `tcp_check_space`.
    @inline(__always) func checkSendSpace() {
        guard pointee.waitsForSpace, pointee.phase == .established else { return }
        if tp.inFlight < tp.cwnd {
            expandSendBuffer()
            tp.cwndStamp = engine.jiffies32
        }
        // Kernel: `sk_stream_is_writeable`: a third of the buffer is free.
        if Int64(tp.sndbuf) - queuedBytes >= queuedBytes >> 1 {
            pointee.waitsForSpace = false
            writePending()
        }
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
        guard case .transfer(_, let count, let gap) = pointee.application.kind else { return }
        pointee.statistics.completed(after: elapsed)
        pointee.application.transfersDone += 1
        guard pointee.application.transfersDone < count else {
            pointee.application.step = .over
            return
        }
        pointee.application.step = .start
        engine.pointee.queue.push(at: engine.pointee.now &+ gap, .application, pointee.index)
    }
}
