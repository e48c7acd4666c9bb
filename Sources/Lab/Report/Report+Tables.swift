extension Report {
    /// A table with a caption and heads for rows and columns, in a frame that scrolls where it is too wide.
    static func table(
        _ caption: String, columns: [String], rows: [(head: Markup, cells: [Markup])], classes: String = ""
    ) -> Markup {
        let head = Markup.element(
            "thead", [:],
            [.element("tr", [:], columns.map { .element("th", ["scope": "col"], $0) })])
        let body = Markup.element(
            "tbody", [:],
            rows.map { row in
                .element(
                    "tr", [:],
                    [.element("th", ["scope": "row"], [row.head])]
                        + row.cells.map { .element("td", [:], [$0]) })
            })
        return .element(
            "div",
            ["class": "table", "tabindex": "0", "role": "region", "aria-label": caption],
            [
                .element(
                    "table", ["class": classes.isEmpty ? nil : classes],
                    [.element("caption", [:], caption), head, body])
            ])
    }

    /// The figures of one run, or of all variants beside each other.
    var summary: Page.Section {
        let figures = RunFigure.all(of: runs.map(\.result))
        guard runs.count > 1 else {
            let items = figures.map { figure in
                Markup.element(
                    "div", [:],
                    [
                        .element("dt", [:], figure.title),
                        .element("dd", [:], figure.text(figure.value(runs[0].result))),
                    ])
            }
            return Page.Section(
                id: "summary", title: "Summary", content: [.element("dl", ["class": "tiles"], items)])
        }
        let rows = figures.map { figure in (head: Markup(figure.title), cells: cells(of: figure)) }
        let several = groups.contains { $0.runs.count > 1 }
        return Page.Section(
            id: "summary", title: groups.count > 1 ? "Side by side" : "Summary",
            content: [
                Report.table(
                    several
                        ? "Means over the seeds, and from the lowest to the highest" : "Figures of each run",
                    columns: ["figure"] + groups.map(\.label), rows: rows, classes: "numbers")
            ])
    }

    /// A group's mean and range; beyond the first group the difference to it. The best is marked.
    private func cells(of figure: RunFigure) -> [Markup] {
        let samples = groups.map { group in group.runs.compactMap { figure.value($0.result) } }
        let means = samples.map(mean)
        let known = means.compactMap { $0 }
        let best: Double? =
            known.unique.count < 2
            ? nil : figure.better.flatMap { $0 == .higher ? known.max() : known.min() }
        return groups.indices.map { index in
            guard let value = means[index] else { return Markup("–") }
            var parts = [Markup.element(value == best ? "strong" : "span", [:], figure.text(value))]
            if value == best { parts.append(.element("span", ["class": "hidden"], " (best)")) }
            if samples[index].count > 1, let low = samples[index].min(), let high = samples[index].max() {
                parts.append(.element("small", [:], figure.range(low, high)))
            }
            if index > 0, let first = means[0], first > 0, value >= 0 {
                parts.append(.element("small", [:], Report.change(from: first, to: value)))
            }
            return parts.reduce(.empty, +)
        }
    }

    /// `+2.7 %`; from twice as much on `×7.6`.
    private static func change(from first: Double, to value: Double) -> String {
        let ratio = value / first
        guard ratio < 2 else { return "×\(decimal(ratio, ratio < 100 ? 1 : 0))" }
        return (ratio < 1 ? "−" : "+") + decimal(abs(ratio - 1) * 100, 1) + " %"
    }

    /// Flows, links and cross traffic of what is drawn.
    var tables: Page.Section {
        var content: [Markup] = []
        for panel in panels {
            if panels.count > 1 { content.append(.element("h3", [:], panel.label)) }
            content.append(flowTable(panel))
            content.append(linkTable(panel.run.result))
            if let cross = panel.run.result.cross, !cross.isEmpty { content.append(crossTable(cross)) }
        }
        return Page.Section(id: "details", title: "Flows and links", content: content)
    }

    private func flowTable(_ panel: Panel) -> Markup {
        let flows = panel.run.result.flows
        let hasTransfers = flows.contains { !($0.fctMs ?? []).isEmpty }
        let time = RunFigure.plain(.milliseconds), count = RunFigure.plain(.count)
        var columns = [
            "flow", "algorithm", "goodput", "RTT mean", "RTT least", "window", "sent again", "losses",
            "timeouts",
        ]
        if hasTransfers { columns += ["transfers", "median", "p95", "slowdown"] }
        let rows = flows.prefix(Report.tableLimit).enumerated().map { index, flow in
            var cells = [
                flow.control, RunFigure.plain(.rate).text(flow.goodputBps), time.text(flow.srttMsMean),
                time.text(flow.minRttMs), flow.cwndMean.map { decimal($0, 1) } ?? "–",
                count.text(flow.retransmittedPackets), count.text(flow.lossEvents),
                count.text(flow.rtoEvents),
            ]
            if hasTransfers {
                let times = (flow.fctMs ?? []).sorted()
                cells += [
                    times.isEmpty ? "–" : String(times.count), time.text(quantile(times, 0.5)),
                    time.text(quantile(times, 0.95)), flow.slowdown?.mean.map { decimal($0, 2) } ?? "–",
                ]
            }
            let isDrawn = index < panel.data?.flows.count ?? 0
            let head = (isDrawn ? Report.sample(index) : .empty) + Markup(flow.name)
            let failure = flow.error.map { Markup.element("small", ["class": "failure"], $0) } ?? .empty
            return (head: head + failure, cells: cells.map { Markup($0) })
        }
        let caption =
            flows.count > rows.count ? "Flows: the first \(rows.count) of \(flows.count)" : "Flows"
        return Report.table(caption, columns: columns, rows: rows, classes: "numbers named")
    }

    private func linkTable(_ result: RunResult) -> Markup {
        let rows = result.links.prefix(Report.tableLimit).map { link in
            let time = RunFigure.plain(.milliseconds), count = RunFigure.plain(.count)
            let cells = [
                RunFigure.plain(.share).text(link.utilization), count.text(link.drops),
                count.text(link.marks),
                time.text(link.qdelayMs?.mean), time.text(link.qdelayMs?.p95),
            ]
            return (head: Markup(link.name), cells: cells.map { Markup($0) })
        }
        return Report.table(
            "Links", columns: ["link", "used", "drops", "marks", "queueing delay, mean", "p95"], rows: rows,
            classes: "numbers")
    }

    private func crossTable(_ sources: [RunResult.Cross]) -> Markup {
        let rows = sources.prefix(Report.tableLimit).map { source in
            let count = RunFigure.plain(.count)
            let cells = [
                count.text(source.sentPackets), count.text(source.deliveredPackets),
                RunFigure.plain(.rate).text(source.deliveredBps),
                RunFigure.plain(.milliseconds).text(source.delayMsMean),
            ]
            return (head: Markup(source.name), cells: cells.map { Markup($0) })
        }
        return Report.table(
            "Cross traffic", columns: ["source", "packets sent", "delivered", "rate delivered", "delay"],
            rows: rows,
            classes: "numbers")
    }

    /// Rows of a table that people can still read.
    private static let tableLimit = 100
}

extension RunFigure {
    /// For its way of writing numbers only.
    static func plain(_ unit: Unit) -> RunFigure { RunFigure(title: "", unit: unit) { _ in nil } }
}
