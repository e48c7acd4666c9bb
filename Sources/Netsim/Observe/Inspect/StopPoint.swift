internal import OpsCore

/// Where a run is stopped to look at it.
package enum StopPoint: Equatable, Sendable, CustomStringConvertible {
    /// Simulated nanoseconds; before the events of that time.
    case time(Int64)
    /// The first call of an op for a flow (or for one of an entry's; `*`: for any), before it runs.
    case op(String, flow: String)

    /// Ops that can be named.
    package static let ops = [
        "ssthresh", "cong_avoid", "set_state", "cwnd_event", "in_ack_event", "pkts_acked", "min_tso_segs",
        "cong_control", "undo_cwnd", "sndbuf_expand", "init", "release",
    ]

    /// `flow a op ssthresh`.
    /// - Returns: nil for anything else.
    package static func parse(op text: String) -> StopPoint? {
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 4, words[0] == "flow", words[2] == "op", ops.contains(words[3]) else {
            return nil
        }
        return .op(words[3], flow: words[1])
    }

    package var description: String {
        switch self {
        case .time(let time): "\(Double(time) / 1e9)s"
        case .op(let op, let flow): "flow \(flow) op \(op)"
        }
    }

    /// `1.25s`.
    package static func parse(time text: String) -> StopPoint? { Quantity.time(text).map { .time($0) } }
}

/// Looks at a world when a stop point is reached for the first time.
final class Inspector: OpObserver, WorldObserver {
    private let point: StopPoint
    private unowned let world: World
    /// What there was to see; nil so far.
    private(set) var dump: WorldDump?

    init(_ point: StopPoint, _ world: World) {
        self.point = point
        self.world = world
    }

    func willCall(_ call: OpCall) {
        guard dump == nil, case .op(let op, let flow) = point, call.op.description == op else { return }
        let index = Int(call.flow.pointee.index)
        let names = [world.flowNames[index], world.scenario.flows[world.flowSpecs[index]].name, "*"]
        guard names.contains(flow) else { return }
        dump = world.dump(at: call)
    }

    func didCall(_ call: OpCall, result: UInt32?) {}

    func observe(_ event: Observation, flow: UInt32, in engine: Engine) {
        guard dump == nil, case .moment = event else { return }
        dump = world.dump(at: nil)
    }
}
