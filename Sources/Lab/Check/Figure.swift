package import ControlAPI
package import Netsim

extension Expectation.Metric {
    /// The figure in a flow, link or source of a result (of the whole: in the result), in the metric's unit; nil: it has none.
    package func figure(of subject: JSONValue) -> Double? {
        guard let figure else { return value(in: subject)?.number }
        return figure.of(numbers(in: subject))
    }

    /// Those that a figure of a list is made of.
    package func numbers(in subject: JSONValue) -> [Double] {
        (value(in: subject)?.array ?? []).compactMap(\.number)
    }

    private func value(in subject: JSONValue) -> JSONValue? {
        members.reduce(Optional(subject)) { $0?[$1] }
    }
}

extension Expectation.Unit {
    /// `18.9 Mbit/s`, `30.2 ms`: for people.
    package func text(_ value: Double) -> String {
        switch self {
        case .rate: RunFigure.rate(value)
        case .time: decimal(value, value < 10 ? 2 : 1) + " ms"
        case .size: decimal(value / 1000, 1) + " kB"
        case .count: decimal(value, 0)
        case .ratio: decimal(value, 3)
        }
    }
}

extension Expectation.Figure {
    /// nil: of no numbers there is only the count. A quantile is the least number that so many are not above.
    package func of(_ numbers: [Double]) -> Double? {
        if self == .count { return Double(numbers.count) }
        guard !numbers.isEmpty else { return nil }
        let sorted = numbers.sorted()
        func quantile(_ share: Double) -> Double {
            sorted[Swift.max(Int((Double(sorted.count) * share).rounded(.up)), 1) - 1]
        }
        switch self {
        case .count: return Double(numbers.count)
        case .mean: return numbers.reduce(0, +) / Double(numbers.count)
        case .p50: return quantile(0.5)
        case .p95: return quantile(0.95)
        case .p99: return quantile(0.99)
        case .max: return sorted.last
        }
    }
}

extension JSONValue {
    /// An integer or a double.
    package var number: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }
}
