extension Report {
    /// Every figure over the seeds of each variant: points, and box and median of those who have four or more.
    var distributions: Page.Section? {
        guard groups.contains(where: { $0.runs.count > 1 }) else { return nil }
        let figures = RunFigure.all(of: runs.map(\.result))
        let plots = figures.compactMap { figure -> Markup? in
            let samples = groups.map { group in group.runs.compactMap { figure.value($0.result) } }
            guard let plot = StripPlot(samples: samples) else { return nil }
            let rows = groups.indices.map { index in
                (
                    head: Report.mark(index) + Markup(groups[index].label),
                    cells: Report.numbers(samples[index], figure)
                )
            }
            let label =
                "\(figure.title): "
                + groups.indices.map { index in
                    "\(groups[index].label) median \(figure.text(quantile(samples[index].sorted(), 0.5)))"
                }.joined(separator: "; ")
            return .element(
                "div", ["class": "distribution"],
                [
                    .element("h3", [:], figure.title),
                    plot.markup(label: label, ends: (figure.text(plot.low), figure.text(plot.high))),
                    Report.table(
                        "\(figure.title), over the seeds",
                        columns: ["variant", "runs", "mean", "least", "median", "most"], rows: rows,
                        classes: "numbers compact"),
                ])
        }
        let seeds = runs.map(\.seed).unique
        let note =
            "Seeds \(seeds.prefix(40).joined(separator: ", "))\(seeds.count > 40 ? ", …" : ""). "
            + "A point is a run; box and line are the middle half and the median."
        return Page.Section(
            id: "distributions", title: "Over the seeds",
            content: [
                .element("p", ["class": "note"], note),
                .element("div", ["class": "distributions"], plots),
            ])
    }

    private static func numbers(_ sample: [Double], _ figure: RunFigure) -> [Markup] {
        let sorted = sample.sorted()
        let values = [mean(sorted), sorted.first, quantile(sorted, 0.5), sorted.last]
        return [Markup(String(sorted.count))] + values.map { Markup(figure.text($0)) }
    }

    /// A group's point, as the plot has it.
    private static func mark(_ index: Int) -> Markup {
        .element(
            "svg", ["class": "mark g\(index % 6)", "viewBox": "0 0 10 10", "aria-hidden": "true"],
            [.void("circle", ["cx": "5", "cy": "5", "r": "3.5"])])
    }
}

/// One row of points per sample, on a common axis. Drawn by the page's author, not by its script: it prints anywhere.
struct StripPlot {
    let samples: [[Double]]
    /// Ends of the axis.
    let low: Double
    let high: Double

    private static let width = 600.0
    private static let rowHeight = 22.0
    private static let margin = 8.0

    /// nil: no two values differ, so that there is nothing to see.
    init?(samples: [[Double]]) {
        let all = samples.joined().filter(\.isFinite)
        guard let low = all.min(), let high = all.max(), low < high else { return nil }
        (self.samples, self.low, self.high) = (samples, low, high)
    }

    func markup(label: String, ends: (String, String)) -> Markup {
        let height = StripPlot.rowHeight * Double(samples.count)
        var shapes: [Markup] = []
        for (index, sample) in samples.enumerated() {
            let middle = (Double(index) + 0.5) * StripPlot.rowHeight
            shapes.append(row(sample.filter(\.isFinite).sorted(), middle, group: index))
        }
        let plot = Markup.element(
            "svg",
            [
                "class": "strips", "viewBox": "0 0 \(decimal(StripPlot.width, 0)) \(decimal(height, 0))",
                "role": "img", "aria-label": label,
            ], shapes)
        let axis = Markup.element(
            "div", ["class": "ends", "aria-hidden": "true"],
            [.element("span", [:], ends.0), .element("span", [:], ends.1)])
        return plot + axis
    }

    private func row(_ sorted: [Double], _ middle: Double, group: Int) -> Markup {
        var shapes = [line(0, middle, StripPlot.width, middle, class: "axis")]
        if sorted.count >= 4, let low = quantile(sorted, 0.25), let high = quantile(sorted, 0.75),
            let median = quantile(sorted, 0.5)
        {
            shapes.append(
                .void(
                    "rect",
                    [
                        "class": "box", "x": place(low), "y": decimal(middle - 7, 1),
                        "width": decimal(max(x(high) - x(low), 1), 1), "height": "14",
                    ]))
            shapes.append(line(x(median), middle - 9, x(median), middle + 9, class: "median"))
        }
        shapes += sorted.map { value in
            .void("circle", ["cx": place(value), "cy": decimal(middle, 1), "r": "3.5"])
        }
        return .element("g", ["class": "g\(group % 6)"], shapes)
    }

    private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, class name: String) -> Markup {
        .void(
            "line",
            [
                "class": name, "x1": decimal(x1, 1), "y1": decimal(y1, 1), "x2": decimal(x2, 1),
                "y2": decimal(y2, 1),
            ])
    }

    private func x(_ value: Double) -> Double {
        StripPlot.margin + (value - low) / (high - low) * (StripPlot.width - 2 * StripPlot.margin)
    }
    private func place(_ value: Double) -> String { decimal(x(value), 1) }
}
