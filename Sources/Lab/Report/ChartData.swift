import ControlAPI

/// The series of one run as the page draws them: at most so many rows, rates instead of totals, nothing where there was no
/// connection.
struct ChartData {
    /// More than a screen has columns, and little enough for a phone.
    static let rowLimit = 1500
    static let flowLimit = 16
    static let linkLimit = 6
    /// Seconds.
    static let rateWindow = 0.2

    var times: [Double]
    var flows: [FlowSeries] = []
    var links: [LinkSeries] = []
    /// Rows of the recording behind one row here.
    var stride: Int
    /// How many flows there are in all.
    var flowCount: Int

    struct FlowSeries {
        var name: String
        var cwnd: [Double?], ssthresh: [Double?], rate: [Double?], rtt: [Double?], state: [Double?]
    }
    struct LinkSeries {
        var name: String
        var queue: [Double?], drops: [Double?]
    }

    /// nil: nothing was recorded.
    init?(_ series: JSONValue?) {
        guard let series, let times = series["t_s"]?.numbers, times.count > 1 else { return nil }
        let stride = (times.count + ChartData.rowLimit - 1) / ChartData.rowLimit
        let rows = Rows(count: times.count, stride: stride)
        self.stride = stride
        self.times = rows.last(times).compactMap { $0 }
        let flows = series["flows"]?.array ?? []
        flowCount = flows.count
        self.flows = flows.prefix(ChartData.flowLimit).map { flow in
            FlowSeries(flow, rows: rows, times: times)
        }
        links = (series["links"]?.array ?? []).prefix(ChartData.linkLimit).map { link in
            LinkSeries(
                name: link["name"]?.string ?? "",
                queue: rows.largest(link["queue_bytes"]?.numbers).map { $0.map { $0 / 1000 } },
                drops: rows.differences(link["drops"]?.numbers))
        }
    }
}

extension ChartData.FlowSeries {
    fileprivate init(_ flow: JSONValue, rows: Rows, times: [Double?]) {
        name = flow["name"]?.string ?? ""
        let window = rows.last(flow["cwnd"]?.numbers)
        // 0: there is no connection, so that no other figure means anything.
        cwnd = window.map { $0 == 0 ? nil : $0 }
        func whenOpen(_ values: [Double?]) -> [Double?] {
            zip(values, window).map { $1 == 0 ? nil : $0 }
        }
        ssthresh = whenOpen(rows.last(flow["ssthresh"]?.numbers)).map { ($0 ?? -1) < 0 ? nil : $0 }
        rtt = whenOpen(rows.last(flow["srtt_ms"]?.numbers)).map { $0 == 0 ? nil : $0 }
        state = whenOpen(rows.largest(flow["ca_state"]?.numbers))
        rate = whenOpen(
            ChartData.FlowSeries.megabits(of: rows.last(flow["bytes_acked"]?.numbers), at: rows.last(times)))
    }
}

extension ChartData.FlowSeries {
    /// The rate over the last fifth of a second or row, whichever is longer: single rows are noisier than eyes can use.
    private static func megabits(of totals: [Double?], at times: [Double?]) -> [Double?] {
        var first = 0
        return totals.indices.map { row in
            guard let now = times[row], let total = totals[row] else { return nil }
            while first + 1 < row, let next = times[first + 1], now - next >= ChartData.rateWindow - 1e-9 {
                first += 1
            }
            let start = row == 0 ? 0 : times[first] ?? 0
            let before = row == 0 ? 0 : totals[first] ?? 0
            return now > start ? (total - before) * 8 / 1e6 / (now - start) : nil
        }
    }
}

/// Takes `stride` rows of a recording as one. A column that is too short or missing gives nil.
private struct Rows {
    let count: Int
    let stride: Int

    private func map(_ column: [Double?]?, _ body: (ArraySlice<Double?>, Double?) -> Double?) -> [Double?] {
        Swift.stride(from: 0, to: count, by: stride).map { start in
            guard let column, column.count == count else { return nil }
            return body(column[start..<min(start + stride, count)], start > 0 ? column[start - 1] : 0)
        }
    }

    func last(_ column: [Double?]?) -> [Double?] { map(column) { rows, _ in rows.last ?? nil } }

    func largest(_ column: [Double?]?) -> [Double?] {
        map(column) { rows, _ in rows.compactMap { $0 }.max() }
    }

    /// By how much a running total grew.
    func differences(_ column: [Double?]?) -> [Double?] {
        map(column) { rows, before in
            guard let before, let last = rows.last ?? nil else { return nil }
            return last - before
        }
    }
}

extension ChartData {
    var json: JSONValue {
        [
            "t": ChartData.column(times, 6),
            "flows": .array(
                flows.map { flow in
                    [
                        "name": .string(flow.name), "cwnd": ChartData.column(flow.cwnd, 0),
                        "ssthresh": ChartData.column(flow.ssthresh, 0),
                        "rate": ChartData.column(flow.rate, 3), "rtt": ChartData.column(flow.rtt, 2),
                        "state": ChartData.column(flow.state, 0),
                    ]
                }),
            "links": .array(
                links.map { link in
                    [
                        "name": .string(link.name), "queue": ChartData.column(link.queue, 1),
                        "drops": ChartData.column(link.drops, 0),
                    ]
                }),
        ]
    }

    private static func column(_ values: [Double?], _ digits: Int) -> JSONValue {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return .array(
            values.map { value in
                guard let value else { return .null }
                let rounded = (value * scale).rounded() / scale
                return Int64(exactly: rounded).map { .integer($0) } ?? .double(rounded)
            })
    }
}

extension JSONValue {
    fileprivate var numbers: [Double?]? { array?.map(\.number) }
}
