/// Packets that no congestion control holds back: at a constant rate, in bursts, or at random times.
///
/// They cross the links of their path, take part in every queue, and end at the last one.
struct CrossTraffic {
    let spec: Scenario.CrossSpec
    private var random: SplitMix64
    private var isOn = true
    /// When the burst or the pause ends; `.never` without bursts.
    private var phaseEnd = Nanoseconds.never
    var statistics = Statistics()

    struct Statistics {
        var sent: UInt64 = 0
        var delivered: UInt64 = 0
        var deliveredBytes: UInt64 = 0
        var delaySum = 0.0
    }

    /// UDP and IPv4.
    static let headerBytes: UInt64 = 28

    init(_ spec: Scenario.CrossSpec, number: Int, seed: UInt64) {
        self.spec = spec
        var seeds = SplitMix64.split(seed: seed, name: "cross traffic")
        for _ in 0..<number { _ = seeds.next() }
        random = SplitMix64(seed: seeds.next())
        if let on = spec.on { phaseEnd = spec.start &+ duration(on) }
    }

    private mutating func duration(_ mean: Nanoseconds) -> Nanoseconds {
        spec.isRandom ? max(Variate.interval(mean: Double(mean), &random), 1) : mean
    }

    /// IP bytes of the packet to send at `now`; nil in a pause.
    mutating func nextPacket(at now: Nanoseconds) -> UInt16? {
        while now >= phaseEnd, let on = spec.on, let off = spec.off {
            isOn.toggle()
            phaseEnd &+= duration(isOn ? on : off)
        }
        guard isOn else { return nil }
        let bytes = min(max(Variate.size(spec.packet, &random), Self.headerBytes + 1), 1500)
        return UInt16(bytes)
    }

    /// When the next event is: after the packet that was sent, or at the end of the pause.
    mutating func nextTime(after now: Nanoseconds, sent: UInt16?) -> Nanoseconds {
        guard let sent else { return phaseEnd }
        let mean = Double(sent) * 8e9 / Double(spec.rate)
        if spec.isPoisson { return now &+ max(Variate.interval(mean: mean, &random), 1) }
        return now &+ max(Nanoseconds(mean.rounded()), 1)
    }
}

/// Traffic that arrives by itself: unresponsive packets, and transfers at random times.
final class TrafficSources {
    var cross: [CrossTraffic]
    var arrivals: [Arrivals]

    init(_ scenario: Scenario) {
        cross = scenario.cross.enumerated().map { CrossTraffic($1, number: $0, seed: scenario.seed) }
        arrivals = []
        var first = 0
        for flow in scenario.flows {
            if case .poisson(let interval, let size) = flow.app {
                arrivals.append(
                    Arrivals(
                        flow, mean: interval, size: size, firstFlow: first, number: arrivals.count,
                        seed: scenario.seed))
            }
            first += flow.count
        }
    }

    /// Which group a flow belongs to.
    func group(of flow: Int) -> UInt32? {
        arrivals.firstIndex { $0.flows.contains(flow) }.map { UInt32($0) }
    }
}

extension Engine {
    /// A source's next packet is due.
    func runCrossTraffic(_ index: UInt32) {
        guard let sources = pointee.sources?.takeUnretainedValue() else { return }
        let number = Int(index)
        guard pointee.now < sources.cross[number].spec.stop else { return }
        let bytes = sources.cross[number].nextPacket(at: pointee.now)
        if let bytes {
            sources.cross[number].statistics.sent &+= 1
            // `tsval` and `tsecr` carry the time it was sent.
            let time = UInt64(bitPattern: pointee.now)
            let packet = Packet(
                serviceEnd: 0, flow: UInt32(pointee.flowCount) &+ index, generation: 0, seq: 0,
                tsval: UInt32(truncatingIfNeeded: time), tsecr: UInt32(truncatingIfNeeded: time >> 32),
                length: bytes &- UInt16(CrossTraffic.headerBytes), wireLength: bytes, hop: 0, flags: .push)
            offer(packet, to: UInt32(sources.cross[number].spec.path[0]))
        }
        let next = sources.cross[number].nextTime(after: pointee.now, sent: bytes)
        pointee.queue.push(at: next, .cross, index)
    }

    /// A packet of cross traffic has crossed a link.
    func arriveCross(_ packet: Packet) {
        guard let sources = pointee.sources?.takeUnretainedValue() else { return }
        let number = Int(packet.flow) - pointee.flowCount
        let path = sources.cross[number].spec.path
        var packet = packet
        packet.hop += 1
        if Int(packet.hop) < path.count {
            offer(packet, to: UInt32(path[Int(packet.hop)]))
            return
        }
        let sent = UInt64(packet.tsecr) << 32 | UInt64(packet.tsval)
        sources.cross[number].statistics.delivered &+= 1
        sources.cross[number].statistics.deliveredBytes &+= UInt64(packet.wireLength)
        sources.cross[number].statistics.delaySum += Double(UInt64(bitPattern: pointee.now) &- sent)
    }
}
