internal import KernelABI

// The retransmission queue, and the list of its segments by time of transmission (kernel: `tsorted_sent_queue`).

extension Flow {
    @inline(__always) func segment(_ number: UInt32) -> UnsafeMutablePointer<Segment> {
        pointee.segments.at(number)
    }
    @inline(__always) var headSegment: UInt32 { pointee.segments.head }
    @inline(__always) var endSegment: UInt32 { pointee.segments.tail }
    @inline(__always) var hasSegments: Bool { !pointee.segments.isEmpty }

    /// Appends to the queue and to the list. Room must have been checked (`hasRoomForSegment`).
    @inline(__always) func appendSegment(_ value: Segment) {
        let number = pointee.segments.tail
        pointee.segments.append(value)
        engine.pointee.segmentCount &+= 1
        link(number)
    }

    @inline(__always) var hasRoomForSegment: Bool {
        engine.pointee.segmentCount < engine.pointee.segmentsMax
    }

    /// Drops the oldest segment of the queue.
    @inline(__always) func removeFirstSegment() {
        let number = pointee.segments.head
        unlink(number)
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
        pointee.listHead = FlowState.none
        pointee.listTail = FlowState.none
        pointee.highestSACK = FlowState.none
        pointee.retransmitHint = FlowState.none
    }

    /// Puts a segment at the end of the list.
    @inline(__always) func link(_ number: UInt32) {
        let segment = segment(number)
        segment.pointee.next = FlowState.none
        segment.pointee.previous = pointee.listTail
        segment.pointee.flags.insert(.listed)
        if pointee.listTail == FlowState.none {
            pointee.listHead = number
        } else {
            self.segment(pointee.listTail).pointee.next = number
        }
        pointee.listTail = number
    }

    @inline(__always) func unlink(_ number: UInt32) {
        let segment = segment(number)
        guard segment.pointee.flags.contains(.listed) else { return }
        segment.pointee.flags.remove(.listed)
        let (previous, next) = (segment.pointee.previous, segment.pointee.next)
        if previous == FlowState.none {
            pointee.listHead = next
        } else {
            self.segment(previous).pointee.next = next
        }
        if next == FlowState.none {
            pointee.listTail = previous
        } else {
            self.segment(next).pointee.previous = previous
        }
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
    }
}

/// Kernel: `tcp_skb_sent_after`: later, or at the same time and further on in the stream.
@inline(__always) func isSentAfter(_ t1: UInt64, _ t2: UInt64, _ seq1: UInt32, _ seq2: UInt32) -> Bool {
    t1 > t2 || (t1 == t2 && after(seq1, seq2))
}
