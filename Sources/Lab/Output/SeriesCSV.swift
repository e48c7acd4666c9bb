package import ControlAPI

/// The time series of a result as two tables, of flows and of links, one row per time and flow or link.
///
/// Comma separated (RFC 4180) with one line of column names; what is infinite or missing is an empty cell.
package enum SeriesCSV {
    private static let flowColumns = [
        "cwnd", "ssthresh", "srtt_ms", "bytes_acked", "retransmitted", "inflight", "ca_state",
    ]
    private static let linkColumns = ["queue_bytes", "drops"]

    /// - Throws: EINVAL for a result without a series.
    package static func tables(of result: JSONValue) throws(Refusal) -> (flows: String, links: String) {
        guard let series = result["series"], let times = series["t_s"]?.array else {
            throw Refusal(
                "invalid", errno: 22, "the result has no series", reason: "the scenario says 'record: off'",
                suggestion: "record: {interval: 100ms}")
        }
        return (
            table("flow", flowColumns, series["flows"]?.array ?? [], times),
            table("link", linkColumns, series["links"]?.array ?? [], times)
        )
    }

    private static func table(
        _ subject: String, _ columns: [String], _ items: [JSONValue], _ times: [JSONValue]
    ) -> String {
        var text = (["t_s", subject] + columns).joined(separator: ",") + "\n"
        let tables = items.map { item in
            (name: cell(item["name"]), columns: columns.map { item[$0]?.array ?? [] })
        }
        for (row, time) in times.enumerated() {
            for table in tables {
                let cells = zip(columns, table.columns).map { name, values in
                    let value = row < values.count ? values[row] : .null
                    return name == "ssthresh" && value == -1 ? "" : cell(value)
                }
                text += ([cell(time), table.name] + cells).joined(separator: ",") + "\n"
            }
        }
        return text
    }

    /// Names have no commas or quotes: scenarios refuse them.
    private static func cell(_ value: JSONValue?) -> String {
        switch value {
        case .integer(let number)?: String(number)
        case .double(let number)?: "\(number)"
        case .string(let text)?: text
        default: ""
        }
    }
}
