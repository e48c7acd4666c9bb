internal import KernelABI

extension Engine {
    /// Runs events up to and including `deadline`, at most `budget` of them.
    /// - Returns: whether there may be more before `deadline`.
    func run(until deadline: Nanoseconds, budget: Int) -> Bool {
        for _ in 0..<budget {
            let timer = pointee.queue.firstTime
            let traffic = pointee.traffic.firstTime
            let time = min(timer, traffic)
            guard time <= deadline else {
                pointee.advance(to: deadline)
                return false
            }
            pointee.advance(to: time)
            pointee.eventCount &+= 1
            // Ties go to timers: the two queues number their entries apart, so this is the rule between them.
            if timer <= traffic {
                handle(pointee.queue.first)
            } else {
                let event = pointee.traffic.first
                if event.kind == .link { deliver(link: event.index) } else { deliver(line: event.index) }
            }
        }
        return true
    }

    private func handle(_ event: Event) {
        pointee.queue.removeFirst()
        // Of those kinds that are about a flow.
        let flow = pointee.flows + Int(event.index)
        switch event.kind {
        case .slowTimers: flow.fireSlowTimers(scheduled: event.time)
        case .fastTimers: flow.fireFastTimers(scheduled: event.time)
        case .application: flow.runApplication()
        case .sample: sampleFlows(index: event.index)
        case .record: recordRow()
        case .programTimers: pointee.programTimers?._withUnsafeGuaranteedRef { $0.fire(Int(event.index)) }
        case .cross: runCrossTraffic(event.index)
        case .arrival: runArrivals(event.index)
        case .transmitter: runTransmitter(event.index)
        case .detour: leaveDetour(link: event.index)
        case .moment: tell(.moment, flow: event.index)
        case .link, .delayLine: assertionFailure("traffic in the timer queue")
        }
    }

    /// The packet at the head of a link has crossed it: on to the next hop or to its receiver.
    private func deliver(link: UInt32) {
        if pointee.usesModels { return deliverWithModels(link: link) }
        let links = pointee.links + Int(link)
        let packet = links.pointee.packets.at(links.pointee.packets.head).pointee
        links.pointee.removeFirst(at: pointee.now)
        scheduleNext(on: links)
        arrive(packet)
    }

    /// The link's event moves on to the packet behind.
    @inline(__always) func scheduleNext(on links: UnsafeMutablePointer<Link>) {
        let next = links.pointee.nextDelivery
        if next != .never {
            pointee.traffic.rescheduleFirst(at: next)
        } else {
            pointee.traffic.removeFirst()
        }
    }

    @inline(__always) func arrive(_ packet: Packet) {
        var packet = packet
        let flow = pointee.flows + Int(packet.flow)
        guard flow.pointee.generation == packet.generation else { return }
        packet.hop += 1
        if packet.hop < flow.pointee.hopCount {
            transmit(packet)
        } else {
            if packet.length > 0 { pointee.packetCount &+= 1 }
            flow.receive(packet)
            assert(flow.isConsistent)
        }
    }

    /// Receive offload: what arrives right behind the packet and continues it is taken in with it.
    func mergeTrain(behind packet: inout Packet, on link: UnsafeMutablePointer<Link>) {
        let flow = pointee.flows + Int(packet.flow)
        guard packet.hop + 1 == flow.pointee.hopCount, packet.length > 0,
            packet.flags.isDisjoint(with: .endsTrain)
        else { return }
        var last = packet.serviceEnd
        while !link.pointee.packets.isEmpty {
            let next = link.pointee.packets.at(link.pointee.packets.head).pointee
            let differs = next.flags.symmetricDifference(packet.flags).subtracting([.push, .retransmission])
            guard next.flow == packet.flow, next.generation == packet.generation, next.seq == packet.endSeq,
                next.length > 0, next.serviceEnd &- last <= Kernel.groGap, differs.isEmpty,
                Int(packet.length) + Int(next.length) <= Kernel.groBytesMax
            else { break }
            last = next.serviceEnd
            packet.length += next.length
            link.pointee.removeFirst(at: pointee.now)
            pointee.packetCount &+= 1
            tellReceived(next)
            if next.flags.contains(.push) {
                packet.flags.insert(.push)
                break
            }
        }
    }

    private func deliver(line: UInt32) {
        let lines = pointee.lines + Int(line)
        let ack = lines.pointee.removeFirst()
        if lines.pointee.isEmpty {
            pointee.traffic.removeFirst()
        } else {
            pointee.traffic.rescheduleFirst(at: lines.pointee.nextDue)
        }
        let flow = pointee.flows + Int(ack.head.flow)
        guard flow.pointee.generation == ack.head.generation else { return }
        if pointee.usesModels { return endLine(ack) }
        flow.receive(ack)
        assert(flow.isConsistent)
    }
}
