/// What happens at an event's time; `index` says to which link, delay line or flow.
enum EventKind: UInt8 {
    /// The packet at the head of a link reaches the link's far end.
    case link
    /// The ACK at the head of a delay line reaches its sender.
    case delayLine
    /// The flow's earliest jiffies timer is due, or was moved: the handler looks.
    case slowTimers
    /// The same for its high-resolution timers (pacing, compressed ACKs).
    case fastTimers
    /// The flow's application acts.
    case application
    /// All flows are sampled for the result.
    case sample
    /// A row of the time series is closed.
    case record
    /// A source of cross traffic sends.
    case cross
    /// A transfer of a Poisson process arrives.
    case arrival
    /// A link with a held queue has sent a packet.
    case transmitter
    /// The first packet on a link's detour is due.
    case detour
    /// One that observers have asked for.
    case moment
    /// The first timer of a program's instance (`ProgramTimers`) is due.
    case programTimers
}

struct Event {
    var time: Nanoseconds
    /// Grows by one with each insertion: ties go to what was inserted first.
    var sequence: UInt64
    var index: UInt32
    var kind: EventKind
}

/// A binary heap on (time, sequence).
///
/// Packets in flight are not here: each link and delay line has one entry, for its head. So the heap holds a few entries
/// per flow and link, and the entry that is popped and pushed back for every packet costs one sift (`rescheduleFirst`).
/// Under this load two heaps, for traffic and for timers, beat a calendar queue and a timer wheel, which win where every
/// packet is an event of its own: `Benchmarks/eventqueue.c` measures it, docs/linux-fidelity.md says what came out.
struct EventQueue {
    private var base: UnsafeMutablePointer<Event>
    private var capacity: Int
    private(set) var count = 0
    private var nextSequence: UInt64 = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 16)
        base = .allocate(capacity: self.capacity)
    }

    func free() { base.deallocate() }

    /// `.never` without events.
    @inline(__always) var firstTime: Nanoseconds { count > 0 ? base[0].time : .never }
    /// There must be one.
    @inline(__always) var first: Event {
        assert(count > 0)
        return base[0]
    }

    @inline(__always) private static func isBefore(_ a: Event, _ b: Event) -> Bool {
        a.time != b.time ? a.time < b.time : a.sequence < b.sequence
    }

    mutating func push(at time: Nanoseconds, _ kind: EventKind, _ index: UInt32) {
        if count == capacity { grow() }
        let event = Event(time: time, sequence: nextSequence, index: index, kind: kind)
        nextSequence &+= 1
        var hole = count
        count += 1
        while hole > 0 {
            let parent = (hole - 1) >> 1
            guard Self.isBefore(event, base[parent]) else { break }
            base[hole] = base[parent]
            hole = parent
        }
        base[hole] = event
    }

    mutating func removeFirst() {
        assert(count > 0)
        count -= 1
        if count > 0 { sink(base[count]) }
    }

    /// Moves the first event to a later time: one sift instead of a pop and a push.
    @inline(__always) mutating func rescheduleFirst(at time: Nanoseconds) {
        var event = base[0]
        event.time = time
        event.sequence = nextSequence
        nextSequence &+= 1
        if count > 2 {
            sink(event)
        } else if count == 2, Self.isBefore(base[1], event) {
            // One link and one way back, as in most scenarios.
            base[0] = base[1]
            base[1] = event
        } else {
            base[0] = event
        }
    }

    /// Puts `event` into the hole at the root.
    private mutating func sink(_ event: Event) {
        var hole = 0
        while true {
            var child = 2 * hole + 1
            guard child < count else { break }
            if child + 1 < count, Self.isBefore(base[child + 1], base[child]) { child += 1 }
            guard Self.isBefore(base[child], event) else { break }
            base[hole] = base[child]
            hole = child
        }
        base[hole] = event
    }

    @inline(never) private mutating func grow() {
        // By half: with many flows the queue is a good part of the memory that is hardly used.
        let more = capacity + capacity / 2
        let bigger = UnsafeMutablePointer<Event>.allocate(capacity: more)
        bigger.moveInitialize(from: base, count: count)
        base.deallocate()
        base = bigger
        capacity = more
    }
}
