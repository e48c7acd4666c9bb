import ControlAPI
import Netsim

/// One number of a run's result, by the name that `expect:` has for it.
package struct SweepFigure: Equatable, Sendable {
    package var name: String
    /// `bit/s`, `ms`, `bytes`; empty for counts and ratios.
    package var unit: String
    package var value: Double
}

enum SweepFigures {
    /// All figures of a result. For an entry of several flows `flows.NAME.…` is the mean over them, and completion times are
    /// those of all its transfers: names do not depend on how many flows there are.
    static func of(_ result: JSONValue, _ scenario: Scenario) -> [SweepFigure] {
        let flows = result["flows"]?.array ?? []
        var next = flows.startIndex
        let entries = scenario.flows.map { entry in
            // The result has an entry's flows one after the other.
            let own = Array(flows[next...].prefix(entry.count))
            next += own.count
            return (entry.name, own)
        }
        return figures(result, entries)
    }

    /// Of a result whose scenario is not at hand: every flow for itself.
    static func ofFlows(_ result: JSONValue) -> [SweepFigure] {
        figures(result, (result["flows"]?.array ?? []).map { ($0["name"]?.string ?? "", [$0]) })
    }

    private static func figures(_ result: JSONValue, _ entries: [(String, [JSONValue])]) -> [SweepFigure] {
        var figures = Expectation.whole.compactMap { figure("", $0, [result]) }
        for (name, flows) in entries {
            figures += Expectation.flow.compactMap { figure("flows.\(name).", $0, flows) }
        }
        for (kind, metrics) in [("links", Expectation.link), ("cross", Expectation.cross)] {
            for item in result[kind]?.array ?? [] {
                let prefix = "\(kind).\(item["name"]?.string ?? "")."
                figures += metrics.compactMap { figure(prefix, $0, [item]) }
            }
        }
        return figures
    }

    private static func figure(
        _ prefix: String, _ metric: Expectation.Metric, _ subjects: [JSONValue]
    ) -> SweepFigure? {
        let value: Double?
        if let kind = metric.figure {
            let all = subjects.flatMap { metric.numbers(in: $0) }
            value = all.isEmpty ? nil : kind.of(all)
        } else {
            value = Expectation.Figure.mean.of(subjects.compactMap { metric.figure(of: $0) })
        }
        return value.map { SweepFigure(name: prefix + metric.name, unit: metric.unit.name, value: $0) }
    }
}

extension Expectation.Unit {
    package var name: String {
        switch self {
        case .rate: "bit/s"
        case .time: "ms"
        case .size: "bytes"
        case .count, .ratio: ""
        }
    }
}
