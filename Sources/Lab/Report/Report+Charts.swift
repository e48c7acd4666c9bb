extension Report {
    /// The charts of one kind, over all runs that are shown.
    private struct Chart: Sendable {
        var kind: StaticString
        var title: String
        var unit: String
        var note: String?
        /// What it says, for those who cannot see it.
        var summary: @Sendable (ChartData) -> String
    }

    private static let kinds: [Chart] = [
        Chart(
            kind: "cwnd", title: "Congestion window", unit: "packets", note: "dotted: ssthresh",
            summary: { summarize($0.flows.map { ($0.name, $0.cwnd) }) }),
        Chart(
            kind: "rate", title: "Throughput", unit: "Mbit/s", note: "over 0.2 s",
            summary: { summarize($0.flows.map { ($0.name, $0.rate) }) }),
        Chart(
            kind: "rtt", title: "Round-trip time, smoothed", unit: "ms",
            summary: { summarize($0.flows.map { ($0.name, $0.rtt) }) }),
        Chart(
            kind: "queue", title: "Queue", unit: "kB",
            summary: { summarize($0.links.map { ($0.name, $0.queue) }) }),
        Chart(
            kind: "drops", title: "Drops", unit: "packets per step",
            summary: { data in
                data.links.map { link in
                    "\(link.name) \(decimal(link.drops.compactMap { $0 }.reduce(0, +), 0)) in all"
                }.joined(separator: "; ")
            }),
        Chart(
            kind: "state", title: "States of the sender", unit: "",
            summary: { data in
                data.flows.map { flow in
                    let states = flow.state.compactMap { $0 }
                    let open = states.count { $0 == 0 }
                    let share = states.isEmpty ? 0 : Double(open) / Double(states.count)
                    return "\(flow.name) open \(decimal(share * 100, 0)) % of the time"
                }.joined(separator: "; ")
            }),
    ]

    private static func summarize(_ series: [(name: String, values: [Double?])]) -> String {
        series.map { name, values in
            let values = values.compactMap { $0 }
            guard let mean = mean(values), let most = values.max() else { return "\(name) never" }
            return "\(name) \(decimal(mean, 1)) in the mean, at most \(decimal(most, 1))"
        }.joined(separator: "; ")
    }

    var charts: Page.Section? {
        guard panels.contains(where: { $0.data != nil }) else {
            return Page.Section(
                id: "time", title: "Over time",
                content: [
                    .element("p", [:], "Nothing was recorded: the scenario says 'record: off'.")
                ])
        }
        var content = [controls]
        content += [.element("div", ["class": "panels legends"], panels.enumerated().map(legend))]
        for kind in Report.kinds {
            var title = [Markup(kind.title)]
            let notes = [kind.unit, kind.note ?? ""].filter { !$0.isEmpty }
            if !notes.isEmpty {
                title += [Markup(" "), .element("span", ["class": "unit"], notes.joined(separator: ", "))]
            }
            if kind.kind.description == "state" { title.append(stateKey) }
            let figures = panels.enumerated().map { figure(kind, number: $0, panel: $1) }
            content.append(
                .element(
                    "div", ["class": "metric"],
                    [.element("h3", [:], title), .element("div", ["class": "panels"], figures)]))
        }
        return Page.Section(id: "time", title: "Over time", content: content)
    }

    private func figure(_ chart: Chart, number: Int, panel: Panel) -> Markup {
        let caption: [Markup] =
            panels.count > 1 ? [.element("span", ["class": "run"], panel.label)] : []
        guard let data = panel.data else {
            return .element(
                "figure", [:], [.element("figcaption", [:], caption), .element("p", [:], "not recorded")])
        }
        let what = panels.count > 1 ? "\(chart.title), \(panel.label)" : chart.title
        let label = "\(what): \(chart.summary(data))"
        return .element(
            "figure", [:],
            [
                .element(
                    "figcaption", [:], caption + [.element("span", ["class": "readout"], [])]),
                .element(
                    "div",
                    [
                        "class": "chart \(chart.kind)", "role": "img", "aria-label": label,
                        "data-run": String(number), "data-kind": chart.kind.description,
                    ], []),
            ])
    }

    /// Flows with their lines; each a button that hides and shows its flow.
    private func legend(_ number: Int, _ panel: Panel) -> Markup {
        var parts: [Markup] = panels.count > 1 ? [.element("h3", [:], panel.label)] : []
        guard let data = panel.data else { return .element("div", [:], parts) }
        let buttons = data.flows.enumerated().map { index, flow in
            let control = panel.run.result.flows.first { $0.name == flow.name }?.control
            return Markup.element(
                "button",
                [
                    "type": "button", "class": "flow", "aria-pressed": "true",
                    "data-run": String(number), "data-flow": String(index),
                ],
                [
                    Report.sample(index), Markup(flow.name),
                    .element("span", ["class": "cc"], " " + (control ?? "")),
                ])
        }
        parts.append(
            .element("div", ["role": "group", "aria-label": "Flows shown, \(panel.label)"], buttons))
        var notes: [String] = []
        if data.flowCount > data.flows.count {
            notes.append("The first \(data.flows.count) of \(data.flowCount) flows are drawn.")
        }
        if data.stride > 1 {
            notes.append(
                "One point stands for \(data.stride) rows of the recording (the worst queue and state, the last window)."
            )
        }
        if let group = groups.first(where: { $0.label == panel.label }), group.runs.count > 1 {
            notes.append("Seed \(panel.run.seed) of \(group.runs.count).")
        }
        if !notes.isEmpty { parts.append(.element("p", ["class": "note"], notes.joined(separator: " "))) }
        return .element("div", [:], parts)
    }

    /// A piece of a series' line.
    static func sample(_ index: Int) -> Markup {
        .element(
            "svg",
            ["class": "sample \(Report.lineClass(index))", "viewBox": "0 0 28 8", "aria-hidden": "true"],
            [.void("line", ["x1": "0", "y1": "4", "x2": "28", "y2": "4"])])
    }

    /// Colour and pattern. A turn of the colours shifts the patterns, so that no two of the flows drawn look alike.
    static func lineClass(_ index: Int) -> String { "c\(index % 6) p\((index + index / 6) % 4)" }

    private var stateKey: Markup {
        .element(
            "span", ["class": "key"],
            ["Open", "Disorder", "CWR", "Recovery", "Loss"].enumerated().map { index, name in
                .element(
                    "span", [:], [.element("span", ["class": "swatch s\(index)"], []), Markup(" " + name)])
            })
    }

    private var controls: Markup {
        let buttons: [(StaticString, String, String)] = [
            ("in", "+", "Zoom in"), ("out", "−", "Zoom out"), ("left", "‹", "Earlier"),
            ("right", "›", "Later"), ("all", "All", "Show the whole run"),
        ]
        return .element(
            "div",
            ["class": "controls", "role": "group", "aria-label": "Part of the time that all charts show"],
            buttons.map { action, sign, label in
                .element(
                    "button",
                    [
                        "type": "button", "data-zoom": action.description, "aria-label": label,
                        "title": label,
                    ], sign)
            } + [
                .element("span", ["class": "range", "role": "status"], []),
                .element(
                    "span", ["class": "hint"], "Drag in a chart to zoom all of them, double-click for all."),
            ])
            + .element(
                "noscript", [:],
                "The charts need JavaScript; all tables and distributions are there without it.")
    }
}
