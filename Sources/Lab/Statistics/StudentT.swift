import Foundation

/// Student's t distribution, for means of few runs.
package enum StudentT {
    /// P(T ≤ t). - Parameter degrees: of freedom, above 0; Welch's are no whole number.
    package static func cumulative(_ t: Double, degrees: Double) -> Double {
        guard t.isFinite else { return t > 0 ? 1 : 0 }
        // Source: Abramowitz and Stegun, 26.7.1 with 26.5.27.
        let tail = 0.5 * incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5)
        return t > 0 ? 1 - tail : tail
    }

    /// P(|T| ≥ |t|).
    package static func twoSided(_ t: Double, degrees: Double) -> Double {
        t.isFinite ? incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) : 0
    }

    /// The t that is exceeded in neither direction with this probability: 2.776 for 0.95 and 4 degrees.
    package static func bound(_ confidence: Double, degrees: Double) -> Double {
        var (low, high) = (0.0, 2.0)
        while twoSided(high, degrees: degrees) > 1 - confidence, high < 1e12 { high *= 2 }
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if twoSided(middle, degrees: degrees) > 1 - confidence { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// The regularised incomplete beta function I_x(a, b).
    ///
    /// Source: DLMF 8.17.22, the continued fraction, which converges fast for x < (a + 1) / (a + b + 2); beyond that by the
    /// symmetry I_x(a, b) = 1 - I_1-x(b, a).
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        guard x <= (a + 1) / (a + b + 2) else { return 1 - incompleteBeta(1 - x, b, a) }
        let logBeta: Double = lgamma(a) + lgamma(b) - lgamma(a + b)
        let logFront: Double = a * log(x) + b * log(1 - x) - logBeta
        return exp(logFront) / a * fraction(x, a, b)
    }

    /// 1 / (1 + d1 / (1 + d2 / (1 + …))) by Lentz's method as Thompson and Barnett changed it.
    private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        func away(_ value: Double) -> Double { abs(value) < 1e-300 ? 1e-300 : value }
        var (result, c, d) = (1.0, 1.0, 0.0)
        for step in 1...500 {
            let m = Double(step / 2)
            let end = a + 2 * m
            let coefficient: Double
            if step % 2 == 0 {
                coefficient = m * (b - m) * x / ((end - 1) * end)
            } else {
                coefficient = -(a + m) * (a + b + m) * x / (end * (end + 1))
            }
            d = 1 / away(1 + coefficient * d)
            c = away(1 + coefficient / c)
            result *= c * d
            if abs(c * d - 1) < 1e-15 { break }
        }
        return 1 / result
    }
}
