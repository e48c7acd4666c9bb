internal import KernelABI

// What may be sent, in what bursts, and how it leaves. Kernel: `tcp_write_xmit` and around in tcp_output.c.

extension Flow {
    @inline(__always) var unsentBytes: UInt32 { tp.pointee.write_seq &- tp.pointee.snd_nxt }
    /// A FIN alone counts: it takes a sequence number.
    @inline(__always) var hasUnsentData: Bool {
        unsentBytes != 0 || (pointee.finQueued && !pointee.finSent)
    }

    /// Why new data is sent now.
    enum Occasion {
        case ordinary
        /// A small segment need not wait for the ACK of another one (kernel: TCP_NAGLE_PUSH).
        case push
        /// One burst, from inside a write().
        case one
        /// One segment at most, whatever cwnd says: a loss probe.
        case probe
    }

    /// Kernel: `__tcp_push_pending_frames`.
    @inline(__always) func pushPending() {
        if hasUnsentData { _ = writeTransmit(.ordinary) }
    }

    /// Sends new data while windows and pacing allow.
    /// - Returns: whether anything was sent.
    func writeTransmit(_ occasion: Occasion) -> Bool {
        let tp = tp
        let mss = tp.pointee.mss_cache
        let burstMax = burstSegments()
        let isProbe = occasion == .probe
        var sent: UInt32 = 0
        var isCwndLimited = false
        while hasUnsentData {
            if isPaced() { break }
            var quota = cwndQuota()
            if quota == 0 {
                guard isProbe else { break }
                quota = 1
            }
            quota = isProbe ? 1 : min(quota, burstMax)
            let (length, isLast) = headLength(quota: quota)
            let window = tp.windowEnd &- tp.pointee.snd_nxt
            // At least one segment (or all that there is) must fit the receiver's window.
            guard Int32(bitPattern: window) > 0 || length == 0, min(length, mss) <= window else { break }
            if length <= mss {
                let isNagleOff = occasion == .push || !isLast
                if length < mss, !isProbe, !isNagleOff, isHeldByNagle { break }
            } else if occasion != .one, !isProbe,
                isDeferred(burstMax: burstMax, length: length, isLast: isLast, isCwndLimited: &isCwndLimited)
            {
                break
            }
            guard hasRoomForSegment else { break }
            sent &+= transmitNew(
                bytes: burstBytes(
                    quota: quota, length: length, window: window, isLast: isLast,
                    mayHold: occasion != .push))
            if isProbe || occasion == .one { break }
        }
        if tp.inFlight >= tp.cwnd { isCwndLimited = true }
        if sent != 0 || isCwndLimited { validateCwnd(isCwndLimited: isCwndLimited) }
        guard sent != 0 else {
            checkWindowProbe()
            return false
        }
        if tp.isInCwndReduction { tp.pointee.prr_out &+= sent }
        if !isProbe { _ = scheduleLossProbe(advancingRTO: false) }
        return true
    }

    /// Bytes of the write queue's first packet, filled up to `quota` segments from those behind it, and whether it is the
    /// last then. Kernel: `tcp_grow_skb`.
    private func headLength(quota: UInt32) -> (bytes: UInt32, isLast: Bool) {
        let wanted = quota &* tp.pointee.mss_cache
        var number = pointee.chunks.head
        guard number != pointee.chunks.tail else { return (0, true) }
        var length = pointee.chunks.at(number).pointee.end &- tp.pointee.snd_nxt
        // One packet is pulled from at most.
        if length < wanted, number &+ 1 != pointee.chunks.tail {
            let next = pointee.chunks.at(number &+ 1).pointee.end &- tp.pointee.snd_nxt
            if next <= wanted { number &+= 1 }
            length = min(next, wanted)
        }
        return (length, number &+ 1 == pointee.chunks.tail)
    }

    /// Bytes of the next burst: whole segments, and the rest of the packet or of the window if Nagle lets a small segment
    /// go. Kernel: `tcp_mss_split_point`.
    private func burstBytes(
        quota: UInt32, length: UInt32, window: UInt32, isLast: Bool, mayHold: Bool
    ) -> UInt32 {
        let mss = tp.pointee.mss_cache
        if length <= mss { return length }
        let most = UInt64(quota) &* UInt64(mss)
        if most <= UInt64(window), !isLast, UInt64(length) >= most { return UInt32(truncatingIfNeeded: most) }
        let needed = min(length, window)
        if most <= UInt64(needed) { return UInt32(truncatingIfNeeded: most) }
        let partial = needed % mss
        return partial != 0 && mayHold && isHeldByNagle ? needed - partial : needed
    }

    /// Segments that cwnd lets out now; at most half of it at once. Kernel: `tcp_cwnd_test`.
    @inline(__always) private func cwndQuota() -> UInt32 {
        let (inFlight, cwnd) = (tp.inFlight, tp.cwnd)
        if inFlight >= cwnd { return 0 }
        return min(max(cwnd >> 1, 1), cwnd &- inFlight)
    }

    /// Segments that leave as one burst: about a millisecond at the pacing rate. Kernel: `tcp_tso_segs`.
    func burstSegments() -> UInt32 {
        let tp = tp
        let minimum = callMinTSOSegments() ?? 0
        guard engine.pointee.host.tso else { return 1 }
        let floor = minimum != 0 ? minimum : Kernel.minTSOSegments
        let mss = tp.pointee.mss_cache
        var bytes = tp.pacingRate >> UInt64(Kernel.pacingShift)
        let shift = tp.minRTT >> Kernel.tsoRTTLog
        if shift < 32 { bytes = bytes &+ UInt64(Kernel.gsoMaxSize >> shift) }
        let segments = UInt32(truncatingIfNeeded: min(bytes, UInt64(Kernel.gsoMaxSize))) / mss
        // Whatever a program answers, a burst is at most what one packet of TSO holds.
        return min(max(segments, floor), Kernel.gsoMaxSize / mss)
    }

    /// Kernel: `tcp_nagle_test` without TCP_NODELAY: a small last segment waits while a small one is unacknowledged.
    private var isHeldByNagle: Bool {
        guard !pointee.finQueued, tp.pointee.packets_out != 0 else { return false }
        return after(tp.pointee.snd_sml, tp.pointee.snd_una) && !after(tp.pointee.snd_sml, tp.pointee.snd_nxt)
    }

    /// Whether to wait for a fuller burst. Kernel: `tcp_tso_should_defer`.
    private func isDeferred(
        burstMax: UInt32, length: UInt32, isLast: Bool, isCwndLimited: inout Bool
    ) -> Bool {
        let tp = tp
        if tp.caState >= CAState.recovery { return false }
        // Only if something was written or sent within the last millisecond.
        if Int64(bitPattern: tp.pointee.tcp_clock_cache &- tp.pointee.tcp_wstamp_ns) > 1_000_000 {
            return false
        }
        let mss = tp.pointee.mss_cache
        let sendWindow = tp.windowEnd &- tp.pointee.snd_nxt
        let congestionWindow = (tp.cwnd &- tp.inFlight) &* mss
        let limit = min(sendWindow, congestionWindow)
        if limit >= burstMax &* mss { return false }
        // It will not get any longer.
        if !isLast, limit >= length { return false }
        let chunk = min(tp.pointee.snd_wnd, tp.cwnd &* mss) / Kernel.tsoWindowDivisor
        if limit >= chunk { return false }
        guard hasSegments else { return false }
        // If the next ACK is likely to be far off (more than 1 ms or half an RTT), do not wait for it.
        let srtt = UInt64(tp.pointee.srtt_us) &* 125
        let expected = sentMicroseconds(segment(headSegment)) &* 1000 &+ srtt
        let wait = Int64(bitPattern: expected &- tp.pointee.tcp_clock_cache)
        if wait > Int64(min(srtt >> 1, 1_000_000)) { return false }
        if congestionWindow < sendWindow {
            if congestionWindow <= length {
                isCwndLimited = true
                return true
            }
        } else if sendWindow <= length {
            return true
        }
        return !pointee.finQueued
    }

    /// Cuts `bytes` from the unsent data into segments and sends them as one burst.
    /// - Returns: segments sent.
    func transmitNew(bytes: UInt32) -> UInt32 {
        let tp = tp
        let mss = tp.pointee.mss_cache
        let priorPackets = tp.pointee.packets_out
        let stamp = stampTransmission()
        if tp.inFlight == 0 { callCwndEvent(CA_EVENT_TX_START) }
        tp.pointee.lsndtime = engine.jiffies32
        var left = bytes
        var count: UInt32 = 0
        let sent = stamp / 1000
        let timestamp = sent / 1000
        let delivery = noteSent(at: sent, isFirstInFlight: priorPackets == 0)
        var common: Segment.Flags = .hasRate
        noteAppLimited(&common)
        repeat {
            let length = min(left, mss)
            left -= length
            var flags = common
            var end = tp.pointee.snd_nxt &+ length
            if left == 0, end == tp.pointee.write_seq, pointee.finQueued {
                flags.insert(.fin)
                end &+= 1
                pointee.finSent = true
                tp.pointee.write_seq &+= 1
            }
            var segment = Segment(
                seq: tp.pointee.snd_nxt, end: end, stamp: stamp, flags: flags, delivery: delivery)
            if left == 0 {
                segment.flags.insert(.endsBurst)
                // Packets of TSO carry PSH at their end.
                if takeFromChunks(upTo: segment.seq &+ length) || count > 0 { segment.flags.insert(.push) }
            }
            send(segment, timestamp: timestamp, isRetransmission: false)
            if length < mss, length > 0 { tp.pointee.snd_sml = end }
            appendSegment(segment)
            tp.pointee.snd_nxt = end
            count &+= 1
        } while left > 0 && hasRoomForSegment
        tp.pointee.packets_out &+= count
        accountSent(segments: count, bytes: bytes - left)
        if priorPackets == 0 || tp.pointee.inet_conn.icsk_pending == PendingTimer.lossProbe { rearmRTO() }
        return count
    }

    /// Takes what is being sent from the write queue.
    /// - Returns: whether a packet that was to carry PSH ended there.
    private func takeFromChunks(upTo end: UInt32) -> Bool {
        var isPush = false
        var memory = Kernel.sendOverhead
        while !pointee.chunks.isEmpty {
            let head = pointee.chunks.at(pointee.chunks.head).pointee
            if after(head.end, end) { break }
            isPush = isPush || head.isPush
            memory = memory &- Kernel.sendOverhead
            pointee.chunks.removeFirst()
        }
        tp.wmemQueued = tp.wmemQueued &+ memory
        return isPush
    }

    /// The time that a burst carries, and, when pacing, the earliest time of the next one: see `accountSent`.
    func stampTransmission() -> UInt64 {
        let prior = tp.pointee.tcp_wstamp_ns
        tp.pointee.tcp_wstamp_ns = max(prior, tp.pointee.tcp_clock_cache)
        engine.pointee.priorStamp = prior
        return tp.pointee.tcp_wstamp_ns
    }

    /// Counts a burst that has left and moves the pacing clock on. Kernel: `tcp_update_skb_after_send`.
    func accountSent(segments: UInt32, bytes: UInt32) {
        let tp = tp
        tp.pointee.segs_out &+= segments
        tp.pointee.data_segs_out &+= segments
        tp.pointee.bytes_sent &+= UInt64(bytes)
        guard tp.pacingStatus != SK_PACING_NONE.rawValue else { return }
        let rate = tp.pacingRate
        // As sch_fq: the first ten segments are not paced.
        guard rate != Kernel.unlimitedRate, rate != 0, tp.pointee.data_segs_out >= 10 else { return }
        var nanoseconds = UInt64(bytes) &* 1_000_000_000 / rate
        let credit = tp.pointee.tcp_wstamp_ns &- engine.pointee.priorStamp
        nanoseconds &-= min(nanoseconds / 2, credit)
        tp.pointee.tcp_wstamp_ns &+= nanoseconds
    }

    /// Puts one segment on the wire.
    /// - Parameter timestamp: when it leaves, milliseconds on the programs' clock.
    func send(_ segment: Segment, timestamp: UInt64, isRetransmission: Bool) {
        let tp = tp
        var flags: Packet.Flags = []
        if segment.flags.contains(.push) { flags.insert(.push) }
        let payload = segment.payload
        if segment.flags.contains(.fin) {
            flags.insert(.fin)
            if payload == 0 { pointee.statistics.bareFINs &+= 1 }
        }
        if isRetransmission { flags.insert(.retransmission) }
        if tp.ecnFlags & UInt8(TCP_ECN_OK) != 0 {
            if payload > 0, !isRetransmission {
                flags.insert(.ect)
                if tp.ecnFlags & UInt8(TCP_ECN_QUEUE_CWR) != 0 {
                    tp.ecnFlags &= ~UInt8(TCP_ECN_QUEUE_CWR)
                    flags.insert(.cwr)
                }
            } else if needsECN(.sender) {
                flags.insert(.ect)
            }
        }
        engine.transmit(
            Packet(
                serviceEnd: 0, flow: pointee.index, generation: pointee.generation, seq: segment.seq,
                tsval: engine.pointee.host.timestamps ? UInt32(truncatingIfNeeded: timestamp) : 0,
                tsecr: pointee.senderRecentTimestamp, length: UInt16(truncatingIfNeeded: payload),
                wireLength: UInt16(truncatingIfNeeded: payload &+ 20 &+ UInt32(tp.pointee.tcp_header_len)),
                hop: 0, flags: flags)
        )
    }

    /// A bare ACK of the sender (the handshake's third packet, the ACK of the FIN).
    /// - Parameter seq: nil: the next one.
    func sendBareAck(seq: UInt32? = nil) {
        var flags: Packet.Flags = []
        if tp.ecnFlags & UInt8(TCP_ECN_OK) != 0, needsECN(.sender) { flags.insert(.ect) }
        engine.transmit(
            Packet(
                serviceEnd: 0, flow: pointee.index, generation: pointee.generation,
                seq: seq ?? tp.pointee.snd_nxt, tsval: engine.timestamp, tsecr: pointee.senderRecentTimestamp,
                length: 0,
                wireLength: 20 &+ tp.pointee.tcp_header_len, hop: 0, flags: flags))
        tp.pointee.segs_out &+= 1
    }

    // MARK: Pacing

    /// Kernel: `tcp_pacing_check`; sets the timer if it is too early.
    @inline(__always) func isPaced() -> Bool {
        guard tp.needsPacing, tp.pointee.tcp_wstamp_ns > tp.pointee.tcp_clock_cache else { return false }
        if pointee.pacingDeadline == .never {
            let wait = tp.pointee.tcp_wstamp_ns &- tp.pointee.tcp_clock_cache
            // A program may have set a rate that puts the next burst centuries off.
            pointee.pacingDeadline = engine.pointee.now &+ Nanoseconds(min(wait, UInt64(Nanoseconds.max / 4)))
            armFast()
        }
        return true
    }

    /// Kernel: `tcp_pace_kick`, `tcp_tsq_write`.
    func pacingTimeout() {
        refreshClock()
        if tp.pointee.lost_out > tp.pointee.retrans_out, tp.cwnd > tp.inFlight { retransmitLost() }
        _ = writeTransmit(.ordinary)
    }

    // MARK: Validation of cwnd

    /// Kernel: `tcp_cwnd_validate`.
    private func validateCwnd(isCwndLimited: Bool) {
        let tp = tp
        if !before(tp.pointee.snd_una, tp.pointee.cwnd_usage_seq) || isCwndLimited
            || (tp.pointee.is_cwnd_limited == 0 && tp.pointee.packets_out > tp.pointee.max_packets_out)
        {
            tp.pointee.is_cwnd_limited = isCwndLimited ? 1 : 0
            tp.pointee.max_packets_out = tp.pointee.packets_out
            tp.pointee.cwnd_usage_seq = tp.pointee.snd_nxt
        }
        let now = engine.jiffies32
        if tp.isCwndLimited {
            tp.pointee.snd_cwnd_used = 0
            tp.cwndStamp = now
            return
        }
        if tp.pointee.packets_out > tp.pointee.snd_cwnd_used {
            tp.pointee.snd_cwnd_used = tp.pointee.packets_out
        }
        if Int32(bitPattern: now &- tp.cwndStamp) >= Int32(truncatingIfNeeded: tp.rto), !hasCongControl {
            limitByApplication()
        }
    }

    /// Kernel: `tcp_cwnd_application_limited`.
    private func limitByApplication() {
        if tp.caState == CAState.open, !pointee.waitsForSpace {
            let used = max(tp.pointee.snd_cwnd_used, engine.pointee.host.initialWindow)
            if used < tp.cwnd {
                tp.ssthresh = tp.currentSsthresh
                tp.cwnd = (tp.cwnd &+ used) >> 1
            }
            tp.pointee.snd_cwnd_used = 0
        }
        tp.cwndStamp = engine.jiffies32
    }
}
