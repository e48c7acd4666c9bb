internal import KernelABI
internal import OpsCore

/// Writes one JSON object per line for every call of a congestion control: when, of which flow, with what arguments, what
/// it answered, and which fields of its `tcp_sock` it changed.
final class CallLog: OutputWriter, OpObserver {
    private let stream: OutputStream
    private let names: [String]
    private let fields = SocketFields()
    /// Sockets before the calls that are running: several where an op's TCP_CONGESTION calls others.
    private var before: [[UInt8]] = []

    init(_ stream: OutputStream, _ world: World) {
        self.stream = stream
        names = world.flowNames
    }

    var failure: OpsError? { stream.failure }

    func finish() { stream.flush() }

    func willCall(_ call: OpCall) { before.append(fields.read(call.socket)) }

    func didCall(_ call: OpCall, result: UInt32?) {
        guard let before = before.popLast() else { return }
        let after = fields.read(call.socket)
        var json = JSONWriter(reserving: 256)
        json.object { json in
            json.member("t_s", Double(call.flow.engine.pointee.now) / 1e9, digits: 9)
            call.write(names: names, &json)
            if let result { json.member("result", UInt64(result)) }
            json.key("changed")
            json.object { json in
                guard before != after else { return }
                for field in fields.fields {
                    let (old, new) = (fields.value(field, in: before), fields.value(field, in: after))
                    guard old != new else { continue }
                    json.key(field.name)
                    json.array { json in
                        json.integer(old)
                        json.integer(new)
                    }
                }
            }
        }
        stream.append(json.bytes + [0x0a])
    }
}

extension OpCall {
    /// The members `flow`, `side`, `op` and `args`.
    func write(names: [String], _ json: inout JSONWriter) {
        json.member("flow", names[Int(flow.pointee.index)])
        json.member("side", side.name)
        json.member("op", op.description)
        json.key("args")
        json.object { json in
            for (name, value) in arguments.named {
                json.key(name)
                json.integer(value)
            }
        }
    }
}

extension OpArguments {
    /// By the kernel's names; of samples, their members.
    var named: [(name: String, value: Int64)] {
        switch self {
        case .none: return []
        case .congAvoid(let ack, let acked): return [("ack", Int64(ack)), ("acked", Int64(acked))]
        case .state(let state): return [("new_state", Int64(state))]
        case .event(let event): return [("ev", Int64(event.rawValue))]
        case .flags(let flags): return [("flags", Int64(flags))]
        case .ackSample(let sample):
            return [
                ("pkts_acked", Int64(sample.pointee.pkts_acked)), ("rtt_us", Int64(sample.pointee.rtt_us)),
                ("in_flight", Int64(sample.pointee.in_flight)),
            ]
        case .congControl(let ack, let flag, let sample):
            let rs = sample.pointee
            return [
                ("ack", Int64(ack)), ("flag", Int64(flag)),
                ("prior_mstamp", Int64(bitPattern: rs.prior_mstamp)),
                ("prior_delivered", Int64(rs.prior_delivered)), ("delivered", Int64(rs.delivered)),
                ("delivered_ce", Int64(rs.delivered_ce)), ("interval_us", Int64(rs.interval_us)),
                ("rtt_us", Int64(rs.rtt_us)), ("losses", Int64(rs.losses)),
                ("acked_sacked", Int64(rs.acked_sacked)), ("prior_in_flight", Int64(rs.prior_in_flight)),
                ("is_app_limited", rs.is_app_limited ? 1 : 0), ("is_retrans", rs.is_retrans ? 1 : 0),
                ("is_ack_delayed", rs.is_ack_delayed ? 1 : 0),
            ]
        }
    }
}
