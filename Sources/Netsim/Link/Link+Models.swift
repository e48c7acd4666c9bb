// What links with models do with packets: the way round the fast path of `Link`.

extension Link {
    /// Bytes that wait or are being sent.
    var backlogBytes: UInt64 { queueBytes &+ (models?.pointee.heldBytes ?? 0) }

    /// Loss, outage, duplication, then the queue.
    @inline(never) mutating func acceptThroughModels(_ packet: Packet, at now: Nanoseconds) -> Bool {
        guard let models else { return queue(packet, at: now) }
        let watch = models.pointee.watch
        if packet.hop == 0 { watch?.sent(packet) }
        if models.pointee.loses(packet, at: now) {
            statistics.lost &+= 1
            watch?.dropped(packet)
            return false
        }
        var needsEvent = enqueue(packet, models, at: now)
        if models.pointee.duplicates(packet) {
            statistics.arrived &+= 1
            needsEvent = enqueue(packet, models, at: now) || needsEvent
        }
        return needsEvent
    }

    /// The drop-tail queue, with a word to those who watch.
    private mutating func queue(
        _ packet: Packet, _ models: UnsafeMutablePointer<LinkModels>, at now: Nanoseconds
    ) -> Bool {
        let (dropped, marked) = (statistics.dropped, statistics.marked)
        let needsEvent = queue(packet, at: now)
        if let watch = models.pointee.watch {
            if statistics.dropped != dropped { watch.dropped(packet) }
            if statistics.marked != marked { watch.marked(packet) }
        }
        return needsEvent
    }

    private mutating func enqueue(
        _ packet: Packet, _ models: UnsafeMutablePointer<LinkModels>, at now: Nanoseconds
    ) -> Bool {
        switch models.pointee.queue {
        case .dropTail: return queue(packet, models, at: now)
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
            let watch = models.pointee.watch
            held.append(packet, at: now, limit: bufferBytes) { packet in
                dropped += 1
                watch?.dropped(packet)
            }
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
            models.pointee.watch?.marked(packet)
        case .mark, .drop:
            models.pointee.earlyDrops &+= 1
            statistics.dropped &+= 1
            models.pointee.watch?.dropped(packet)
            return false
        }
        return queue(packet, models, at: now)
    }

    /// The transmitter is free: the next packet of a held queue goes into service.
    ///
    /// - Returns: nil if nothing waits; else whether its delivery needs an event.
    mutating func transmitNext(at now: Nanoseconds) -> Bool? {
        guard let models, case .held(let held) = models.pointee.queue else { return nil }
        settle(at: now)
        var (dropped, marked): (UInt64, UInt64) = (0, 0)
        let watch = models.pointee.watch
        let packet = held.next(at: now, marked: &marked) { packet in
            dropped += 1
            watch?.dropped(packet)
        }
        if let watch, let packet, marked > 0 { watch.marked(packet) }
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
        if !hasDetour { tellReceived(packet) }
        if pointee.host.gro, !hasDetour, !isCross { mergeTrain(behind: &packet, on: links) }
        scheduleNext(on: links)
        if hasDetour, let due = links.pointee.models?.pointee.detour?.enter(packet, at: pointee.now) {
            pointee.queue.push(at: due, .detour, link)
        } else {
            arriveWithModels(packet)
        }
    }

    private func arriveWithModels(_ packet: Packet) {
        if packet.isReturning { return arriveReturning(packet) }
        if packet.flow >= UInt32(pointee.flowCount) { arriveCross(packet) } else { arrive(packet) }
    }

    /// The first packet on a link's detour is due.
    func leaveDetour(link: UInt32) {
        guard let packet = pointee.links[Int(link)].models?.pointee.detour?.leave() else { return }
        tellReceived(packet)
        arriveWithModels(packet)
    }

    /// If it has crossed the last link of its flow.
    func tellReceived(_ packet: Packet) {
        guard pointee.observers != nil, packet.flow < UInt32(pointee.flowCount) else { return }
        let flow = pointee.flows + Int(packet.flow)
        guard packet.hop + 1 == flow.pointee.hopCount, packet.generation == flow.pointee.generation else {
            return
        }
        tell(.received(packet), flow: packet.flow)
    }
}
