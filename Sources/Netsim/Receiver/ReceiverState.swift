internal import KernelABI

/// What a receiving socket knows beside its `tcp_sock`.
struct ReceiverState {
    enum Phase: UInt8 { case listen, synReceived, established, closed }
    var phase: Phase = .listen
    var isn: UInt32 = 0
    /// When the SYN-ACK left, for the first RTT measurement.
    var synAckTime: UInt64 = 0
    var synSeq: UInt32 = 0
    /// Payload that has arrived in order and the application has not read yet: nothing, between events.
    var outOfOrder: OutOfOrderQueue
    /// Kernel memory of data in the out-of-order queue.
    var dupAcks: UInt8 = 0
    var delackJiffies: UInt64 = 0
    var finSeq: UInt32?
    /// Whether the next ACK's first block reports a duplicate.
    var hasDSACK = false

    init() { outOfOrder = OutOfOrderQueue() }

    mutating func reset(isn: UInt32) {
        phase = .listen
        self.isn = isn
        synAckTime = 0
        outOfOrder.removeAll()
        dupAcks = 0
        finSeq = nil
        hasDSACK = false
    }
}

/// Ranges of the stream that arrived before what precedes them; disjoint, ascending from `rcv_nxt`.
struct OutOfOrderQueue {
    private var base: UnsafeMutablePointer<tcp_sack_block>
    private var capacity = 4
    private(set) var count = 0
    /// Segments in it, for the memory they take.
    private(set) var segmentCount: UInt32 = 0

    init() { base = .allocate(capacity: 4) }
    func free() { base.deallocate() }

    @inline(__always) var isEmpty: Bool { count == 0 }
    var lastEnd: UInt32 { count > 0 ? base[count - 1].end_seq : 0 }

    mutating func removeAll() {
        count = 0
        segmentCount = 0
    }

    /// Adds a range.
    /// - Returns: the range it became part of, and whether all of it was there before.
    mutating func insert(_ block: tcp_sack_block) -> (merged: tcp_sack_block, isDuplicate: Bool) {
        var index = count
        // Data mostly extends the last range.
        while index > 0, !before(base[index - 1].end_seq, block.start_seq) { index -= 1 }
        // Ranges from `index` on end at or after the block's start.
        var end = index
        var merged = block
        while end < count, !after(base[end].start_seq, merged.end_seq) {
            if !after(base[end].start_seq, block.start_seq), !before(base[end].end_seq, block.end_seq) {
                return (base[end], true)
            }
            if before(base[end].start_seq, merged.start_seq) { merged.start_seq = base[end].start_seq }
            if after(base[end].end_seq, merged.end_seq) { merged.end_seq = base[end].end_seq }
            end += 1
        }
        replace(index, end, with: merged)
        segmentCount &+= 1
        return (merged, false)
    }

    /// Takes the first range out if it starts at or before `seq`.
    /// - Returns: its end.
    mutating func removeFirst(startingBy seq: UInt32, mss: UInt32) -> UInt32? {
        guard count > 0, !after(base[0].start_seq, seq) else { return nil }
        let (start, end) = (base[0].start_seq, base[0].end_seq)
        count -= 1
        (base).update(from: base + 1, count: count)
        // Segments were full, but for the few that end a write.
        segmentCount = count == 0 ? 0 : segmentCount &- min(segmentCount, (end &- start) / mss)
        return end
    }

    private mutating func replace(_ from: Int, _ to: Int, with block: tcp_sack_block) {
        if to > from {
            base[from] = block
            let removed = to - from - 1
            if removed > 0 {
                (base + from + 1).update(from: base + to, count: count - to)
                count -= removed
            }
            return
        }
        if count == capacity { grow() }
        var index = count
        while index > from {
            base[index] = base[index - 1]
            index -= 1
        }
        base[from] = block
        count += 1
    }

    private mutating func grow() {
        let bigger = UnsafeMutablePointer<tcp_sack_block>.allocate(capacity: capacity * 2)
        bigger.moveInitialize(from: base, count: count)
        base.deallocate()
        base = bigger
        capacity *= 2
    }
}
