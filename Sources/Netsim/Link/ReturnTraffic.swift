internal import KernelABI

/// ACKs that cross links on their way back: what a packet has no room for, by slot.
///
/// On a link an ACK is a packet without payload, of a flow number of its own kind, whose `seq` is the slot. Whoever takes it
/// off a link for good (the sender, a drop) gives the slot back.
final class ReturnTraffic {
    private var slots: [Acknowledgement] = []
    private var free: [UInt32] = []

    /// ACKs on links.
    var count: Int { slots.count - free.count }

    func add(_ ack: Acknowledgement) -> UInt32 {
        if let slot = free.popLast() {
            slots[Int(slot)] = ack
            return slot
        }
        slots.append(ack)
        return UInt32(slots.count - 1)
    }

    func take(_ slot: UInt32) -> Acknowledgement {
        free.append(slot)
        return slots[Int(slot)]
    }
}

extension Packet {
    private static let returnBit: UInt32 = 1 << 31

    /// Whether it is an ACK on the links of a way back.
    @inline(__always) var isReturning: Bool { flow & Self.returnBit != 0 }
    /// The flow that it belongs to, whichever way it goes.
    var flowNumber: UInt32 { flow & ~Self.returnBit }

    /// An ACK at the first link of its way back.
    init(_ ack: Acknowledgement, slot: UInt32, wire: Wire) {
        self.init(
            serviceEnd: 0, flow: ack.head.flow | Self.returnBit, generation: ack.head.generation, seq: slot,
            tsval: 0, tsecr: 0, length: 0, wireLength: UInt16(truncatingIfNeeded: wire.bytes(of: ack)),
            hop: 0,
            flags: [])
    }
}

extension Engine {
    /// An ACK has come to the end of its delay line, in a world where it may have links to cross.
    func endLine(_ ack: Acknowledgement) {
        let flow = pointee.flows + Int(ack.head.flow)
        guard flow.pointee.returnCount > 0, let traffic = pointee.returnTraffic?.takeUnretainedValue() else {
            return receiveWatched(ack, flow)
        }
        let slot = traffic.add(ack)
        offer(Packet(ack, slot: slot, wire: pointee.host.wire), to: flow.pointee.returnPath[0])
    }

    /// An ACK has crossed a link: on to the next one or to its sender.
    func arriveReturning(_ packet: Packet) {
        let flow = pointee.flows + Int(packet.flowNumber)
        guard flow.pointee.generation == packet.generation else { return discardReturning(packet) }
        var packet = packet
        packet.hop += 1
        if packet.hop < flow.pointee.returnCount {
            offer(packet, to: flow.pointee.returnPath[Int(packet.hop)])
        } else if let ack = pointee.returnTraffic?.takeUnretainedValue().take(packet.seq) {
            receiveWatched(ack, flow)
        }
    }

    func discardReturning(_ packet: Packet) {
        _ = pointee.returnTraffic?.takeUnretainedValue().take(packet.seq)
    }

    private func receiveWatched(_ ack: Acknowledgement, _ flow: Flow) {
        tell(.ackReceived(ack), flow: ack.head.flow)
        flow.receive(ack)
        tell(.ackProcessed, flow: ack.head.flow)
        assert(flow.isConsistent)
    }
}
