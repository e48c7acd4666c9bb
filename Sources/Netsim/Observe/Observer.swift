/// Somebody who watches a world: an output, a search for differences. It changes nothing, so that a watched run gives the
/// result of one that nobody watches.
protocol WorldObserver: AnyObject {
    /// Called at the moment the event happens; must not touch links, whose state may be half changed.
    ///
    /// - Parameter flow: number of the flow; of cross traffic, `flowCount` and up.
    func observe(_ event: Observation, flow: UInt32, in engine: Engine)
}

/// What observers are told.
enum Observation {
    /// connect() was called: the sender's socket is set up, no packet has left.
    case opened
    /// The connection is over on both ends; the sockets still hold what they held.
    case closed
    /// A packet leaves the sending host.
    case sent(Packet)
    /// It has crossed its last link and is about to be processed.
    case received(Packet)
    /// An ACK leaves the receiving host.
    case ackSent(Acknowledgement)
    /// It is about to be processed by the sender.
    case ackReceived(Acknowledgement)
    /// The sender has done what an ACK called for.
    case ackProcessed
    /// The sender takes a segment for lost.
    case markedLost(Segment)
    /// The sender's congestion state (`CAState`) has changed.
    case stateChanged(from: UInt8, to: UInt8)
    /// A link did not take a packet, or threw it out of its queue; also an ACK on its way back.
    case dropped(Packet, link: UInt32)
    /// A link has set CE.
    case marked(Packet, link: UInt32)
    /// The time has come that an observer has asked for.
    case moment
}

/// Those who watch one world.
final class Observers {
    let all: [any WorldObserver]

    init(_ all: [any WorldObserver]) { self.all = all }

    func tell(_ event: Observation, flow: UInt32, in engine: Engine) {
        for observer in all { observer.observe(event, flow: flow, in: engine) }
    }
}

/// How a link, which knows no engine, reaches it and those who watch.
struct LinkWatch {
    let engine: Engine
    let link: UInt32

    func sent(_ packet: Packet) {
        if !packet.isReturning { engine.tell(.sent(packet), flow: packet.flow) }
    }
    func dropped(_ packet: Packet) {
        engine.tell(.dropped(packet, link: link), flow: packet.flowNumber)
        if packet.isReturning { engine.discardReturning(packet) }
    }
    func marked(_ packet: Packet) { engine.tell(.marked(packet, link: link), flow: packet.flow) }
}

extension Engine {
    /// Tells those who watch, if there are any. Not for the way of an ordinary packet: there, one flag (`usesModels`, a
    /// link's `models`) leads away from it.
    @inline(__always) func tell(_ event: @autoclosure () -> Observation, flow: UInt32) {
        guard let observers = pointee.observers else { return }
        observers._withUnsafeGuaranteedRef { $0.tell(event(), flow: flow, in: self) }
    }
}

extension World {
    /// Tells `observers` what happens from now on. Once, before the first event.
    ///
    /// A world that nobody watches pays nothing for it: links tell through their models, which every link of a watched
    /// world has, and the engine goes the ways of worlds with models.
    func observe(_ observers: [any WorldObserver]) {
        let list = Observers(observers)
        self.observers = list
        engine.pointee.observers = Unmanaged.passUnretained(list)
        engine.pointee.usesModels = true
        for index in scenario.links.indices { watch(link: index) }
    }

    /// From here on a link tells what becomes of its packets.
    func watch(link index: Int) {
        engine.pointee.links[index].watch(
            LinkWatch(engine: engine, link: UInt32(index)),
            LinkModels(scenario.links[index], seed: scenario.seed &+ UInt64(index)))
    }
}
