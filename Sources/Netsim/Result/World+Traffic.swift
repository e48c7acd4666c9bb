internal import KernelABI

// Completion times against what an empty network would take, and what became of cross traffic.

extension World {
    /// Completion times of a flow over what its transfers would take alone; nil without transfers.
    ///
    /// Alone: two base RTTs (handshake; data and FIN), and the bytes on the wire at the rate of the slowest link at 0 s.
    /// It is a bound, not a forecast: slow start takes more round trips for anything beyond the initial window.
    func slowdowns(of index: Int) -> [Double]? {
        let spec = scenario.flows[flowSpecs[index]]
        let flow = engine.pointee.flows + index
        let sizes: (Int) -> UInt64
        switch spec.app {
        case .transfer(let bytes, _, _): sizes = { _ in bytes }
        case .poisson:
            guard let group = sources?.arrivals.first(where: { $0.flows.contains(index) }) else { return nil }
            let finished = group.finished[index - group.flows.lowerBound]
            sizes = { finished[$0] }
        case .bulk, .write: return nil
        }
        let rate = spec.path.map { scenario.links[$0].rate[0].bitsPerSecond }.min() ?? 1
        let wire = scenario.host.wire
        let base = Double(2 * (spec.rtt + 2 * scenario.host.latency))
        var all: [Double] = []
        for time in flow.pointee.statistics.completions {
            let bytes = Double(sizes(all.count))
            let segments = (bytes / Double(wire.mss)).rounded(.up)
            let ideal = base + (bytes + segments * Double(wire.headerBytes)) * 8e9 / Double(rate)
            all.append(Double(time) / ideal)
        }
        return all
    }

    func writeSlowdown(_ index: Int, _ json: inout JSONWriter) {
        guard let all = slowdowns(of: index), !all.isEmpty else { return }
        let sorted = all.sorted()
        json.key("slowdown")
        json.object { json in
            json.member("mean", all.reduce(0, +) / Double(all.count), digits: 4)
            for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
                let rank = Int((Double(sorted.count) * share).rounded(.up))
                json.member(name, sorted[max(rank, 1) - 1], digits: 4)
            }
        }
    }

    /// Only of scenarios that have cross traffic.
    func writeCross(_ json: inout JSONWriter) {
        guard let sources, !sources.cross.isEmpty else { return }
        json.key("cross")
        json.array { json in
            for cross in sources.cross {
                let statistics = cross.statistics
                let seconds = Double(cross.spec.stop - cross.spec.start) / 1e9
                let delivered = Double(max(statistics.delivered, 1))
                json.object { json in
                    json.member("name", cross.spec.name)
                    json.member("sent_packets", statistics.sent)
                    json.member("delivered_packets", statistics.delivered)
                    json.member(
                        "delivered_bps",
                        seconds > 0 ? Double(statistics.deliveredBytes) * 8 / seconds : 0, digits: 0)
                    json.member("delay_ms_mean", statistics.delaySum / delivered / 1e6, digits: 4)
                }
            }
        }
    }
}
