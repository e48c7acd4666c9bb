// What links with models do with packets: the way round the fast path of `Link`.

extension Link {
    /// Bytes that wait or are being sent.
    var backlogBytes: UInt64 { queueBytes &+ (models?.pointee.heldBytes ?? 0) }

    /// Loss, outage, duplication, then the queue.
    @inline(never) mutating func acceptThroughModels(_ packet: Packet, at now: Nanoseconds) -> Bool {
        guard let models else { return queue(packet, at: now) }
        if models.pointee.loses(packet, at: now) {
            statistics.lost &+= 1
            return false
        }
        var needsEvent = enqueue(packet, models, at: now)
        if models.pointee.duplicates(packet) {
            statistics.arrived &+= 1
            needsEvent = enqueue(packet, models, at: now) || needsEvent
        }
        return needsEvent
    }

    private mutating func enqueue(
        _ packet: Packet, _ models: UnsafeMutablePointer<LinkModels>, at now: Nanoseconds
    ) -> Bool {
        switch models.pointee.queue {
        case .dropTail: return queue(packet, at: now)
        case .red(var red):
            let idle = queueBytes == 0 ? idlePackets(until: now) : 0
            let verdict = red.decide(
                backlog: queueBytes, idlePackets: idle, random: &models.pointee.queueRandom)
            models.pointee.queue = .red(red)
            return apply(verdict, to: packet, models, at: now)
        case .pie(var pie):
            let verdict = pie.decide(
                at: now, serviceEnd: lastEnd, backlog: queueBytes, random: &models.pointee.queueRandom)
            models.pointee.queue = .pie(pie)
            return apply(verdict, to: packet, models, at: now)
        case .held(let held):
            var dropped: UInt64 = 0
            held.append(packet, at: now, limit: bufferBytes) { _ in dropped += 1 }
            statistics.dropped &+= dropped
            return !held.isTransmitting && held.count > 0
        }
    }

    /// Full-sized packets that the link could have sent since it fell idle.
    private func idlePackets(until now: Nanoseconds) -> UInt64 {
        guard now > lastEnd else { return 0 }
        let bits = rate.pointee.capacity(from: lastEnd, to: now)
        return UInt64(min(bits / 12_000, 1e15))
    }

    private mutating func apply(
        _ verdict: QueueVerdict, to packet: Packet, _ models: UnsafeMutablePointer<LinkModels>,
        at now: Nanoseconds
    ) -> Bool {
        var packet = packet
        switch verdict {
        case .pass: break
        case .mark where packet.flags.contains(.ect) || packet.flags.contains(.ce):
            packet.flags.insert(.ce)
            statistics.marked &+= 1
        case .mark, .drop:
            models.pointee.earlyDrops &+= 1
            statistics.dropped &+= 1
            return false
        }
        return queue(packet, at: now)
    }

    /// The transmitter is free: the next packet of a held queue goes into service.
    ///
    /// - Returns: nil if nothing waits; else whether its delivery needs an event.
    mutating func transmitNext(at now: Nanoseconds) -> Bool? {
        guard let models, case .held(let held) = models.pointee.queue else { return nil }
        settle(at: now)
        var (dropped, marked): (UInt64, UInt64) = (0, 0)
        let packet = held.next(at: now, marked: &marked) { _ in dropped += 1 }
        statistics.dropped &+= dropped
        models.pointee.earlyDrops &+= dropped
        statistics.marked &+= marked
        held.isTransmitting = packet != nil
        guard let packet else { return nil }
        return serve(packet, from: packet.serviceEnd, at: now)
    }
}

extension Engine {
    /// A packet came to an idle link with a held queue, or its transmitter has become free.
    func runTransmitter(_ link: UInt32) {
        let links = pointee.links + Int(link)
        guard let needsEvent = links.pointee.transmitNext(at: pointee.now) else { return }
        if needsEvent { pointee.traffic.push(at: links.pointee.nextDelivery, .link, link) }
        pointee.queue.push(at: links.pointee.lastEnd, .transmitter, link)
    }

    /// A packet has crossed a link in a world where more may happen to it than reaching the next hop.
    func deliverWithModels(link: UInt32) {
        let links = pointee.links + Int(link)
        var packet = links.pointee.packets.at(links.pointee.packets.head).pointee
        links.pointee.removeFirst(at: pointee.now)
        let hasDetour = links.pointee.models?.pointee.detour != nil
        let isCross = packet.flow >= UInt32(pointee.flowCount)
        if pointee.host.gro, !hasDetour, !isCross { mergeTrain(behind: &packet, on: links) }
        scheduleNext(on: links)
        if hasDetour, let due = links.pointee.models?.pointee.detour?.enter(packet, at: pointee.now) {
            pointee.queue.push(at: due, .detour, link)
        } else {
            arriveWithModels(packet)
        }
    }

    private func arriveWithModels(_ packet: Packet) {
        if packet.flow >= UInt32(pointee.flowCount) { arriveCross(packet) } else { arrive(packet) }
    }

    /// The first packet on a link's detour is due.
    func leaveDetour(link: UInt32) {
        guard let packet = pointee.links[Int(link)].models?.pointee.detour?.leave() else { return }
        arriveWithModels(packet)
    }
}
