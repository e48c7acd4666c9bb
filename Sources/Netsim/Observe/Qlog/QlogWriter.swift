internal import KernelABI
internal import OpsCore

/// Writes what every sender does and knows as qlog 0.3, one file per flow, in the streaming form (JSON-SEQ).
///
/// TCP's terms as QUIC's: each transmission is a packet of its own number, ACKs name the numbers they newly acknowledge, and
/// the bytes of a segment are a STREAM frame. What only TCP has is in a member `tcp`. A flow with several connections logs
/// them one after the other.
///
/// Source: draft-ietf-quic-qlog-main-schema-08 (version 0.3), draft-ietf-quic-qlog-quic-events-07, RFC 7464.
final class QlogWriter: OutputWriter, WorldObserver {
    private struct Log {
        let stream: OutputStream
        var packets = SentPackets()
        var received: UInt64 = 0
        var isn: UInt32 = 0
        var metrics = QlogMetrics()
    }
    private var logs: [Log]

    /// Bytes held back by all flows together.
    private static let bufferedBytes = 1 << 26

    init(_ open: (String) -> OutputSink, _ world: World) {
        let chunk = min(max(Self.bufferedBytes / max(world.flowCount, 1), 1 << 12), 1 << 16)
        logs = world.flowNames.map { Log(stream: OutputStream(open($0), chunkBytes: chunk)) }
        for (index, name) in world.flowNames.enumerated() { writeHeader(index, name, world.scenario) }
    }

    var failure: OpsError? { logs.lazy.compactMap(\.stream.failure).first }

    func finish() { for log in logs { log.stream.flush() } }

    func observe(_ event: Observation, flow number: UInt32, in engine: Engine) {
        let index = Int(number)
        guard index < logs.count else { return }
        let flow = engine.pointee.flows + index
        switch event {
        case .opened: opened(index, flow)
        case .closed: write(index, engine, "connectivity:connection_closed") { _ in }
        case .sent(let packet): sent(packet, index, engine)
        case .ackReceived(let ack): received(ack, index, engine)
        case .ackProcessed: updateMetrics(index, flow)
        case .markedLost(let segment): lost(segment, index, engine)
        case .stateChanged(let old, let new):
            write(index, engine, "recovery:congestion_state_updated") { json in
                json.member("old", Self.stateName(old))
                json.member("new", Self.stateName(new))
            }
            updateMetrics(index, flow)
        case .received, .ackSent, .dropped, .marked, .moment: break
        }
    }

    // MARK: Events

    private func opened(_ index: Int, _ flow: Flow) {
        logs[index].packets.restart()
        logs[index].isn = flow.tp.pointee.snd_una
        logs[index].metrics = QlogMetrics()
        let common = flow.tp.pointee.inet_conn.icsk_inet.sk.__sk_common
        write(index, flow.engine, "connectivity:connection_started") { json in
            json.member("ip_version", "v4")
            json.member("src_ip", Self.address(UInt32(bigEndian: common.skc_rcv_saddr)))
            json.member("dst_ip", Self.address(UInt32(bigEndian: common.skc_daddr)))
            json.member("protocol", "TCP")
            json.member("src_port", UInt64(common.skc_num))
            json.member("dst_port", UInt64(UInt16(bigEndian: common.skc_dport)))
        }
        let mss = UInt64(flow.tp.pointee.mss_cache)
        write(index, flow.engine, "recovery:parameters_set") { json in
            json.member("max_datagram_size", mss)
            json.member("initial_congestion_window", mss &* UInt64(flow.engine.pointee.host.initialWindow))
        }
    }

    private func sent(_ packet: Packet, _ index: Int, _ engine: Engine) {
        let number = logs[index].packets.add(seq: packet.seq, end: packet.endSeq)
        write(index, engine, "transport:packet_sent") { json in
            writeHeader(number, isSYN: packet.flags.contains(.syn), &json)
            json.key("raw")
            json.object { json in
                json.member("length", UInt64(packet.wireLength))
                json.member("payload_length", UInt64(packet.length))
            }
            if packet.length > 0 {
                json.key("frames")
                json.array { json in
                    json.object { json in
                        json.member("frame_type", "stream")
                        json.member("stream_id", UInt64(0))
                        json.member("offset", UInt64(packet.seq &- logs[index].isn &- 1))
                        json.member("length", UInt64(packet.length))
                    }
                }
            }
            json.key("tcp")
            json.object { json in
                json.member("seq", UInt64(packet.seq))
                if packet.flags.contains(.retransmission) { json.member("retransmission", true) }
                if packet.flags.contains(.fin) { json.member("fin", true) }
            }
        }
    }

    private func received(_ ack: Acknowledgement, _ index: Int, _ engine: Engine) {
        let sacks = (0..<Int(ack.head.sackCount)).map {
            (start: ack.sack($0).start_seq, end: ack.sack($0).end_seq)
        }
        let ranges = logs[index].packets.acknowledge(ack.head.ack, sacks: sacks)
        let number = logs[index].received
        logs[index].received += 1
        write(index, engine, "transport:packet_received") { json in
            writeHeader(number, isSYN: ack.head.flags.contains(.syn), &json)
            json.key("frames")
            json.array { json in
                if !ranges.isEmpty {
                    json.object { json in
                        json.member("frame_type", "ack")
                        json.key("acked_ranges")
                        json.pairs(ranges.map { ($0.lowerBound, $0.upperBound) })
                    }
                }
            }
            json.key("tcp")
            json.object { json in
                json.member("ack", UInt64(ack.head.ack))
                json.member("window", UInt64(ack.head.window))
                if !sacks.isEmpty {
                    json.key("sack")
                    json.pairs(sacks.map { (UInt64($0.start), UInt64($0.end)) })
                }
                if ack.head.flags.contains(.ece) { json.member("ece", true) }
            }
        }
    }

    private func lost(_ segment: Segment, _ index: Int, _ engine: Engine) {
        guard let number = logs[index].packets.number(of: segment.seq) else { return }
        write(index, engine, "recovery:packet_lost") { json in
            writeHeader(number, isSYN: segment.flags.contains(.syn), &json)
        }
    }

    private func updateMetrics(_ index: Int, _ flow: Flow) {
        let metrics = QlogMetrics(flow)
        guard metrics != logs[index].metrics else { return }
        let old = logs[index].metrics
        logs[index].metrics = metrics
        write(index, flow.engine, "recovery:metrics_updated") { metrics.write(since: old, &$0) }
    }

    // MARK: Records

    private func writeHeader(_ index: Int, _ name: String, _ scenario: Scenario) {
        var json = JSONWriter()
        json.object { json in
            json.member("qlog_version", "0.3")
            json.member("qlog_format", "JSON-SEQ")
            json.member("title", "\(scenario.name), flow \(name)")
            json.member("description", "simulated by opsd, seed \(scenario.seed)")
            json.key("trace")
            json.object { json in
                json.member("title", name)
                json.key("vantage_point")
                json.object { json in
                    json.member("name", "sender")
                    json.member("type", "client")
                }
                json.key("common_fields")
                json.object { json in
                    json.member("group_id", name)
                    json.key("protocol_type")
                    json.array { $0.string("TCP") }
                    json.member("time_format", "relative")
                    json.member("reference_time", UInt64(0))
                }
            }
        }
        append(json, to: index)
    }

    /// One event; `time` is in milliseconds.
    private func write(_ index: Int, _ engine: Engine, _ name: String, _ data: (inout JSONWriter) -> Void) {
        var json = JSONWriter(reserving: 256)
        json.object { json in
            json.member("time", Double(engine.pointee.now) / 1e6, digits: 6)
            json.member("name", name)
            json.key("data")
            json.object(data)
        }
        append(json, to: index)
    }

    /// A JSON text sequence: a record separator before each text, a line feed after it.
    private func append(_ json: JSONWriter, to index: Int) {
        logs[index].stream.append([0x1e] + json.bytes + [0x0a])
    }

    private func writeHeader(_ number: UInt64, isSYN: Bool, _ json: inout JSONWriter) {
        json.key("header")
        json.object { json in
            json.member("packet_type", isSYN ? "initial" : "1RTT")
            json.member("packet_number", number)
        }
    }

    /// Kernel: `enum tcp_ca_state`.
    private static func stateName(_ state: UInt8) -> String {
        switch state {
        case CAState.open: "open"
        case CAState.disorder: "disorder"
        case CAState.cwr: "cwr"
        case CAState.recovery: "recovery"
        case CAState.loss: "loss"
        default: "unknown"
        }
    }

    private static func address(_ address: UInt32) -> String {
        [24, 16, 8, 0].map { String(address >> $0 & 0xff) }.joined(separator: ".")
    }
}

extension JSONWriter {
    fileprivate mutating func pairs(_ pairs: [(UInt64, UInt64)]) {
        array { json in
            for (from, to) in pairs {
                json.array { json in
                    json.integer(from)
                    json.integer(to)
                }
            }
        }
    }
}
