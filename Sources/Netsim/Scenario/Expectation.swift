/// One line of `expect:`: a figure of the result, a comparison, and a value.
package struct Expectation: Equatable, Sendable {
    /// As it stands in the file.
    package var text: String
    /// In words, what it says of a congestion control if it does not hold; nil: nothing beside the figure.
    package var meaning: String?
    package var line: Int?
    package var subject: Subject
    package var metric: Metric
    package var comparison: Comparison
    /// In the metric's unit; of a relative one the ratio.
    package var value: Double
    /// The congestion control that the value is a multiple of; nil: it stands for itself.
    package var reference: String?

    package enum Subject: Equatable, Sendable {
        case whole
        /// A flow, all flows of an entry, or `*`.
        case flows(String)
        case link(String)
        case cross(String)
    }

    package enum Comparison: String, CaseIterable, Sendable {
        case atLeast = ">="
        case atMost = "<="
        case above = ">"
        case below = "<"
        case equal = "=="

        package func holds(_ a: Double, _ b: Double) -> Bool {
            switch self {
            case .atLeast: a >= b
            case .atMost: a <= b
            case .above: a > b
            case .below: a < b
            case .equal: a == b
            }
        }
    }

    /// A figure of the result by the name that expectations have for it.
    package struct Metric: Equatable, Sendable {
        package var name: String
        /// Members of the result object, from the subject on.
        package var members: [String]
        package var unit: Unit
        /// Of a list of numbers: which of its figures.
        package var figure: Figure?

        init(_ name: String, _ members: String..., unit: Unit, figure: Figure? = nil) {
            (self.name, self.members, self.unit, self.figure) = (name, members, unit, figure)
        }
    }

    package enum Figure: String, CaseIterable, Sendable { case count, mean, p50, p95, p99, max }

    package enum Unit: Sendable {
        /// Bits per second; milliseconds; bytes.
        case rate, time, size
        case count, ratio
    }
}

extension Expectation {
    // What expectations know of the whole, a flow, a link, a source.
    package static let whole: [Metric] = [Metric("jain", "jain", unit: .ratio)]

    package static let flow: [Metric] =
        [
            Metric("goodput", "goodput_bps", unit: .rate), Metric("bytes_acked", "bytes_acked", unit: .size),
            Metric("retransmitted", "retransmitted_packets", unit: .count),
            Metric("loss_events", "loss_events", unit: .count),
            Metric("rto_events", "rto_events", unit: .count), Metric("srtt", "srtt_ms_mean", unit: .time),
            Metric("min_rtt", "min_rtt_ms", unit: .time), Metric("cwnd", "cwnd_mean", unit: .ratio),
        ]
        + Figure.allCases.map {
            Metric("fct.\($0.rawValue)", "fct_ms", unit: $0 == .count ? .count : .time, figure: $0)
        }
        + ["mean", "p50", "p95", "p99"].map { Metric("slowdown.\($0)", "slowdown", $0, unit: .ratio) }

    package static let link: [Metric] =
        [
            Metric("utilization", "utilization", unit: .ratio), Metric("drops", "drops", unit: .count),
            Metric("marks", "marks", unit: .count),
        ] + ["mean", "p95"].map { Metric("qdelay.\($0)", "qdelay_ms", $0, unit: .time) }

    package static let cross: [Metric] = [
        Metric("delivered", "delivered_bps", unit: .rate), Metric("delay", "delay_ms_mean", unit: .time),
    ]

    /// Splits `flows.a.goodput` into subject and metric; names may have points in them.
    static func parse(path: String) -> (Subject, Metric)? {
        if let metric = whole.first(where: { $0.name == path }) { return (.whole, metric) }
        for (prefix, metrics) in [("flows.", flow), ("links.", link), ("cross.", cross)]
        where path.hasPrefix(prefix) {
            let rest = path.dropFirst(prefix.count)
            guard let metric = metrics.first(where: { rest.hasSuffix("." + $0.name) }) else { return nil }
            let name = String(rest.dropLast(metric.name.count + 1))
            guard !name.isEmpty else { return nil }
            switch prefix {
            case "flows.": return (.flows(name), metric)
            case "links.": return (.link(name), metric)
            default: return (.cross(name), metric)
            }
        }
        return nil
    }

    static func accepted(for path: String) -> String {
        let all: [(String, [Metric])] = [("flows", flow), ("links", link), ("cross", cross)]
        if let (name, metrics) = all.first(where: { path.hasPrefix($0.0 + ".") }) {
            return metrics.map { "\(name).NAME.\($0.name)" }.joined(separator: ", ")
        }
        return "jain, flows.NAME.goodput, links.NAME.qdelay.p95, cross.NAME.delivered, …"
    }

    /// A value in the metric's unit: `45Mbit`, `30ms`, `100kB`, `0.9`, `90%`, `12`.
    static func parse(value: String, as unit: Unit) -> Double? {
        switch unit {
        case .rate: return value == "0bit" ? 0 : Quantity.rate(value).map { Double($0) }
        case .time: return Quantity.time(value).map { Double($0) / 1e6 }
        case .size: return Quantity.size(value, bdp: nil).map { Double($0) }
        case .count: return Quantity.integer(value, limit: 1 << 53).map { Double($0) }
        case .ratio:
            guard let parts = Quantity.split(value), parts.unit.isEmpty || parts.unit == "%" else {
                return nil
            }
            var divisor = parts.unit.isEmpty ? 1.0 : 100.0
            for _ in 0..<parts.scale { divisor *= 10 }
            return Double(parts.digits) / divisor
        }
    }

    static func accepted(of unit: Unit) -> String {
        switch unit {
        case .rate: "a rate: 45Mbit"
        case .time: "a time: 30ms"
        case .size: "a size: 100kB"
        case .count: "a whole number"
        case .ratio: "a number or a percentage: 0.9, 90%"
        }
    }
}

/// The figure of a scenario by which congestion controls are ranked.
package struct GradedFigure: Equatable, Sendable {
    /// As in `expect:`; of an entry of several flows it is their mean.
    package var path: String
    package var unit: Expectation.Unit
    package var isHigherBetter: Bool
}

extension Scenario {
    /// Leaves open which congestion control is tried.
    package var hasOpenControl: Bool { controlNames.contains(Self.openControl) }

    /// The same scenario with `name` where it says `$CC`.
    package func trying(_ name: String) -> Scenario {
        replacing(flows.indices.filter { flows[$0].cc == Self.openControl }, with: name)
    }

    /// The same scenario with `name` in place of what is tried out: flows of `$CC`; if there are none, flows whose
    /// congestion control is not built in; or all flows if there is none such either.
    package func relative(to name: String) -> Scenario {
        let open = flows.indices.filter { flows[$0].cc == Self.openControl }
        let foreign = flows.indices.filter { !Self.builtinControls.contains(flows[$0].cc) }
        let tried = [open, foreign].first { !$0.isEmpty } ?? Array(flows.indices)
        var scenario = replacing(tried, with: name)
        for index in tried { scenario.flows[index].params = [:] }
        return scenario
    }

    private func replacing(_ indices: [Int], with name: String) -> Scenario {
        var scenario = self
        for index in indices {
            if flows[index].receiverCC == flows[index].cc { scenario.flows[index].receiverCC = name }
            scenario.flows[index].cc = name
        }
        return scenario
    }
}
