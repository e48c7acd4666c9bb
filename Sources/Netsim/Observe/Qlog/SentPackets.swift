/// Which transmission carried which bytes, for a log that counts every transmission as a packet of its own number (QUIC's
/// way; TCP acknowledges bytes).
struct SentPackets {
    private struct Entry {
        var number: UInt64
        var seq: UInt32
        var end: UInt32
        var isAcked = false
    }
    /// First transmissions that are not acknowledged cumulatively: contiguous and ascending in `seq`, from `head` on.
    private var first: [Entry] = []
    private var head = 0
    /// Later transmissions that nothing has acknowledged, in order of time.
    private var again: [Entry] = []
    private(set) var next: UInt64 = 0

    /// A packet that takes sequence numbers, or an empty one, leaves.
    /// - Returns: its number.
    mutating func add(seq: UInt32, end: UInt32) -> UInt64 {
        let entry = Entry(number: next, seq: seq, end: end)
        next += 1
        guard end != seq else { return entry.number }
        if let last = first.last, before(seq, last.end) { again.append(entry) } else { first.append(entry) }
        return entry.number
    }

    /// A new connection: sequence numbers begin anew, packet numbers go on.
    mutating func restart() {
        first.removeAll(keepingCapacity: true)
        head = 0
        again.removeAll(keepingCapacity: true)
    }

    /// Number of the last transmission of a segment; nil if it is acknowledged.
    func number(of seq: UInt32) -> UInt64? {
        if let entry = again.last(where: { $0.seq == seq }) { return entry.number }
        let index = lowerBound(seq)
        return index < first.count && first[index].seq == seq ? first[index].number : nil
    }

    /// - Returns: what the ACK newly acknowledges, ascending, neighbours as one range.
    mutating func acknowledge(_ ack: UInt32, sacks: [(start: UInt32, end: UInt32)]) -> [ClosedRange<UInt64>] {
        var numbers: [UInt64] = []
        while head < first.count, !after(first[head].end, ack) {
            if !first[head].isAcked { numbers.append(first[head].number) }
            head += 1
        }
        // The last one stays, so that its end is known.
        if head > 1024, 2 * head > first.count {
            first.removeFirst(head - 1)
            head = 1
        }
        for block in sacks { acknowledge(block, &numbers) }
        again.removeAll { entry in
            let isAcked =
                !after(entry.end, ack)
                || sacks.contains { !before(entry.seq, $0.start) && !after(entry.end, $0.end) }
            if isAcked { numbers.append(entry.number) }
            return isAcked
        }
        return Self.ranges(numbers.sorted())
    }

    /// Backwards, up to what was acknowledged before: blocks mostly grow at their end.
    private mutating func acknowledge(_ block: (start: UInt32, end: UInt32), _ numbers: inout [UInt64]) {
        var index = lowerBound(block.end)
        while index > head, !before(first[index - 1].seq, block.start) {
            index -= 1
            if first[index].isAcked { break }
            guard !after(first[index].end, block.end) else { continue }
            first[index].isAcked = true
            numbers.append(first[index].number)
        }
    }

    /// Index of the first entry, from `head` on, whose `seq` is not before the given one.
    private func lowerBound(_ seq: UInt32) -> Int {
        var (low, high) = (head, first.count)
        while low < high {
            let middle = (low + high) / 2
            if before(first[middle].seq, seq) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func ranges(_ sorted: [UInt64]) -> [ClosedRange<UInt64>] {
        var ranges: [ClosedRange<UInt64>] = []
        for number in sorted {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges
    }
}
