internal import KernelABI

// The retransmission queue, and its segments in order of transmission (kernel: `tsorted_sent_queue`): those sent once are
// in the queue's own order, the others in that of `resent`.

extension Flow {
    @inline(__always) func segment(_ number: UInt32) -> UnsafeMutablePointer<Segment> {
        pointee.segments.at(number)
    }
    @inline(__always) var headSegment: UInt32 { pointee.segments.head }
    @inline(__always) var endSegment: UInt32 { pointee.segments.tail }
    @inline(__always) var hasSegments: Bool { !pointee.segments.isEmpty }

    /// When a segment was last sent, microseconds on the programs' clock.
    @inline(__always) func sentMicroseconds(_ segment: UnsafeMutablePointer<Segment>) -> UInt64 {
        let now = tp.pointee.tcp_mstamp
        // Pacing may have stamped it a little ahead.
        let since = Int32(bitPattern: segment.pointee.sent &- UInt32(truncatingIfNeeded: now))
        return now &+ UInt64(bitPattern: Int64(since))
    }

    /// Appends to the queue. Room must have been checked (`hasRoomForSegment`).
    @inline(__always) func appendSegment(_ value: Segment) {
        var value = value
        value.flags.insert(.listed)
        pointee.segments.append(value)
        engine.pointee.segmentCount &+= 1
    }

    @inline(__always) var hasRoomForSegment: Bool {
        engine.pointee.segmentCount < engine.pointee.segmentsMax
    }

    /// Drops the oldest segment of the queue.
    @inline(__always) func removeFirstSegment() {
        let number = pointee.segments.head
        var memory = Int32(bitPattern: segment(number).pointee.payload)
        if segment(number).pointee.flags.contains(.endsBurst) { memory = memory &+ Kernel.sendOverhead }
        tp.wmemQueued = tp.wmemQueued &- memory
        if pointee.retransmitHint == number { pointee.retransmitHint = FlowState.none }
        pointee.segments.removeFirst()
        engine.pointee.segmentCount &-= 1
    }

    func removeAllSegments() {
        engine.pointee.segmentCount &-= pointee.segments.count
        pointee.segments.removeAll()
        pointee.chunks.removeAll()
        pointee.writeLeft = 0
        pointee.firstListed = pointee.segments.head
        pointee.resent.removeAll()
        pointee.deliveries.removeAll()
        pointee.highestSACK = FlowState.none
        pointee.retransmitHint = FlowState.none
    }

    /// After an ACK: what no segment refers to any more goes.
    @inline(__always) func trimHistory() {
        guard hasSegments else {
            pointee.resent.removeAll()
            pointee.deliveries.removeAll()
            return
        }
        let head = segment(headSegment).pointee
        // All that follows the head was sent after it for the first time. If the head itself was sent again, the
        // others may refer to what came before that.
        guard !head.flags.isRetransmission, pointee.deliveries.contains(head.delivery) else { return }
        while pointee.deliveries.head != head.delivery { pointee.deliveries.removeFirst() }
    }

    /// A segment was sent again: it comes last in order of transmission.
    func noteResent(_ number: UInt32) {
        segment(number).pointee.flags.insert(.listed)
        trimResent()
        pointee.resent.append(Resent(number: number, sent: segment(number).pointee.sent))
    }

    /// What the receiver had SACKed may be lost after all.
    func relist(_ number: UInt32) {
        if segment(number).pointee.flags.contains(.everRetransmitted) {
            noteResent(number)
        } else {
            segment(number).pointee.flags.insert(.listed)
        }
    }

    func trimResent() {
        while !pointee.resent.isEmpty, !isCurrent(pointee.resent.at(pointee.resent.head).pointee) {
            pointee.resent.removeFirst()
        }
    }

    /// Whether a retransmission is the last transmission of a segment that is looked at for being lost.
    @inline(__always) func isCurrent(_ resent: Resent) -> Bool {
        guard pointee.segments.contains(resent.number) else { return false }
        let segment = segment(resent.number).pointee
        return segment.flags.contains([.listed, .everRetransmitted]) && segment.sent == resent.sent
    }

    /// Number of the first segment that ends after `seq`; the end of the queue if none does.
    func firstSegment(endingAfter seq: UInt32) -> UInt32 {
        let head = headSegment
        var low: UInt32 = 0
        var high = UInt32(pointee.segments.count)
        while low < high {
            let middle = (low &+ high) >> 1
            if after(segment(head &+ middle).pointee.end, seq) {
                high = middle
            } else {
                low = middle &+ 1
            }
        }
        return head &+ low
    }

    /// Sequence number up to which something has been SACKed. Kernel: `tcp_highest_sack_seq`.
    @inline(__always) var highestSACKSeq: UInt32 {
        guard tp.pointee.sacked_out != 0 else { return tp.pointee.snd_una }
        let number = pointee.highestSACK
        guard number != FlowState.none, pointee.segments.contains(number) else { return tp.pointee.snd_nxt }
        return segment(number).pointee.seq
    }

    // MARK: Counting

    @inline(__always) func countDelivered(_ count: UInt32, ece: Bool) {
        tp.pointee.delivered &+= count
        if ece { tp.pointee.delivered_ce &+= count }
    }

    /// Kernel: `tcp_mark_skb_lost`.
    @inline(__always) func markLost(_ number: UInt32) {
        let segment = segment(number)
        if segment.pointee.flags.contains(.sacked) { return }
        // Looking for segments to retransmit starts again at the oldest one that needs it.
        let hint = pointee.retransmitHint
        if hint != FlowState.none, number &- headSegment < hint &- headSegment {
            pointee.retransmitHint = number
        }
        if segment.pointee.flags.contains(.lost) {
            guard segment.pointee.flags.contains(.retransmitted) else { return }
            // The retransmission was lost as well.
            segment.pointee.flags.remove(.retransmitted)
            tp.pointee.retrans_out &-= 1
            if hint == FlowState.none || number &- headSegment < hint &- headSegment {
                pointee.retransmitHint = number
            }
        } else {
            tp.pointee.lost_out &+= 1
            segment.pointee.flags.insert(.lost)
        }
        tp.pointee.lost &+= 1
        engine.tell(.markedLost(segment.pointee), flow: pointee.index)
    }
}

/// Kernel: `tcp_skb_sent_after`: later, or at the same time and further on in the stream.
@inline(__always) func isSentAfter(_ t1: UInt64, _ t2: UInt64, _ seq1: UInt32, _ seq2: UInt32) -> Bool {
    t1 > t2 || (t1 == t2 && after(seq1, seq2))
}
