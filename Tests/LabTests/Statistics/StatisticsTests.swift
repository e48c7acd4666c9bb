import Lab
import Testing

@Suite("Statistics") struct StatisticsTests {
    /// Tables of the t distribution, two-sided 95 %: any textbook's.
    @Test(
        "bounds of the t distribution",
        arguments: [
            (1.0, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (19, 2.093), (30, 2.042), (120, 1.980),
            (1e6, 1.960),
        ])
    func bounds(degrees: Double, bound: Double) {
        #expect(abs(StudentT.bound(0.95, degrees: degrees) - bound) < 0.0006)
        #expect(abs(StudentT.twoSided(bound, degrees: degrees) - 0.05) < 1e-4)
        #expect(abs(StudentT.cumulative(-bound, degrees: degrees) - 0.025) < 1e-4)
    }

    @Test("one degree of freedom is Cauchy's distribution: a quarter lies beyond 1 on either side")
    func isCauchy() {
        #expect(abs(StudentT.twoSided(1, degrees: 1) - 0.5) < 1e-12)
    }

    @Test("a mean and its interval")
    func interval() throws {
        // Mean 10, variance 10, n 5: 2.776 × sqrt(10 / 5).
        let sample = Sample([6, 8, 10, 12, 14])
        #expect(sample.mean == 10 && sample.variance == 10)
        #expect(abs(try #require(sample.halfWidth95) - 3.926) < 0.001)
        #expect(Sample([7]).halfWidth95 == nil)
    }

    /// The example of Welch's test that R's help for t.test gives on the data set `sleep`: t = -1.8608, df = 17.776,
    /// p = 0.07939, interval -3.3654832 to 0.2054832.
    @Test("Welch's test on R's sleep data")
    func welch() throws {
        let first = Sample([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
        let second = Sample([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
        let test = try #require(WelchTest(first, second))
        #expect(abs(test.p - 0.07939) < 1e-5)
        #expect(abs(test.difference - test.halfWidth95 - -0.2054832) < 1e-6)
        #expect(abs(test.difference + test.halfWidth95 - 3.3654832) < 1e-6)
    }

    @Test("constants differ or they do not; of single values nothing is known")
    func constants() {
        #expect(WelchTest(Sample([1, 1]), Sample([1, 1]))?.p == 1)
        #expect(WelchTest(Sample([1, 1]), Sample([2, 2]))?.p == 0)
        #expect(Sample([6.7011, 6.7011, 6.7011]).variance == 0)
        #expect(WelchTest(Sample([1]), Sample([2, 3])) == nil)
    }
}
