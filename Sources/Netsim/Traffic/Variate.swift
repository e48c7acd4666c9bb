/// Random numbers of other distributions than the uniform one.
///
/// Logarithm and exponential are computed here, by series of plain IEEE operations: libm's differ in the last bit from one
/// machine to the next, and results must not.
enum Variate {
    private static let ln2 = 0.693147180559945309417

    /// Natural logarithm of a positive, normal number; right to about 1e-15.
    static func log(_ value: Double) -> Double {
        var (mantissa, exponent) = (value.significand, Double(value.exponent))
        if mantissa > 1.4142135623730951 {
            mantissa /= 2
            exponent += 1
        }
        // ln m = 2 artanh((m - 1) / (m + 1)), |argument| < 0.172
        let s = (mantissa - 1) / (mantissa + 1)
        let square = s * s
        var (power, sum) = (s, s)
        for k in 1...12 {
            power *= square
            sum += power / Double(2 * k + 1)
        }
        return 2 * sum + exponent * ln2
    }

    static func exp(_ value: Double) -> Double {
        guard value > -700 else { return 0 }
        let scale = min((value / ln2).rounded(), 1000)
        let rest = value - scale * ln2
        var (term, sum) = (1.0, 1.0)
        for k in 1...18 {
            term *= rest / Double(k)
            sum += term
        }
        return Double(sign: .plus, exponent: Int(scale), significand: sum)
    }

    /// In (0, 1].
    private static func unit(_ random: inout SplitMix64) -> Double { 1 - random.nextUnit() }

    /// Exponentially distributed with a mean, rounded to the nearest nanosecond.
    static func interval(mean: Double, _ random: inout SplitMix64) -> Nanoseconds {
        Nanoseconds(min((-mean * log(unit(&random))).rounded(), 1e15))
    }

    /// At least 1.
    static func size(_ distribution: Scenario.SizeSpec, _ random: inout SplitMix64) -> UInt64 {
        switch distribution {
        case .fixed(let bytes): return bytes
        case .uniform(let low, let high):
            return low + random.next().multipliedFullWidth(by: high - low + 1).high
        case .exponential(let mean):
            return UInt64(max(1, min((-Double(mean) * log(unit(&random))).rounded(), 1e15)))
        case .pareto(let low, let shape, let high):
            let factor = exp(-log(unit(&random)) / shape)
            return UInt64(max(1, min((Double(low) * factor).rounded(), Double(high))))
        case .choice(let shares):
            var left = random.nextUnit()
            for share in shares {
                left -= share.probability
                if left < 0 { return share.bytes }
            }
            return shares.last?.bytes ?? 1
        }
    }
}
