/// Random early detection: the average backlog decides with what probability an arriving packet is dropped or marked.
///
/// Source: Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance" (1993); `gentle` as Floyd
/// described it in 2000: beyond `max` the probability grows to 1 at `2 max` instead of jumping there.
package struct RED {
    /// What a scenario says about it.
    package struct Parameters: Equatable, Sendable {
        /// Thresholds for the average, bytes; `minBytes < maxBytes`.
        package var minBytes: UInt64
        package var maxBytes: UInt64
        /// At `maxBytes`.
        package var probability: Double
        /// Of the newest backlog in the average, 0 < weight <= 1.
        package var weight: Double
        package var gentle: Bool
        /// Marks ECT packets below the point where everything is dropped.
        package var ecn: Bool
    }

    let parameters: Parameters
    private(set) var average = 0.0
    /// Packets since the last one that was dropped or marked; -1 below `min`.
    private var count = -1

    init(_ parameters: Parameters) { self.parameters = parameters }

    /// - Parameters:
    ///   - backlog: bytes, without the arriving packet.
    ///   - idlePackets: how many typical packets could have been sent since the link fell idle; 0 if it is busy.
    mutating func decide(backlog: UInt64, idlePackets: UInt64, random: inout SplitMix64) -> QueueVerdict {
        if backlog == 0 {
            average *= Self.power(1 - parameters.weight, idlePackets)
        }
        average += parameters.weight * (Double(backlog) - average)
        let (low, high) = (Double(parameters.minBytes), Double(parameters.maxBytes))
        if average < low {
            count = -1
            return .pass
        }
        let isBeyond = average >= (parameters.gentle ? 2 * high : high)
        if isBeyond {
            count = 0
            return .drop
        }
        count += 1
        // Spaced evenly instead of geometrically: section 8, method 2.
        let base = probability(of: average, low, high)
        let spaced = Double(count) * base >= 1 ? 1 : base / (1 - Double(count) * base)
        guard random.nextUnit() < spaced else { return .pass }
        count = 0
        return parameters.ecn ? .mark : .drop
    }

    private func probability(of average: Double, _ low: Double, _ high: Double) -> Double {
        if average < high { return parameters.probability * (average - low) / (high - low) }
        return parameters.probability + (1 - parameters.probability) * (average - high) / high
    }

    /// By squaring: the same bits on every machine, which libm's `pow` does not promise.
    static func power(_ base: Double, _ exponent: UInt64) -> Double {
        var (result, square, left) = (1.0, base, exponent)
        while left > 0, result > 0 {
            if left & 1 == 1 { result *= square }
            square *= square
            left >>= 1
        }
        return result
    }
}

/// What a queue says to an arriving packet.
enum QueueVerdict: Equatable {
    case pass
    /// CE if the packet is ECT; else it is dropped.
    case mark
    case drop
}
