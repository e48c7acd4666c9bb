/// Values of one figure over several runs.
package struct Sample: Equatable, Sendable {
    package let values: [Double]
    package let mean: Double
    /// With n - 1; nil of fewer than two.
    package let variance: Double?

    /// - Precondition: there is at least one value.
    package init(_ values: [Double]) {
        precondition(!values.isEmpty, "no value")
        self.values = values
        // The mean of equal values is rounded too, and would leave them a variance.
        let isConstant = values.allSatisfy { $0 == values[0] }
        let mean = isConstant ? values[0] : values.reduce(0, +) / Double(values.count)
        self.mean = mean
        variance =
            values.count > 1
            ? values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1) : nil
    }

    package var count: Int { values.count }
    package var deviation: Double? { variance?.squareRoot() }

    /// Half of the interval that holds the true mean with 95 % confidence; nil of one value: nothing is known of the noise.
    package var halfWidth95: Double? {
        guard let variance else { return nil }
        let degrees = Double(count - 1)
        return StudentT.bound(0.95, degrees: degrees) * (variance / Double(count)).squareRoot()
    }
}

/// Whether two samples come from the same mean: Welch's test, which does not ask for equal variances.
package struct WelchTest: Equatable, Sendable {
    /// b's mean less a's, and half of its 95 % interval.
    package let difference: Double
    package let halfWidth95: Double
    /// Of a difference as large as this one if there were none; 1 for two samples of the same constant.
    package let p: Double

    /// nil if either has one value only.
    package init?(_ a: Sample, _ b: Sample) {
        guard let first = a.variance, let second = b.variance else { return nil }
        difference = b.mean - a.mean
        let (partA, partB) = (first / Double(a.count), second / Double(b.count))
        guard partA + partB > 0 else {
            halfWidth95 = 0
            p = difference == 0 ? 1 : 0
            return
        }
        let error = (partA + partB).squareRoot()
        // Welch–Satterthwaite.
        let degrees =
            (partA + partB) * (partA + partB)
            / (partA * partA / Double(a.count - 1) + partB * partB / Double(b.count - 1))
        halfWidth95 = StudentT.bound(0.95, degrees: degrees) * error
        p = StudentT.twoSided(difference / error, degrees: degrees)
    }
}
