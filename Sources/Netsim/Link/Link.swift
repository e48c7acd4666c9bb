/// One link: drop-tail queue in bytes with CE marks, FIFO service at a rate, one-way delay; `models` for the rest.
///
/// ```
/// arrive ─▶ models? ─▶ queue + len > buffer? ─▶ mark? ─▶ serve at rate ─▶ delay ─▶ deliver
/// ```
/// `packets` holds what is queued, in service or propagating, in order: `served` divides what is still in the queue from
/// what has left it, so no packet needs an event of its own.
///
/// Source: reference/linux-tcp, "Model of the link".
struct Link {
    let delay: Nanoseconds
    let bufferBytes: UInt64
    let markBytes: UInt64
    /// Loss, queue disciplines and so on: nil for most links.
    private(set) var models: UnsafeMutablePointer<LinkModels>?
    let rate: UnsafeMutablePointer<RateSchedule>

    var packets: Ring<Packet>
    /// Number of the first packet that is not fully serialized yet.
    private var served: UInt32 = 0
    private(set) var queueBytes: UInt64 = 0
    /// When the last packet's service ends.
    private(set) var lastEnd: Nanoseconds = 0
    var statistics = LinkStatistics()

    /// Packets that one link may hold, whatever its buffer says: bounds memory in hostile scenarios.
    static let packetsMax = 1 << 22

    init(
        delay: Nanoseconds, bufferBytes: UInt64, markBytes: UInt64?, rate: RateSchedule, models: LinkModels?,
        pool: PagePool.Handle
    ) {
        self.delay = delay
        self.bufferBytes = bufferBytes
        self.markBytes = markBytes ?? .max
        self.models = models.map(Self.place)
        self.rate = .allocate(capacity: 1)
        self.rate.initialize(to: rate)
        packets = Ring(pool)
    }

    private static func place(_ models: LinkModels) -> UnsafeMutablePointer<LinkModels> {
        let place = UnsafeMutablePointer<LinkModels>.allocate(capacity: 1)
        place.initialize(to: models)
        return place
    }

    /// - Parameter models: what a link has that does nothing beyond drop-tail service; the others keep theirs.
    mutating func watch(_ watch: LinkWatch, _ models: LinkModels) {
        if self.models == nil { self.models = Self.place(models) }
        self.models?.pointee.watch = watch
    }

    func free() {
        packets.free()
        rate.deinitialize(count: 1)
        rate.deallocate()
        models?.deinitialize(count: 1)
        models?.deallocate()
        statistics.free()
    }

    /// When the packet at the head reaches the far end.
    @inline(__always) var nextDelivery: Nanoseconds {
        packets.isEmpty ? .never : packets.at(packets.head).pointee.serviceEnd &+ delay
    }

    /// Takes packets whose service has ended out of the queue's byte count.
    ///
    /// One whose last bit leaves at this very moment still counts. Arrivals are clocked by ACKs, so such ties are the rule
    /// in a world without jitter; in the reference, where the first packet after a pause comes a little late, the ones
    /// that follow it arrive just before the end of service, not after.
    @inline(__always) mutating func settle(at now: Nanoseconds) {
        while served != packets.tail {
            let packet = packets.at(served)
            guard packet.pointee.serviceEnd < now else { break }
            queueBytes &-= UInt64(packet.pointee.wireLength)
            served &+= 1
        }
    }

    /// - Returns: whether the packet was accepted into an empty link, so that its delivery needs an event.
    @inline(__always) mutating func accept(_ packet: Packet, at now: Nanoseconds) -> Bool {
        settle(at: now)
        statistics.arrived &+= 1
        if models != nil { return acceptThroughModels(packet, at: now) }
        return queue(packet, at: now)
    }

    /// The drop-tail queue.
    @inline(__always) mutating func queue(_ packet: Packet, at now: Nanoseconds) -> Bool {
        let length = UInt64(packet.wireLength)
        if queueBytes &+ length > bufferBytes || packets.count >= Self.packetsMax {
            statistics.dropped &+= 1
            return false
        }
        var packet = packet
        if queueBytes >= markBytes, packet.flags.contains(.ect) || packet.flags.contains(.ce) {
            packet.flags.insert(.ce)
            statistics.marked &+= 1
        }
        return serve(packet, from: now, at: now)
    }

    /// Gives the packet its time of service, behind those before it.
    ///
    /// - Parameter arrival: when it came to the queue.
    /// - Returns: whether nothing else was on the link.
    @inline(__always) mutating func serve(
        _ packet: Packet, from arrival: Nanoseconds, at now: Nanoseconds
    ) -> Bool {
        let wasEmpty = packets.isEmpty
        if wasEmpty { served = packets.tail }
        var packet = packet
        let length = UInt64(packet.wireLength)
        let start = max(lastEnd, now)
        lastEnd = rate.pointee.end(of: packet.wireLength, from: start)
        packet.serviceEnd = lastEnd
        packets.append(packet)
        queueBytes &+= length
        statistics.accept(bytes: length, delay: start &- arrival)
        return wasEmpty
    }

    @inline(__always) mutating func removeFirst(at now: Nanoseconds) {
        settle(at: now)
        // Without delay the packet arrives at the very end of its service.
        if served == packets.head {
            queueBytes &-= UInt64(packets.at(served).pointee.wireLength)
            served &+= 1
        }
        packets.removeFirst()
        statistics.delivered &+= 1
        assert(isConserving)
    }

    /// At the end of a run: what is on the link will not arrive.
    mutating func discardPackets(at now: Nanoseconds) {
        settle(at: now)
        packets.removeAll()
        served = packets.tail
    }

    /// IP bytes whose service has ended by `end`.
    mutating func servedBytes(at end: Nanoseconds) -> Double {
        settle(at: end)
        return Double(statistics.bytesAccepted &- queueBytes)
    }
}
