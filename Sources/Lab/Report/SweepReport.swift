package import ControlAPI

/// A sweep as heat maps: two axes, a mean in each cell, a map for each figure and algorithm. Without scripts.
package struct SweepReport: Sendable {
    private let name: String
    private let summary: SweepSummary
    /// Indices of what is laid out across and down; nil where the sweep has no such axis.
    private let across: Int?
    private let down: Int?
    private let metrics: [Int]

    /// Columns and rows that can still be read; more values than that are no grid.
    private static let valueLimit = 40
    private static let metricLimit = 12

    /// - Parameters:
    ///   - axes: names of at most two axes, across first; fewer: the sweep's own in their order.
    ///   - figures: names; empty: the best known of those that the sweep has.
    /// - Throws: ENOENT for an axis or a figure that the sweep has not; ERANGE for an axis with too many values.
    package init(_ database: SweepDatabase, axes: [String] = [], figures: [String] = []) throws(Refusal) {
        name = try database.name()
        summary = try SweepSummary(database)
        let known = summary.axes.map(\.name)
        var chosen: [Int] = []
        for axis in axes { chosen.append(try SweepReport.index(of: axis, in: known, "axis")) }
        let places = (chosen + known.indices.filter { !chosen.contains($0) }).prefix(2)
        (across, down) = (places.first, places.count > 1 ? places.last : nil)
        let names = summary.metrics.map(\.name)
        var wanted: [Int] = []
        for figure in figures { wanted.append(try SweepReport.index(of: figure, in: names, "figure")) }
        metrics = wanted.isEmpty ? SweepReport.usual(names) : wanted
        for axis in places where values(axis).count > SweepReport.valueLimit {
            throw Refusal(
                "sweep", errno: 34, "axis '\(known[axis])' has \(values(axis).count) values",
                reason: "a heat map has at most \(SweepReport.valueLimit) rows and columns",
                suggestion: "'sim sweep export' has every run")
        }
    }

    private static func index(of name: String, in known: [String], _ what: String) throws(Refusal) -> Int {
        if let index = known.firstIndex(of: name) { return index }
        throw Refusal(
            "not-found", errno: 2, "the sweep has no \(what) '\(name)'",
            reason: "it has \(known.joined(separator: ", "))")
    }

    /// What one looks at first.
    private static func usual(_ names: [String]) -> [Int] {
        let endings = ["jain", ".goodput", ".utilization", ".qdelay.p95", ".fct.p95"]
        return endings.flatMap { ending in
            names.indices.filter { names[$0] == ending || (ending != "jain" && names[$0].hasSuffix(ending)) }
        }.prefix(metricLimit).map { $0 }
    }

    /// Texts of an axis' values, in the sweep's order.
    private func values(_ axis: Int?) -> [String] {
        guard let axis else { return [""] }
        return summary.groups.compactMap { axis < $0.parameters.count ? $0.parameters[axis] : nil }.unique
    }

    private var algorithms: [String] { summary.groups.map(\.algorithm).unique }

    package var html: String {
        let runs = summary.groups.reduce(0) { $0 + ($1.samples.values.map(\.count).max() ?? 0) }
        let sections = metrics.enumerated().map { number, metric in
            Page.Section(
                id: "figure-\(number)", title: summary.metrics[metric].name, content: maps(metric))
        }
        return Page(
            kind: "Sweep report", title: name,
            facts: [
                "\(summary.axes.count) \(summary.axes.count == 1 ? "axis" : "axes")",
                "\(algorithms.count) algorithm\(algorithms.count == 1 ? "" : "s")", "\(runs) runs",
            ], sections: sections
        ).html
    }

    /// The maps of one figure on one scale, so that they can be compared.
    private func maps(_ metric: Int) -> [Markup] {
        let cells = algorithms.map { grid(metric, $0) }
        let means = cells.joined().joined().compactMap { $0?.mean }
        guard let low = means.min(), let high = means.max() else {
            return [.element("p", [:], "No run has this figure.")]
        }
        let unit = summary.metrics[metric].unit
        let scale = HeatScale(low: low, high: high)
        let maps = zip(algorithms, cells).map { algorithm, rows in
            Markup.element(
                "div", ["class": "map"], [table(algorithm, rows, scale, unit, summary.metrics[metric].name)])
        }
        return [
            scale.key(HeatScale.text(low, unit), HeatScale.text(high, unit)),
            .element("div", ["class": "maps"], maps),
        ]
            + note
    }

    /// Which of the sweep's other axes a mean goes over.
    private var note: [Markup] {
        let others = summary.axes.indices.filter { $0 != across && $0 != down }.map { summary.axes[$0].name }
        let over = (["seeds"] + others).joined(separator: ", ")
        return [.element("p", ["class": "note"], "Each cell is a mean over \(over).")]
    }

    /// Rows of cells; nil where no run has ended.
    private func grid(_ metric: Int, _ algorithm: String) -> [[Sample?]] {
        var sums: [[String]: [Double]] = [:]
        for group in summary.groups where group.algorithm == algorithm {
            guard let sample = group.samples[metric] else { continue }
            sums[[down, across].map { $0.map { group.parameters[$0] } ?? "" }, default: []] += sample.values
        }
        return values(down).map { row in
            values(across).map { column in sums[[row, column]].map { Sample($0) } }
        }
    }

    private func table(
        _ algorithm: String, _ rows: [[Sample?]], _ scale: HeatScale, _ unit: String, _ figure: String
    ) -> Markup {
        func name(_ axis: Int?) -> String { axis.map { summary.axes[$0].name } ?? "" }
        let corner = [name(down), name(across)].filter { !$0.isEmpty }.joined(separator: " \\ ")
        let head = Markup.element(
            "tr", [:],
            [.element("th", ["scope": "col"], corner)]
                + values(across).map { .element("th", ["scope": "col"], $0) })
        let body = zip(values(down), rows).map { value, row in
            let cells = row.map { sample -> Markup in
                guard let sample else { return .element("td", [:], "–") }
                let spread = sample.halfWidth95.map { " ± \(HeatScale.text($0, unit))" } ?? ""
                return .element(
                    "td",
                    [
                        "class": "h\(scale.step(of: sample.mean))",
                        "title": "\(HeatScale.text(sample.mean, unit))\(spread), \(sample.count) runs",
                    ], HeatScale.text(sample.mean, unit))
            }
            return Markup.element("tr", [:], [.element("th", ["scope": "row"], value)] + cells)
        }
        let label = "\(figure), \(algorithm)"
        return .element(
            "div", ["class": "table", "tabindex": "0", "role": "region", "aria-label": label],
            [
                .element(
                    "table", ["class": "heat"],
                    [
                        .element("caption", [:], algorithm), .element("thead", [:], [head]),
                        .element("tbody", [:], body),
                    ])
            ])
    }
}

/// Steps of one hue from light to dark, which every eye and every printer puts in the same order.
struct HeatScale {
    let low: Double
    let high: Double
    static let steps = 9

    func step(of value: Double) -> Int {
        guard high > low else { return HeatScale.steps / 2 }
        let place = (value - low) / (high - low) * Double(HeatScale.steps)
        return min(max(Int(place), 0), HeatScale.steps - 1)
    }

    func key(_ low: String, _ high: String) -> Markup {
        let steps = (0..<HeatScale.steps).map { Markup.element("span", ["class": "h\($0)"], []) }
        return .element(
            "p", ["class": "scale"],
            [Markup(low + " ")] + [.element("span", ["class": "steps", "aria-hidden": "true"], steps)]
                + [Markup(" " + high)])
    }

    /// - Parameter unit: as sweeps name it.
    static func text(_ value: Double, _ unit: String) -> String {
        switch unit {
        case "bit/s": RunFigure.rate(value)
        case "ms": decimal(value, value < 10 ? 2 : 1) + " ms"
        case "bytes": decimal(value / 1000, 1) + " kB"
        default: value == value.rounded() && abs(value) >= 10 ? decimal(value, 0) : decimal(value, 3)
        }
    }
}
