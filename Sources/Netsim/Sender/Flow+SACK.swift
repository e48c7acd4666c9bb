internal import KernelABI

// What an ACK's SACK blocks say about the retransmission queue (RFC 2018, RFC 2883).

extension Flow {
    /// - Returns: SACKed and DSACKed segments that count as delivered. Kernel: `tcp_sacktag_write_queue`.
    func tagSACKed(_ acknowledgement: Acknowledgement, _ pass: inout AckPass) -> UInt32 {
        var delivered: UInt32 = 0
        pass.reordered = tp.pointee.snd_nxt
        if tp.pointee.sacked_out == 0 {
            pointee.highestSACK = headSegment
            clearSACKCache()
        }
        let isDSACK = checkDSACK(acknowledgement, &pass, &delivered)
        guard !before(pass.ack, pass.priorUna &- tp.pointee.max_window), tp.pointee.packets_out != 0 else {
            return delivered
        }
        for index in 0..<Int(min(acknowledgement.head.sackCount, 4)) {
            let block = acknowledgement.sack(index)
            let isDuplicate = index == 0 && isDSACK
            guard isValid(block, isDuplicate: isDuplicate), after(block.end_seq, pass.priorUna) else {
                continue
            }
            if isDuplicate {
                tag(block, isDuplicate: true, &pass, &delivered)
            } else {
                tagUncached(block, &pass, &delivered)
            }
        }
        rememberBlocks(acknowledgement, skippingFirst: isDSACK)
        if tp.caState != CAState.loss || tp.pointee.undo_marker != 0 { checkReordering(pass.reordered) }
        return delivered
    }

    /// Kernel: `tcp_is_sackblock_valid`.
    private func isValid(_ block: tcp_sack_block, isDuplicate: Bool) -> Bool {
        if after(block.end_seq, tp.pointee.snd_nxt) || !before(block.start_seq, block.end_seq) {
            return false
        }
        if !before(block.start_seq, tp.pointee.snd_nxt) { return false }
        if after(block.start_seq, tp.pointee.snd_una) { return true }
        if !isDuplicate || tp.pointee.undo_marker == 0 { return false }
        if after(block.end_seq, tp.pointee.snd_una) { return false }
        return !before(block.start_seq, tp.pointee.undo_marker &- tp.pointee.max_window)
    }

    /// Segments wholly inside a block are SACKed. (Blocks end at segment borders, since the receiver got segments.)
    private func tag(
        _ block: tcp_sack_block, isDuplicate: Bool, _ pass: inout AckPass, _ delivered: inout UInt32
    ) {
        var number = firstSegment(endingAfter: block.start_seq)
        while number != endSegment {
            let segment = segment(number)
            guard before(segment.pointee.seq, block.end_seq) else { break }
            if !before(segment.pointee.seq, block.start_seq), !after(segment.pointee.end, block.end_seq) {
                tagOne(number, isDuplicate: isDuplicate, &pass, &delivered)
            }
            number &+= 1
        }
    }

    /// The parts of a block that the last ACK had already reported need no second look.
    private func tagUncached(_ block: tcp_sack_block, _ pass: inout AckPass, _ delivered: inout UInt32) {
        var start = block.start_seq
        while before(start, block.end_seq) {
            var part = tcp_sack_block(start_seq: start, end_seq: block.end_seq)
            var next = block.end_seq
            for index in 0..<4 {
                let known = cachedBlock(index)
                guard known.start_seq != known.end_seq, after(known.end_seq, start),
                    before(known.start_seq, part.end_seq)
                else { continue }
                if !after(known.start_seq, start) {
                    // Starts inside a known block: go on behind it.
                    part.end_seq = start
                    next = known.end_seq
                    break
                }
                part.end_seq = known.start_seq
                next = known.start_seq
            }
            if before(part.start_seq, part.end_seq) { tag(part, isDuplicate: false, &pass, &delivered) }
            start = next
        }
    }

    /// Kernel: `tcp_sacktag_one` and what `tcp_sacktag_walk` does around it.
    private func tagOne(
        _ number: UInt32, isDuplicate: Bool, _ pass: inout AckPass, _ delivered: inout UInt32
    ) {
        let segment = segment(number)
        var flags = segment.pointee.flags
        let (seq, end) = (segment.pointee.seq, segment.pointee.end)
        if isDuplicate, flags.isRetransmission {
            if tp.pointee.undo_marker != 0, tp.pointee.undo_retrans > 0, after(end, tp.pointee.undo_marker) {
                tp.pointee.undo_retrans -= 1
            }
            if flags.contains(.sacked), before(seq, pass.reordered) { pass.reordered = seq }
        }
        guard after(end, tp.pointee.snd_una) else { return }
        if !flags.contains(.sacked) {
            let sent = sentMicroseconds(segment)
            rackAdvance(sent: sent, end: end, wasRetransmitted: flags.isRetransmission)
            if flags.contains(.retransmitted) {
                if flags.contains(.lost) {
                    flags.subtract([.lost, .retransmitted])
                    tp.pointee.lost_out &-= 1
                    tp.pointee.retrans_out &-= 1
                }
            } else {
                if !flags.isRetransmission {
                    if before(seq, highestSACKSeq), before(seq, pass.reordered) { pass.reordered = seq }
                    if !after(end, tp.pointee.high_seq) { pass.flag |= AckFlag.originalAcked }
                    if pass.firstSackSent == 0 { pass.firstSackSent = sent }
                    pass.lastSackSent = sent
                }
                if flags.contains(.lost) {
                    flags.remove(.lost)
                    tp.pointee.lost_out &-= 1
                }
            }
            flags.insert(.sacked)
            pass.flag |= AckFlag.dataSacked
            tp.pointee.sacked_out &+= 1
            delivered &+= 1
        }
        if isDuplicate, flags.contains(.retransmitted) {
            flags.remove(.retransmitted)
            tp.pointee.retrans_out &-= 1
        }
        segment.pointee.flags = flags
        noteDelivered(segment)
        if flags.contains(.sacked) { segment.pointee.flags.remove(.listed) }
        if number &- headSegment >= pointee.highestSACK &- headSegment { pointee.highestSACK = number &+ 1 }
    }

    /// Kernel: `tcp_check_dsack`, `tcp_dsack_seen`.
    private func checkDSACK(
        _ acknowledgement: Acknowledgement, _ pass: inout AckPass, _ delivered: inout UInt32
    ) -> Bool {
        guard acknowledgement.head.sackCount > 0 else { return false }
        let first = acknowledgement.sack(0)
        var isDuplicate = before(first.start_seq, pass.ack)
        if !isDuplicate, acknowledgement.head.sackCount > 1 {
            let second = acknowledgement.sack(1)
            isDuplicate =
                !after(first.end_seq, second.end_seq) && !before(first.start_seq, second.start_seq)
        }
        guard isDuplicate else { return false }
        let length = first.end_seq &- first.start_seq
        guard length <= tp.pointee.max_window else { return true }
        var segments: UInt32 = 1
        if length > tp.pointee.mss_cache {
            segments = (length &+ tp.pointee.mss_cache &- 1) / tp.pointee.mss_cache
        } else if tp.pointee.tlp_high_seq != 0, tp.pointee.tlp_high_seq == first.end_seq {
            pass.flag |= AckFlag.dsackTLP
        }
        tp.pointee.dsack_dups &+= segments
        guard tp.pointee.dsack_dups <= tp.pointee.total_retrans else { return true }
        if tp.pointee.reord_seen != 0, pass.flag & AckFlag.dsackTLP == 0 { tp.pointee.rack.dsack_seen = 1 }
        pass.flag |= AckFlag.dsacking
        delivered &+= segments
        if tp.pointee.undo_marker != 0, tp.pointee.undo_retrans > 0, !after(first.end_seq, pass.priorUna),
            after(first.end_seq, tp.pointee.undo_marker)
        {
            tp.pointee.undo_retrans = max(
                0, tp.pointee.undo_retrans &- Int32(truncatingIfNeeded: segments))
        }
        return true
    }

    /// Something below what had been SACKed arrived late without a retransmission: the path reorders.
    /// Kernel: `tcp_check_sack_reordering`.
    func checkReordering(_ low: UInt32) {
        let high = highestSACKSeq
        guard before(low, high) else { return }
        let mss = tp.pointee.mss_cache
        let metric = high &- low
        if metric > tp.pointee.reordering &* mss {
            tp.pointee.reordering = min((metric &+ mss &- 1) / mss, Kernel.maxReordering)
        }
        tp.pointee.reord_seen &+= 1
    }

    // MARK: The cache of the last ACK's blocks

    private func cachedBlock(_ index: Int) -> tcp_sack_block {
        let cache = tp.pointee.recv_sack_cache
        switch index {
        case 0: return cache.0
        case 1: return cache.1
        case 2: return cache.2
        default: return cache.3
        }
    }

    func clearSACKCache() {
        let empty = tcp_sack_block(start_seq: 0, end_seq: 0)
        tp.pointee.recv_sack_cache = (empty, empty, empty, empty)
    }

    private func rememberBlocks(_ acknowledgement: Acknowledgement, skippingFirst: Bool) {
        let empty = tcp_sack_block(start_seq: 0, end_seq: 0)
        let first = skippingFirst ? 1 : 0
        let count = Int(min(acknowledgement.head.sackCount, 4))
        let block0 = first < count ? acknowledgement.sack(first) : empty
        let block1 = first + 1 < count ? acknowledgement.sack(first + 1) : empty
        let block2 = first + 2 < count ? acknowledgement.sack(first + 2) : empty
        let block3 = first + 3 < count ? acknowledgement.sack(first + 3) : empty
        tp.pointee.recv_sack_cache = (block0, block1, block2, block3)
    }
}

extension Acknowledgement {
    @inline(__always) func sack(_ index: Int) -> tcp_sack_block {
        switch index {
        case 0: sacks.0
        case 1: sacks.1
        case 2: sacks.2
        default: sacks.3
        }
    }
}
