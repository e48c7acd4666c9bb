package import ControlAPI

/// The windows and rates of a run as rows of block letters, one per flow: what fits on a terminal.
package enum Sparklines {
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    /// More rows say less than the table does.
    private static let flowLimit = 8
    private static let narrowest = 40

    /// - Parameters:
    ///   - result: with or without series; without there is nothing to show.
    ///   - width: columns of the terminal.
    /// - Returns: empty if nothing was recorded or there is no room.
    package static func text(_ result: JSONValue, width: Int) -> String {
        guard width >= narrowest, let data = ChartData(result["series"]), let end = data.times.last else {
            return ""
        }
        let flows = data.flows.prefix(flowLimit)
        let parts = [
            rows(flows.map { ($0.name, $0.cwnd) }, "window, packets", { decimal($0, 0) }, end, width),
            rows(flows.map { ($0.name, $0.rate) }, "throughput, Mbit/s", { decimal($0, 1) }, end, width),
        ]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
    }

    private static func rows(
        _ series: [(name: String, values: [Double?])], _ title: String, _ number: (Double) -> String,
        _ end: Double, _ width: Int
    ) -> String {
        let label = min(series.map(\.name.count).max() ?? 0, 16)
        let columns = width - label - 2
        let means = series.map { Self.means(of: $0.values, columns: columns) }
        guard let top = means.joined().compactMap({ $0 }).max(), top > 0 else { return "" }
        let lines = zip(series, means).map { series, means in
            let name = String(series.name.prefix(label))
            let padding = String(repeating: " ", count: label - name.count + 2)
            return name + padding + String(means.map { block($0, top) })
        }
        let head = "\(title): 0 to \(decimal(end, 1)) s, up to \(number(top))"
        return ([head] + lines).joined(separator: "\n")
    }

    /// Of the values that fall to each column; nil where there are none.
    private static func means(of values: [Double?], columns: Int) -> [Double?] {
        (0..<columns).map { column in
            let first = values.count * column / columns
            let last = max(values.count * (column + 1) / columns, first + 1)
            return mean(values[first..<min(last, values.count)].compactMap { $0 })
        }
    }

    private static func block(_ value: Double?, _ top: Double) -> Character {
        guard let value else { return " " }
        return blocks[min(Int(value / top * Double(blocks.count)), blocks.count - 1)]
    }
}
