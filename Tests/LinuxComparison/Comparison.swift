import Netsim

/// One figure, the kernel's and ours, and how far they are apart.
package struct FigureComparison: Sendable {
    package var scenario: String
    package var figure: String
    package var kernel: ReferenceData.Spread
    /// Mean over the seeds.
    package var ours: Double

    package enum Verdict: String, Sendable {
        /// In the kernel's mean ± max(2 sd, 5 %, 0.5 for counts); within twice that; beyond.
        case within = " "
        case near = "~"
        case outside = "!"
    }

    static let counts: Set<String> = [
        "retrans_pkts", "loss_events", "rto_events", "ss_exit_cwnd", "cwnd_mean", "bbr_probe_rtt_count",
        "fct_n",
    ]

    package var verdict: Verdict {
        let plain = figure.split(separator: ".").last.map(String.init) ?? figure
        let half = Self.counts.contains(plain) ? 0.5 : 0
        let tolerance = max(2 * kernel.sd, 0.05 * abs(kernel.mean), half)
        let distance = abs(ours - kernel.mean)
        // The reference keeps four decimals.
        return distance <= tolerance + 1e-4 ? .within : distance <= 2 * tolerance + 1e-4 ? .near : .outside
    }

    /// Runs a scenario with the reference's seeds and compares every figure that both sides have.
    package static func run(
        _ scenario: ReferenceScenario, _ data: ReferenceData, repeats: ClosedRange<Int> = 1...3
    ) throws -> [FigureComparison] {
        guard let kernel = data.summary[scenario.name] else { return [] }
        let runs = try repeats.map { try Figures(scenario, seed: 1000 * $0 + 7).values }
        var all: [FigureComparison] = []
        for figure in Set(runs.flatMap(\.keys)).sorted() {
            guard let spread = kernel[figure] else { continue }
            let values = runs.compactMap { $0[figure] }
            all.append(
                FigureComparison(
                    scenario: scenario.name, figure: figure, kernel: spread,
                    ours: values.reduce(0, +) / Double(values.count)))
        }
        return all
    }

    package var line: String {
        func cell(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        func number(_ value: Double) -> String { "\((value * 10_000).rounded() / 10_000)" }
        let kernelText = "\(number(kernel.mean)) ± \(number(kernel.sd))"
        return "\(verdict.rawValue) \(cell(scenario, 20)) \(cell(figure, 26)) \(cell(kernelText, 24)) "
            + number(ours)
    }
}

/// One log of callbacks, the kernel's and ours.
package struct LogComparison: Sendable {
    package var scenario: String
    /// Entries of the kernel's log that were compared, and in all.
    package var compared: Int
    package var all: Int
    /// How many of them were found, in order.
    package var common: Int
    package var kernel: [Callback]
    package var ours: [Callback]

    package var share: Double { compared == 0 ? 1 : Double(common) / Double(compared) }

    /// - Parameter whole: compares past the first late delivery, too.
    package static func run(
        _ scenario: ReferenceScenario, _ data: ReferenceData, whole: Bool = false
    ) throws -> LogComparison? {
        guard let log = data.callbacks(of: scenario.name) else { return nil }
        let ours = try CallbackLog.run(scenario.text(seed: 1007), name: scenario.name)
        let cut = whole ? nil : CallbackLog.firstStall(log, service: scenario.segmentMicroseconds)
        let kernel = cut.map { Array(log[..<$0]) } ?? log
        // Ours goes on as far as the kernel's does.
        let end = kernel.map(\.delivered).max() ?? 0
        let mine = cut == nil ? ours : Array(ours.prefix { $0.delivered <= end })
        return LogComparison(
            scenario: scenario.name, compared: kernel.count, all: log.count,
            common: CallbackLog.commonLength(kernel, mine), kernel: kernel, ours: mine)
    }

    /// Where the two logs part, with what came before.
    package func firstDifference(context: Int = 6) -> [String] {
        guard let first = zip(kernel, ours).enumerated().first(where: { $1.0.key != $1.1.key })?.offset
        else { return ["no difference in \(min(kernel.count, ours.count)) entries"] }
        var lines = ["first difference at entry \(first):"]
        for index in max(0, first - context)..<min(first + context, kernel.count, ours.count) {
            lines.append("\(index < first ? " " : "*") Linux \(kernel[index].line)")
            lines.append("\(index < first ? " " : "*") here  \(ours[index].line)")
        }
        return lines
    }
}
