import ControlAPI

/// One number of a result, as tables and distributions show it.
struct RunFigure: Sendable {
    var title: String
    var unit: Unit
    /// Which way is better; nil where that depends on what is wanted.
    var better: Better?
    var value: @Sendable (RunResult) -> Double?

    enum Unit: Sendable { case rate, milliseconds, share, count, plain }
    enum Better: Sendable { case higher, lower }

    /// `24.8 Mbit/s`, `38.2 ms`, `99.3 %`.
    func text(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return switch unit {
        case .rate: RunFigure.rate(value)
        case .milliseconds: decimal(value, value < 10 ? 2 : 1) + " ms"
        case .share: decimal(value * 100, 1) + " %"
        case .count: decimal(value, value == value.rounded() ? 0 : 1)
        case .plain: decimal(value, 4)
        }
    }

    /// `35.2 … 39.3 Mbit/s`: the unit once, if it is the same.
    func range(_ low: Double, _ high: Double) -> String {
        let (first, second) = (text(low).split(separator: " "), text(high))
        guard first.count == 2, second.hasSuffix(first[1]) else { return "\(text(low)) … \(second)" }
        return "\(first[0]) … \(second)"
    }

    /// `24.8 Mbit/s`.
    static func rate(_ bitsPerSecond: Double) -> String {
        switch bitsPerSecond {
        case 1e9...: decimal(bitsPerSecond / 1e9, 2) + " Gbit/s"
        case 1e6...: decimal(bitsPerSecond / 1e6, 2) + " Mbit/s"
        default: decimal(bitsPerSecond / 1e3, 2) + " kbit/s"
        }
    }
}

extension RunFigure {
    /// What can be said of every one of these results: of the whole, of each entry of flows, of each link.
    static func all(of runs: [RunResult]) -> [RunFigure] {
        guard let first = runs.first else { return [] }
        let entries = first.flows.map(\.entry).unique
        var figures =
            entries.count == 1
            ? [RunFigure(title: "goodput per flow", unit: .rate, better: .higher) { goodput($0, of: nil) }]
            : entries.prefix(6).map { entry in
                RunFigure(title: "goodput per flow, \(entry)", unit: .rate, better: .higher) {
                    goodput($0, of: entry)
                }
            }
        figures.append(
            RunFigure(title: "Jain's index", unit: .plain, better: .higher) {
                $0.flows.count > 1 ? $0.jain : nil
            })
        figures += [
            RunFigure(title: "smoothed RTT, mean", unit: .milliseconds, better: .lower) {
                mean($0.flows.compactMap(\.srttMsMean))
            },
            RunFigure(title: "packets sent again", unit: .count, better: .lower) {
                $0.flows.compactMap(\.retransmittedPackets).reduce(0, +)
            },
            RunFigure(title: "timeouts", unit: .count, better: .lower) {
                $0.flows.compactMap(\.rtoEvents).reduce(0, +)
            },
            RunFigure(title: "completion time, median", unit: .milliseconds, better: .lower) {
                quantile($0.flows.flatMap { $0.fctMs ?? [] }.sorted(), 0.5)
            },
            RunFigure(title: "completion time, p95", unit: .milliseconds, better: .lower) {
                quantile($0.flows.flatMap { $0.fctMs ?? [] }.sorted(), 0.95)
            },
        ]
        for link in first.links.prefix(3) { figures += RunFigure.all(ofLink: link.name) }
        return figures.filter { figure in runs.contains { figure.value($0) != nil } }
    }

    /// - Parameter entry: nil for all flows.
    private static func goodput(_ run: RunResult, of entry: String?) -> Double? {
        mean(run.flows.filter { entry == nil || $0.entry == entry }.compactMap(\.goodputBps))
    }

    private static func all(ofLink name: String) -> [RunFigure] {
        @Sendable func link(_ run: RunResult) -> RunResult.Link? { run.links.first { $0.name == name } }
        return [
            RunFigure(title: "\(name): used", unit: .share, better: .higher) { link($0)?.utilization },
            RunFigure(title: "\(name): queueing delay, mean", unit: .milliseconds, better: .lower) {
                link($0)?.qdelayMs?.mean
            },
            RunFigure(title: "\(name): queueing delay, p95", unit: .milliseconds, better: .lower) {
                link($0)?.qdelayMs?.p95
            },
            RunFigure(title: "\(name): drops", unit: .count, better: .lower) { link($0)?.drops },
            RunFigure(title: "\(name): marks", unit: .count) { run in
                link(run)?.marks.flatMap { $0 > 0 ? $0 : nil }
            },
        ]
    }
}

/// A number with so many digits behind the point; `en` for people, so no exponent. Not finite: a dash.
func decimal(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (value * scale).rounded()
    guard scaled.isFinite, abs(scaled) < 9e15 else { return value.isFinite ? "\(value)" : "–" }
    let number = Int64(scaled)
    guard digits > 0 else { return String(number) }
    let divisor = Int64(scale)
    let fraction = String(abs(number % divisor))
    return (number < 0 ? "-" : "") + String(abs(number / divisor)) + "."
        + String(repeating: "0", count: digits - fraction.count) + fraction
}

func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}

/// Between neighbours, linearly. nil of nothing.
///
/// - Parameter sorted: ascending.
func quantile(_ sorted: [Double], _ share: Double) -> Double? {
    guard let last = sorted.last else { return nil }
    let place = share * Double(sorted.count - 1)
    let index = Int(place)
    guard index + 1 < sorted.count else { return last }
    return sorted[index] + (sorted[index + 1] - sorted[index]) * (place - Double(index))
}

extension Array where Element: Equatable {
    /// Each once, in order of first occurrence.
    var unique: [Element] {
        reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
