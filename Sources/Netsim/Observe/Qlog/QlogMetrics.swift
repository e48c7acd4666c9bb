internal import KernelABI

/// What `recovery:metrics_updated` tells of a sender; a record has what has changed since the one before.
struct QlogMetrics: Equatable {
    /// Microseconds; 0: not known.
    private var minRTT: UInt32 = 0
    private var smoothedRTT: UInt32 = 0
    private var latestRTT: UInt32 = 0
    private var variation: UInt32 = 0
    /// Bytes.
    private var window: UInt64 = 0
    private var inFlight: UInt64 = 0
    private var packetsInFlight: UInt64 = 0
    /// Bytes; nil: infinite.
    private var threshold: UInt64?
    /// Bits per second; nil: not limited.
    private var pacingRate: UInt64?
    private var timeouts: UInt64 = 0

    init() {}

    init(_ flow: Flow) {
        let tp = flow.tp
        let mss = UInt64(tp.pointee.mss_cache)
        minRTT = tp.minRTT == .max ? 0 : tp.minRTT
        smoothedRTT = tp.pointee.srtt_us >> 3
        latestRTT = tp.pointee.rack.rtt_us
        variation = tp.pointee.mdev_us >> 2
        window = UInt64(tp.cwnd) &* mss
        packetsInFlight = UInt64(tp.inFlight)
        inFlight = packetsInFlight &* mss
        threshold = tp.ssthresh >= Kernel.infiniteSsthresh ? nil : UInt64(tp.ssthresh) &* mss
        pacingRate = tp.pacingRate == Kernel.unlimitedRate ? nil : tp.pacingRate &* 8
        timeouts = UInt64(tp.pointee.inet_conn.icsk_retransmits)
    }

    func write(since old: QlogMetrics, _ json: inout JSONWriter) {
        func milliseconds(_ name: String, _ path: KeyPath<QlogMetrics, UInt32>) {
            guard self[keyPath: path] != old[keyPath: path] else { return }
            json.member(name, Double(self[keyPath: path]) / 1000, digits: 3)
        }
        func number(_ name: String, _ path: KeyPath<QlogMetrics, UInt64>) {
            if self[keyPath: path] != old[keyPath: path] { json.member(name, self[keyPath: path]) }
        }
        milliseconds("min_rtt", \.minRTT)
        milliseconds("smoothed_rtt", \.smoothedRTT)
        milliseconds("latest_rtt", \.latestRTT)
        milliseconds("rtt_variance", \.variation)
        number("pto_count", \.timeouts)
        number("congestion_window", \.window)
        number("bytes_in_flight", \.inFlight)
        number("packets_in_flight", \.packetsInFlight)
        if threshold != old.threshold, let threshold { json.member("ssthresh", threshold) }
        if pacingRate != old.pacingRate, let pacingRate { json.member("pacing_rate", pacingRate) }
    }
}
