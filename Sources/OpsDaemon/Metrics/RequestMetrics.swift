import ControlAPI

/// Requests by method: how many, how many were refused, how long they took. Confined to the broker's loop.
struct RequestMetrics {
    /// Upper bounds of the histogram, in seconds.
    private static let bounds = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

    private struct Series {
        var refused = 0
        var seconds = 0.0
        /// By bound, each its own; the last is beyond all of them.
        var counts = [Int](repeating: 0, count: bounds.count + 1)
    }
    private var series: [Method: Series] = [:]

    mutating func count(_ method: Method, _ duration: Duration, isRefused: Bool) {
        let seconds = duration / .seconds(1)
        var one = series[method] ?? Series()
        if isRefused { one.refused += 1 }
        one.seconds += seconds
        one.counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        series[method] = one
    }

    func write(to metrics: inout OpenMetrics) {
        let all = series.sorted { $0.key.rawValue < $1.key.rawValue }
        metrics.family("opsd_requests_refused", .counter, "Requests that ended with an error.")
        for (method, one) in all {
            metrics.sample("opsd_requests_refused_total", ["method": method.rawValue], is: one.refused)
        }
        metrics.family("opsd_request_seconds", .histogram, "From a request's arrival to its answer.")
        for (method, one) in all {
            var sum = 0
            for (index, count) in one.counts.enumerated() {
                sum += count
                let bound = index < Self.bounds.count ? "\(Self.bounds[index])" : "+Inf"
                metrics.sample(
                    "opsd_request_seconds_bucket", ["method": method.rawValue, "le": bound], is: sum)
            }
            metrics.sample("opsd_request_seconds_count", ["method": method.rawValue], is: sum)
            metrics.sample("opsd_request_seconds_sum", ["method": method.rawValue], is: one.seconds)
        }
    }
}
