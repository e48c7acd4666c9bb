/// Bits per second over time, piecewise constant; the first step starts at 0.
///
/// A step takes effect at its time, also on the packet in service. A recorded trace may stand in its place.
struct RateSchedule {
    struct Step: Equatable {
        var at: Nanoseconds
        /// At least 1.
        var bitsPerSecond: UInt64
    }
    let steps: [Step]
    private let only: UInt64
    private var trace: DeliveryTrace?

    /// - Parameter steps: ascending in `at`, the first at 0, at most 1000; every rate in 1 ... 1e11.
    init(steps: [Step]) {
        self.steps = steps
        only = steps.count == 1 ? steps[0].bitsPerSecond : 0
    }

    init(_ trace: DeliveryTrace) {
        steps = []
        only = 0
        self.trace = trace
    }

    /// End of service of `length` bytes that starts at `start`, rounded to the nearest nanosecond.
    @inline(__always) mutating func end(of length: UInt16, from start: Nanoseconds) -> Nanoseconds {
        if only != 0 {
            // 65535 bytes x 8e9 < 2^63.
            return start &+ Nanoseconds((UInt64(length) &* 8_000_000_000 &+ only / 2) / only)
        }
        return endOverTime(of: length, from: start)
    }

    @inline(never)
    private mutating func endOverTime(of length: UInt16, from start: Nanoseconds) -> Nanoseconds {
        if trace != nil { return trace?.end(of: length, from: start) ?? .never }
        var index = 0
        while index + 1 < steps.count, steps[index + 1].at <= start { index += 1 }
        // Work left, in bits x 1e9, so that (rate x nanoseconds) takes from it without rounding.
        var work = UInt64(length) &* 8_000_000_000
        var time = start
        while index + 1 < steps.count {
            let rate = steps[index].bitsPerSecond
            let span = UInt64(steps[index + 1].at &- time)
            let (done, overflow) = rate.multipliedReportingOverflow(by: span)
            if overflow || done >= work { break }
            work -= done
            time = steps[index + 1].at
            index += 1
        }
        let rate = steps[index].bitsPerSecond
        return time &+ Nanoseconds((work &+ rate / 2) / rate)
    }

    /// Bits that the link could serve in `from ..< to`.
    func capacity(from: Nanoseconds, to: Nanoseconds) -> Double {
        if let trace { return trace.capacityBits(from: from, to: to) }
        var bits = 0.0
        for (index, step) in steps.enumerated() {
            let end = index + 1 < steps.count ? min(steps[index + 1].at, to) : to
            let begin = max(step.at, from)
            if end > begin { bits += Double(step.bitsPerSecond) * Double(end - begin) / 1e9 }
        }
        return bits
    }
}
