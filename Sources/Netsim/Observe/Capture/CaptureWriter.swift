internal import KernelABI
internal import OpsCore

/// Writes what a packet capture on the sending host would hold: every packet when it leaves, every ACK when it arrives.
///
/// Payloads are cut off (they would be zeros), with their length on record. Simulated time 0 is the Unix epoch.
final class CaptureWriter: OutputWriter, WorldObserver {
    private let stream: OutputStream
    /// Packets so far per flow, for the identification in IP headers: of the sender and of the receiver.
    private var counts: [(sent: UInt16, received: UInt16)]

    /// What Linux offers in a SYN for its own direction, which carries no data here, and the same scaled by 2^10.
    private static let synWindow: UInt16 = 64_240
    private static let senderWindow: UInt16 = 63
    private static let windowScale: UInt8 = 10

    var failure: OpsError? { stream.failure }

    init(_ stream: OutputStream, _ world: World) {
        self.stream = stream
        counts = Array(repeating: (0, 0), count: world.flowCount)
        stream.append(
            PcapNG.header(
                application: "opsd",
                comment:
                    "scenario \(world.scenario.name), seed \(world.scenario.seed); simulated time 0 is the epoch",
                interface: "senders", about: "all sending hosts"))
    }

    func finish() { stream.flush() }

    func observe(_ event: Observation, flow: UInt32, in engine: Engine) {
        // Cross traffic is no connection.
        guard Int(flow) < engine.pointee.flowCount else { return }
        switch event {
        case .sent(let packet): write(headers(packet, engine.pointee.flows + Int(flow)), engine)
        case .ackReceived(let ack): write(headers(ack, engine.pointee.flows + Int(flow)), engine)
        default: break
        }
    }

    private func write(_ headers: SegmentHeaders, _ engine: Engine) {
        let time = UInt64(bitPattern: engine.pointee.now)
        stream.append(PcapNG.packet(at: time, headers.bytes, length: headers.length))
    }

    private func headers(_ packet: Packet, _ flow: Flow) -> SegmentHeaders {
        let isSYN = packet.flags.contains(.syn)
        var flags: SegmentHeaders.Flags = isSYN ? .syn : .ack
        if packet.flags.contains(.fin) { flags.insert(.fin) }
        if packet.flags.contains(.push) { flags.insert(.push) }
        if packet.flags.contains(.cwr) { flags.insert(.cwr) }
        if isSYN, flow.pointee.ecn || flow.needsECN(.sender) { flags.formUnion([.ece, .cwr]) }
        defer { counts[Int(flow.pointee.index)].sent &+= 1 }
        return SegmentHeaders(
            source: Self.sender(flow), destination: Self.receiver(flow),
            identification: counts[Int(flow.pointee.index)].sent,
            ecn: packet.flags.contains(.ce) ? 3 : packet.flags.contains(.ect) ? 2 : 0, seq: packet.seq,
            ack: isSYN ? 0 : flow.tp.pointee.rcv_nxt, flags: flags,
            window: isSYN ? Self.synWindow : Self.senderWindow,
            negotiation: isSYN ? negotiation(flow) : nil,
            timestamps: timestamps(packet.tsval, packet.tsecr, flow), payloadBytes: Int(packet.length))
    }

    private func headers(_ ack: Acknowledgement, _ flow: Flow) -> SegmentHeaders {
        let isSYN = ack.head.flags.contains(.syn)
        let needsECN = flow.needsECN(.receiver)
        var flags: SegmentHeaders.Flags = .ack
        if isSYN { flags.insert(.syn) }
        if ack.head.flags.contains(.fin) { flags.insert(.fin) }
        let agreesToECN = flow.pointee.ecn || (flow.needsECN(.sender) && needsECN)
        if ack.head.flags.contains(.ece) || (isSYN && agreesToECN) { flags.insert(.ece) }
        let isn = flow.pointee.receiverState.isn
        let window = isSYN ? ack.head.window : ack.head.window >> UInt32(Self.windowScale)
        defer { counts[Int(flow.pointee.index)].received &+= 1 }
        return SegmentHeaders(
            source: Self.receiver(flow), destination: Self.sender(flow),
            identification: counts[Int(flow.pointee.index)].received,
            ecn: needsECN && agreesToECN && !isSYN ? 2 : 0, seq: isSYN ? isn : isn &+ 1, ack: ack.head.ack,
            flags: flags, window: UInt16(clamping: window), negotiation: isSYN ? negotiation(flow) : nil,
            timestamps: timestamps(ack.head.tsval, ack.head.tsecr, flow),
            sacks: (0..<Int(ack.head.sackCount)).map { (ack.sack($0).start_seq, ack.sack($0).end_seq) },
            payloadBytes: 0)
    }

    private func negotiation(_ flow: Flow) -> SegmentHeaders.Negotiation {
        .init(mss: flow.tp.pointee.rx_opt.mss_clamp, windowScale: Self.windowScale)
    }

    private func timestamps(_ value: UInt32, _ echo: UInt32, _ flow: Flow) -> (UInt32, UInt32)? {
        flow.engine.pointee.host.timestamps ? (value, echo) : nil
    }

    /// As the sockets have them; the next 65,536 flows come from another host, since ports repeat.
    private static func sender(_ flow: Flow) -> (address: UInt32, port: UInt16) {
        let common = flow.tp.pointee.inet_conn.icsk_inet.sk.__sk_common
        return (UInt32(bigEndian: common.skc_rcv_saddr) &+ (flow.pointee.index >> 16) << 8, common.skc_num)
    }
    private static func receiver(_ flow: Flow) -> (address: UInt32, port: UInt16) {
        let common = flow.tp.pointee.inet_conn.icsk_inet.sk.__sk_common
        return (UInt32(bigEndian: common.skc_daddr), UInt16(bigEndian: common.skc_dport))
    }
}
