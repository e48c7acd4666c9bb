internal import KernelABI

/// How often flows are sampled for the means of the result, as the reference did.
enum SampleKind: UInt32 {
    /// Every 5 ms.
    case ordinary = 0
    /// Flows of transfers, every 2 ms.
    case transfers = 1

    var interval: Nanoseconds { self == .ordinary ? 5 * .millisecond : 2 * .millisecond }
}

/// The time series: one row per interval, with the state at its end. Columns of numbers, so that a row costs appends.
final class Recorder {
    let interval: Nanoseconds
    var times: [Nanoseconds] = []
    var flows: [FlowColumns]
    var links: [LinkColumns]

    struct FlowColumns {
        var cwnd: [UInt32] = []
        /// -1: infinite.
        var ssthresh: [Int64] = []
        var srttMicroseconds: [UInt32] = []
        var bytesAcked: [UInt64] = []
        var retransmitted: [UInt64] = []
        var inFlight: [UInt32] = []
        var state: [UInt8] = []
    }
    struct LinkColumns {
        var queueBytes: [UInt64] = []
        var drops: [UInt64] = []
    }

    init(_ scenario: Scenario, interval: Nanoseconds, flowCount: Int) {
        self.interval = interval
        flows = Array(repeating: FlowColumns(), count: flowCount)
        links = Array(repeating: LinkColumns(), count: scenario.links.count)
    }

    func closeRow(_ engine: Engine) {
        times.append(engine.pointee.now)
        for index in flows.indices { append(engine.pointee.flows + index, to: index) }
        for index in links.indices {
            engine.pointee.links[index].settle(at: engine.pointee.now)
            links[index].queueBytes.append(engine.pointee.links[index].backlogBytes)
            links[index].drops.append(engine.pointee.links[index].statistics.dropped)
        }
    }

    private func append(_ flow: Flow, to index: Int) {
        let tp = flow.tp
        let open = flow.isOpen ? tp : nil
        flows[index].cwnd.append(open?.cwnd ?? 0)
        let ssthresh = open?.ssthresh ?? Kernel.infiniteSsthresh
        flows[index].ssthresh.append(ssthresh >= Kernel.infiniteSsthresh ? -1 : Int64(ssthresh))
        flows[index].srttMicroseconds.append((open?.pointee.srtt_us ?? 0) >> 3)
        flows[index].bytesAcked.append(flow.pointee.statistics.bytesAcked(flow))
        flows[index].retransmitted.append(flow.pointee.statistics.retransmissions(flow))
        flows[index].inFlight.append(open?.inFlight ?? 0)
        flows[index].state.append(open?.caState ?? 0)
    }
}

extension Flow {
    /// Whether there is a connection whose sender has been set up.
    @inline(__always) var isOpen: Bool {
        pointee.phase == .established || pointee.phase == .finWait
    }
}

extension Engine {
    /// Takes one sample of every flow of a kind and comes back after its interval.
    func sampleFlows(index: UInt32) {
        let kind = SampleKind(rawValue: index) ?? .ordinary
        for number in 0..<pointee.flowCount {
            let flow = pointee.flows + number
            guard flow.isOpen, flow.pointee.application.isTransfer == (kind == .transfers) else { continue }
            flow.pointee.statistics.sample(flow.tp, at: pointee.now &- flow.pointee.application.start)
        }
        pointee.queue.push(at: pointee.now &+ kind.interval, .sample, index)
    }

    func recordRow() {
        guard let recorder = pointee.recorder?.takeUnretainedValue() else { return }
        recorder.closeRow(self)
        pointee.queue.push(at: pointee.now &+ recorder.interval, .record, 0)
    }
}

extension Application {
    @inline(__always) var isTransfer: Bool {
        if case .transfer = kind { return true }
        return false
    }
}
