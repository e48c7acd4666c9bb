/// What a link does beyond drop-tail service at a rate; links that do nothing of it have none of this, unless they are
/// watched or carry ACKs.
///
/// ```
/// arrive ─▶ loss? ─▶ outage? ─▶ duplicate? ─▶ queue (drop-tail | RED | PIE | CoDel | FQ-CoDel) ─▶ serve ─▶ delay ─▶ detour
/// ```
struct LinkModels {
    var loss: LossModel
    /// Ascending.
    let outages: [Scenario.Outage]
    let duplicateProbability: Double
    var queue: Queue
    var detour: Detour?
    /// The loss generator of the reference: drawn from for loss alone.
    private var lossRandom: SplitMix64
    private var duplicateRandom: SplitMix64
    var queueRandom: SplitMix64

    private(set) var duplicated: UInt64 = 0
    /// Of those dropped, what the queue's law chose while there was room.
    var earlyDrops: UInt64 = 0
    /// nil: nobody watches, and no ACK crosses the link.
    var watch: LinkWatch?

    /// Who decides about packets that wait.
    enum Queue {
        case dropTail
        case red(RED)
        case pie(PIE)
        /// The others take packets from the head by their own order, so they hold them until service begins.
        case held(HeldQueue)
    }

    init(_ spec: Scenario.LinkSpec, seed: UInt64) {
        loss = LossModel(spec.loss)
        outages = spec.outages
        duplicateProbability = spec.duplicate
        queueRandom = SplitMix64.split(seed: seed, name: "queue")
        switch spec.queue {
        case .dropTail: queue = .dropTail
        case .red(let parameters): queue = .red(RED(parameters))
        case .pie(let parameters): queue = .pie(PIE(parameters))
        case .codel(let parameters): queue = .held(HeldQueue(CoDel(parameters)))
        case .fqCodel(let parameters):
            queue = .held(HeldQueue(FQCoDel(parameters, seed: queueRandom.next())))
        }
        if spec.jitter > 0 || spec.reorder != nil {
            detour = Detour(jitter: spec.jitter, reorder: spec.reorder, seed: seed)
        }
        lossRandom = SplitMix64(seed: seed)
        duplicateRandom = SplitMix64.split(seed: seed, name: "duplicate")
    }

    /// Whether they do anything.
    var isNeeded: Bool {
        if case .dropTail = queue, loss == .none, outages.isEmpty, duplicateProbability == 0, detour == nil {
            return false
        }
        return true
    }

    mutating func loses(_ packet: Packet, at now: Nanoseconds) -> Bool {
        if packet.length > 0 || packet.isReturning, loss.loses(&lossRandom) { return true }
        return outages.contains { now >= $0.from && now < $0.to }
    }

    mutating func duplicates(_ packet: Packet) -> Bool {
        guard duplicateProbability > 0, packet.length > 0 else { return false }
        guard duplicateRandom.nextUnit() < duplicateProbability else { return false }
        duplicated &+= 1
        return true
    }

    var isHeld: Bool {
        if case .held = queue { return true }
        return false
    }
    var heldBytes: UInt64 {
        if case .held(let held) = queue { return held.bytes }
        return 0
    }
    var heldCount: Int {
        if case .held(let held) = queue { return held.count }
        return 0
    }
}

/// A queue that keeps its packets until the transmitter asks for the next one.
///
/// A class, so that changing it inside an enum's payload copies nothing.
final class HeldQueue {
    /// Exactly one of the two.
    private var codel: CoDel?
    private var fqCodel: FQCoDel?
    /// CoDel's packets; FQ-CoDel has its own.
    private var waiting = PacketQueue()
    /// Whether a packet is in service: then the end of it asks for the next.
    var isTransmitting = false

    init(_ codel: CoDel) { self.codel = codel }
    init(_ fqCodel: FQCoDel) { self.fqCodel = fqCodel }

    var bytes: UInt64 { fqCodel?.bytes ?? waiting.bytes }
    var count: Int { fqCodel?.count ?? waiting.count }

    /// - Parameter limit: bytes that may wait.
    func append(_ packet: Packet, at now: Nanoseconds, limit: UInt64, discard: (Packet) -> Void) {
        var packet = packet
        packet.serviceEnd = now
        if fqCodel != nil {
            fqCodel?.append(packet, limit: limit, discard: discard)
        } else if waiting.bytes &+ UInt64(packet.wireLength) > limit {
            discard(packet)
        } else {
            waiting.append(packet)
        }
    }

    func next(at now: Nanoseconds, marked: inout UInt64, discard: (Packet) -> Void) -> Packet? {
        if fqCodel != nil { return fqCodel?.next(at: now, marked: &marked, discard: discard) }
        return codel?.next(at: now, from: &waiting, marked: &marked, discard: discard)
    }
}
