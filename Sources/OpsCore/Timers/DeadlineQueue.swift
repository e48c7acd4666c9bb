/// Timers by deadline; ties go to the one that was started first.
///
/// A timer that was started again or cancelled leaves its old entry behind: the owner tells them apart by the sequence
/// number, and they are swept out once they are the larger part, so that the queue stays as small as its timers are.
struct DeadlineQueue {
    struct Entry {
        var deadline: UInt64
        var sequence: UInt64
        var timer: UInt64

        func comesBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence
        }
    }

    /// A binary heap.
    private var entries: [Entry] = []
    private static let sweepMin = 64

    var first: Entry? { entries.first }

    /// - Parameters:
    ///   - liveCount: timers that are armed, this one included.
    ///   - isLive: whether an entry is the latest of its timer.
    mutating func push(_ entry: Entry, liveCount: Int, isLive: (Entry) -> Bool) {
        if entries.count >= Self.sweepMin, entries.count >= 2 * liveCount {
            entries.removeAll { !isLive($0) }
            // A sorted array is a heap.
            entries.sort { $0.comesBefore($1) }
        }
        entries.append(entry)
        var hole = entries.count - 1
        while hole > 0, entry.comesBefore(entries[(hole - 1) / 2]) {
            entries.swapAt(hole, (hole - 1) / 2)
            hole = (hole - 1) / 2
        }
    }

    mutating func removeFirst() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        var hole = 0
        while true {
            var least = hole
            for child in [2 * hole + 1, 2 * hole + 2]
            where child < entries.count && entries[child].comesBefore(entries[least]) { least = child }
            guard least != hole else { return }
            entries.swapAt(hole, least)
            hole = least
        }
    }
}
