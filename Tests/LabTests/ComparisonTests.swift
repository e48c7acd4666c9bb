import ControlAPI
import Lab
import OpsHost
import Testing

@Suite("Comparisons") struct ComparisonTests {
    /// Results of a lossy link, one a seed.
    private static func results(_ cc: String, rate: String = "10Mbit", seeds: ClosedRange<Int>) throws
        -> [JSONValue]
    {
        let host = try RuntimeHost()
        return try seeds.map { seed in
            let scenario = try host.scenario(
                """
                seed: \(seed)
                duration: 1s
                links: {b: {rate: \(rate), delay: 2ms, buffer: 1bdp, loss: 1%}}
                flows: [{name: a, cc: \(cc), path: [b], rtt: 10ms}]
                record: off
                """, file: "s.yaml")
            return try host.simulate(scenario) { _ in true }
        }
    }

    private static func change(_ comparison: Comparison, _ figure: String) throws -> Comparison.Change {
        try #require(comparison.changes.first { $0.figure == figure })
    }

    @Test("other seeds of the same are within the noise, another link is beyond it")
    func tellsNoise() throws {
        let base = ComparisonOperand(name: "a", results: try Self.results("reno", seeds: 1...6))
        let again = ComparisonOperand(name: "b", results: try Self.results("reno", seeds: 7...12))
        let slow = ComparisonOperand(
            name: "c", results: try Self.results("reno", rate: "2Mbit", seeds: 1...6))
        let noise = Comparison(base, again)
        #expect(try Self.change(noise, "flows.a.goodput").verdict == .noise)
        #expect(try Self.change(noise, "jain").verdict == .same)
        let changed = try Self.change(Comparison(base, slow), "flows.a.goodput")
        #expect(changed.verdict == .changed && changed.difference < -1e6 && changed.unit == "bit/s")
        #expect(try #require(changed.test).halfWidth95 < -changed.difference)
        #expect(try #require(changed.adjustedP) >= (try #require(changed.test).p))
    }

    @Test("of one run each the noise is unknown")
    func doesNotKnow() throws {
        let one = ComparisonOperand(name: "a", results: try Self.results("reno", seeds: 1...1))
        let two = ComparisonOperand(name: "b", results: try Self.results("reno", rate: "2Mbit", seeds: 1...1))
        let change = try Self.change(Comparison(one, two), "flows.a.goodput")
        #expect(change.verdict == .unknown && change.test == nil)
        #expect(Comparison(one, one).changes.allSatisfy { $0.verdict == .same })
    }

    @Test("sweeps are compared point by point and algorithm by algorithm")
    func comparesSweeps() throws {
        let place = try SweepTests.Place()
        let operands = try ["loss: 1%", "loss: 8%"].map { loss in
            let text = SweepTests.small.replacing("loss: 1%", with: loss).replacing("1..2", with: "1..4")
            let (inputs, sweep) = try SweepTests.read(text)
            let database = try SweepDatabase.open(place.path(loss), for: sweep, inputs)
            _ = try SweepRunner(sweep, inputs, database: database).run(workers: 2) { _ in true }
            return try ComparisonOperand(name: loss, sweep: database)
        }
        let comparison = Comparison(operands[0], operands[1])
        #expect(comparison.unmatched.isEmpty)
        let goodputs = comparison.changes.filter { $0.figure == "flows.a.goodput" }
        #expect(goodputs.count == 8 && goodputs[0].place.count == 3)
        #expect(goodputs.contains { $0.verdict == .changed && $0.difference < 0 })
    }
}
