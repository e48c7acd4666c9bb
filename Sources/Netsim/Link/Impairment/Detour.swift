/// Extra delay behind a link: jitter, which keeps packets in order, and reordering, which holds single packets back.
struct Detour {
    let jitter: Nanoseconds
    let reorderProbability: Double
    let reorderDelay: Nanoseconds
    /// Packets on the detour, a binary heap on (due, sequence).
    private var heap: [Entry] = []
    private var nextSequence: UInt64 = 0
    /// When the last packet that was not held back is due: the next one is not before it.
    private var lastDue: Nanoseconds = 0
    private var random: SplitMix64
    private(set) var heldBack: UInt64 = 0

    private struct Entry {
        var due: Nanoseconds
        var sequence: UInt64
        var packet: Packet
        func isBefore(_ other: Entry) -> Bool {
            due != other.due ? due < other.due : sequence < other.sequence
        }
    }

    init(jitter: Nanoseconds, reorder: Scenario.ReorderSpec?, seed: UInt64) {
        self.jitter = jitter
        reorderProbability = reorder?.probability ?? 0
        reorderDelay = reorder?.delay ?? 0
        random = SplitMix64.split(seed: seed, name: "detour")
    }

    var count: Int { heap.count }

    /// - Returns: when the packet leaves the detour.
    mutating func enter(_ packet: Packet, at now: Nanoseconds) -> Nanoseconds {
        var due = now
        if jitter > 0 {
            due &+= Nanoseconds(random.next().multipliedFullWidth(by: UInt64(jitter) &+ 1).high)
        }
        if packet.length > 0, reorderProbability > 0, random.nextUnit() < reorderProbability {
            due &+= reorderDelay
            heldBack &+= 1
        } else {
            due = max(due, lastDue)
            lastDue = due
        }
        push(Entry(due: due, sequence: nextSequence, packet: packet))
        nextSequence &+= 1
        return due
    }

    private mutating func push(_ entry: Entry) {
        heap.append(entry)
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The packet that is due first.
    mutating func leave() -> Packet? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first.packet }
        heap[0] = last
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(heap[index]) else { break }
            heap.swapAt(child, index)
            index = child
        }
        return first.packet
    }
}
