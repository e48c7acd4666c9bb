/// Proportional integral controller enhanced: a drop probability that follows the queueing delay.
///
/// The delay is exact: what an arriving packet would wait. The probability is updated when it is next needed, step by step
/// for every period that has passed, as between arrivals the delay is known.
///
/// Source: RFC 8033, sections 4 and 5; Appendix A for the constants.
package struct PIE {
    package struct Parameters: Equatable, Sendable {
        /// QDELAY_REF, T_UPDATE and MAX_BURST, nanoseconds.
        package var target: Int64 = 15 * .millisecond
        package var update: Int64 = 15 * .millisecond
        package var burst: Int64 = 150 * .millisecond
        /// Per second of delay.
        package var alpha = 0.125
        package var beta = 1.25
        /// Marks ECT packets while the probability is at most 10 % (section 5.1).
        package var ecn = false
    }

    let parameters: Parameters
    private(set) var probability = 0.0
    private var burstAllowance: Nanoseconds
    private var oldDelay: Nanoseconds = 0
    private var nextUpdate: Nanoseconds
    /// Section 5.4: probability that has added up since the last drop.
    private var accumulated = 0.0

    private static let markingLimit = 0.1
    private static let meanPacketBytes: UInt64 = 1500

    init(_ parameters: Parameters) {
        self.parameters = parameters
        burstAllowance = parameters.burst
        nextUpdate = parameters.update
    }

    /// - Parameters:
    ///   - serviceEnd: when the last packet of the queue leaves; the backlog drains until then.
    ///   - backlog: bytes now.
    mutating func decide(
        at now: Nanoseconds, serviceEnd: Nanoseconds, backlog: UInt64, random: inout SplitMix64
    ) -> QueueVerdict {
        while nextUpdate <= now {
            advance(delay: max(serviceEnd &- nextUpdate, 0))
            nextUpdate &+= parameters.update
        }
        if burstAllowance > 0 { return .pass }
        if probability == 0 { accumulated = 0 }
        accumulated += probability
        let isCalm = oldDelay < parameters.target / 2 && probability < 0.2
        guard !isCalm, backlog > 2 * Self.meanPacketBytes, accumulated >= 0.85 else { return .pass }
        guard accumulated >= 8.5 || random.nextUnit() < probability else { return .pass }
        accumulated = 0
        return parameters.ecn && probability <= Self.markingLimit ? .mark : .drop
    }

    /// One period of T_UPDATE: section 4.2, with the step sizes and caps of section 5.
    mutating func advance(delay: Nanoseconds) {
        let error = Double(delay &- parameters.target) / 1e9
        let trend = Double(delay &- oldDelay) / 1e9
        var step = (parameters.alpha * error + parameters.beta * trend) / Self.divisor(at: probability)
        if probability >= 0.1 { step = min(step, 0.02) }
        probability += step
        if delay == 0, oldDelay == 0 { probability *= 0.98 }
        probability = min(max(probability, 0), 1)
        burstAllowance = max(burstAllowance &- parameters.update, 0)
        let isQuiet = delay < parameters.target / 2 && oldDelay < parameters.target / 2
        if probability == 0, isQuiet { burstAllowance = parameters.burst }
        oldDelay = delay
    }

    /// Small probabilities move in small steps (section 4.2).
    private static func divisor(at probability: Double) -> Double {
        switch probability {
        case ..<0.000001: 2048
        case ..<0.00001: 512
        case ..<0.0001: 128
        case ..<0.001: 32
        case ..<0.01: 8
        case ..<0.1: 2
        default: 1
        }
    }
}
