/// Controlled delay: packets are dropped at the head once they have waited longer than `target` for an `interval`.
///
/// It decides about one queue; the caller owns the packets, and asks for each that it takes from the head.
///
/// Source: RFC 8289, section 5.
package struct CoDel {
    package struct Parameters: Equatable, Sendable {
        /// Nanoseconds; `interval` at most 4 s.
        package var target: Int64 = 5 * .millisecond
        package var interval: Int64 = 100 * .millisecond
        /// Marks ECT packets where others are dropped.
        package var ecn = false
    }

    let parameters: Parameters
    private(set) var isDropping = false
    /// Drops since dropping began, and at the beginning.
    private(set) var count: UInt32 = 0
    private var lastCount: UInt32 = 0
    private(set) var dropNext: Nanoseconds = 0
    /// When the delay will have been above target for an interval; nil: it is below.
    private var firstAbove: Nanoseconds?

    /// A queue that holds no more than this does not count as standing.
    static let packetBytesMax: UInt64 = 1500

    init(_ parameters: Parameters) { self.parameters = parameters }

    /// Takes the next packet to send; drops, or marks, what the control law says.
    ///
    /// - Parameters:
    ///   - queue: `serviceEnd` of its packets is when they came.
    ///   - discard: gets what is dropped.
    mutating func next(
        at now: Nanoseconds, from queue: inout PacketQueue, marked: inout UInt64,
        discard: (Packet) -> Void
    ) -> Packet? {
        guard var packet = queue.removeFirst() else {
            firstAbove = nil
            isDropping = false
            return nil
        }
        var isStanding = looksStanding(packet, queue, now)
        if isDropping {
            if !isStanding { isDropping = false }
            while isDropping, now >= dropNext {
                count &+= 1
                if mark(&packet, &marked) {
                    dropNext = controlLaw(from: dropNext)
                    return packet
                }
                discard(packet)
                guard let following = queue.removeFirst() else { return emptied() }
                packet = following
                isStanding = looksStanding(packet, queue, now)
                if isStanding { dropNext = controlLaw(from: dropNext) } else { isDropping = false }
            }
        } else if isStanding {
            enterDropping(at: now)
            if mark(&packet, &marked) { return packet }
            discard(packet)
            guard let following = queue.removeFirst() else { return emptied() }
            packet = following
            _ = looksStanding(packet, queue, now)
        }
        return packet
    }

    /// Section 5.5: a cycle that follows soon after the last one goes on near its rate.
    private mutating func enterDropping(at now: Nanoseconds) {
        isDropping = true
        let delta = count &- lastCount
        let isSoon = now &- dropNext < 16 * parameters.interval
        count = delta > 1 && isSoon ? delta : 1
        dropNext = controlLaw(from: now)
        lastCount = count
    }

    private mutating func emptied() -> Packet? {
        firstAbove = nil
        isDropping = false
        return nil
    }

    /// Whether the packet has waited above target, and all before it did for an interval.
    private mutating func looksStanding(_ packet: Packet, _ queue: PacketQueue, _ now: Nanoseconds) -> Bool {
        let sojourn = now &- packet.serviceEnd
        if sojourn < parameters.target || queue.bytes &+ UInt64(packet.wireLength) <= Self.packetBytesMax {
            firstAbove = nil
            return false
        }
        guard let firstAbove else {
            self.firstAbove = now &+ parameters.interval
            return false
        }
        return now >= firstAbove
    }

    private func mark(_ packet: inout Packet, _ marked: inout UInt64) -> Bool {
        guard parameters.ecn, packet.flags.contains(.ect) || packet.flags.contains(.ce) else { return false }
        packet.flags.insert(.ce)
        marked &+= 1
        return true
    }

    /// `interval / sqrt(count)` later. In whole nanoseconds, so that it is the same everywhere.
    private func controlLaw(from time: Nanoseconds) -> Nanoseconds {
        let square = UInt64(parameters.interval) &* UInt64(parameters.interval)
        return time &+ Nanoseconds(Self.squareRoot(square / UInt64(max(count, 1))))
    }

    /// Rounded down.
    static func squareRoot(_ value: UInt64) -> UInt64 {
        var root = UInt64(Double(value).squareRoot())
        while root.multipliedReportingOverflow(by: root).overflow || root &* root > value { root -= 1 }
        while case let (square, overflow) = (root + 1).multipliedReportingOverflow(by: root + 1), !overflow,
            square <= value
        {
            root += 1
        }
        return root
    }
}

/// Packets that wait, oldest first; `serviceEnd` of each is when it came.
struct PacketQueue {
    private var packets: [Packet] = []
    private var head = 0
    private(set) var bytes: UInt64 = 0

    var count: Int { packets.count - head }
    var isEmpty: Bool { head == packets.count }

    mutating func append(_ packet: Packet) {
        packets.append(packet)
        bytes &+= UInt64(packet.wireLength)
    }

    mutating func removeFirst() -> Packet? {
        guard head < packets.count else { return nil }
        let packet = packets[head]
        head += 1
        bytes &-= UInt64(packet.wireLength)
        if head == packets.count {
            packets.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 64, head * 2 >= packets.count {
            packets.removeFirst(head)
            head = 0
        }
        return packet
    }
}
