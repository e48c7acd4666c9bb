import ControlAPI
import Netsim

/// Something that a congestion control does to a network and Reno and CUBIC, in its place, do not.
package struct Trouble: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable { case starvation, collapse, unfairness }

    package var kind: Kind
    /// The flow or link; empty for the whole.
    package var subject: String

    /// Whom it is held against: it must be worse than both.
    static let references = ["reno", "cubic"]

    enum Limit {
        /// A flow starves where it gets less than this share of what is fairly its own …
        static let share = 0.1
        /// … for so long, in a row.
        static let seconds = 3.0
        /// Below these a run is looked at more closely.
        static let utilization = 0.5
        static let jain = 0.7
    }

    /// What `expect:` says where there is no such trouble.
    var expectations: [String] {
        let figure =
            switch kind {
            case .starvation: "flows.\(subject).goodput >= 0.5"
            case .collapse: "links.\(subject).utilization >= 0.5"
            case .unfairness: "jain >= 0.7"
            }
        return Self.references.map { "\(figure) relative to \($0)" }
    }

    /// All that a result of the tried congestion control alone gives reason to look for, the worst first.
    static func suspected(in result: JSONValue, _ scenario: Scenario) -> [Trouble] {
        let starved = starvation(in: result, scenario).filter { $0.seconds >= Limit.seconds }
            .sorted { ($0.seconds, $1.flow) > ($1.seconds, $0.flow) }
        var all = starved.map { Trouble(kind: .starvation, subject: $0.flow) }
        for link in result["links"]?.array ?? [] where (link["utilization"]?.number ?? 1) < Limit.utilization
        {
            all.append(Trouble(kind: .collapse, subject: link["name"]?.string ?? ""))
        }
        if (result["jain"]?.number ?? 1) < Limit.jain { all.append(Trouble(kind: .unfairness, subject: "")) }
        return all
    }

    /// For how long in a row each flow had less than a tenth of its fair share of the narrowest link on its path.
    private static func starvation(
        in result: JSONValue, _ scenario: Scenario
    ) -> [(flow: String, seconds: Double)] {
        let interval = result["series"]?["interval_s"]?.number ?? 0
        let columns = result["series"]?["flows"]?.array ?? []
        let specs = scenario.flows.flatMap { Array(repeating: $0, count: $0.count) }
        guard interval > 0 else { return [] }
        return zip(specs, columns).map { spec, column in
            let acked = (column["bytes_acked"]?.array ?? []).compactMap(\.number)
            var (longest, run) = (0.0, 0.0)
            for row in acked.indices.dropFirst() {
                let time = Double(row + 1) * interval
                // The first second is the handshake's and slow start's.
                guard time * 1e9 > Double(spec.start) + 1e9, time * 1e9 <= Double(spec.stop) else { continue }
                let rate = (acked[row] - acked[row - 1]) * 8 / interval
                run = rate < Limit.share * fairShare(spec, scenario, at: time) ? run + interval : 0
                longest = max(longest, run)
            }
            return (column["name"]?.string ?? "", longest)
        }
    }

    /// Bits per second that are left for a flow if every link is shared evenly.
    private static func fairShare(_ flow: Scenario.FlowSpec, _ scenario: Scenario, at seconds: Double)
        -> Double
    {
        flow.path.map { link in
            let users = scenario.flows.filter {
                $0.path.contains(link) && Double($0.start) <= seconds * 1e9
                    && Double($0.stop) >= seconds * 1e9
            }
            return Double(scenario.links[link].rate[0].bitsPerSecond)
                / Double(max(users.reduce(0) { $0 + $1.count }, 1))
        }.min() ?? 0
    }
}
