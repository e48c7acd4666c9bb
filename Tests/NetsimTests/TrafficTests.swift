import Foundation
import Testing

@testable import Netsim

@Suite("Traffic") struct TrafficTests {
    private static func run(_ cross: String, rate: String = "20Mbit", duration: String = "20s") throws
        -> World
    {
        let world = try Run.world(
            """
            duration: \(duration)
            links: {l: {rate: \(rate), delay: 5ms, buffer: 100p}}
            flows: [{name: a, cc: cubic, path: [l], rtt: 20ms, start: 0s, stop: 1ms, app: {transfer: 1B}}]
            cross: [{name: x, path: [l], \(cross)}]
            record: off
            """)
        Run.toEnd(world)
        return world
    }

    private static func statistics(_ world: World) throws -> CrossTraffic.Statistics {
        try #require(world.sources).cross[0].statistics
    }

    @Test("constant rate: as many packets as the rate says, each delayed by service and path alone")
    func constantRate() throws {
        let statistics = try Self.statistics(Self.run("rate: 12Mbit"))
        #expect(statistics.sent == 20_000)
        #expect(statistics.delivered >= 19_990)
        // 1500 bytes at 20 Mbit/s take 0.6 ms.
        #expect(abs(statistics.delaySum / Double(statistics.delivered) - 5.6e6) < 1e4)
    }

    @Test("bursts: the mean rate is that of the bursts times their share")
    func onOff() throws {
        let regular = try Self.statistics(Self.run("rate: 12Mbit, on: 500ms, off: 1500ms"))
        #expect((4990...5010).contains(regular.sent), "\(regular.sent)")
        let random = try Self.statistics(
            Self.run("rate: 12Mbit, on: 50ms, off: 150ms, random: true", duration: "200s"))
        #expect((45_000...55_000).contains(random.sent), "\(random.sent)")
    }

    @Test("Poisson arrivals: the rate in the mean, and M/D/1's waiting time in the queue")
    func poisson() throws {
        let world = try Self.run("rate: 14Mbit, arrivals: poisson", duration: "100s")
        let sent = Double(try Self.statistics(world).sent)
        let arrivals = 14e6 * 100 / 12_000
        #expect(abs(sent - arrivals) < 4 * arrivals.squareRoot(), "\(sent)")
        // Load 0.7 of a server that takes 0.6 ms: rho / (2 (1 - rho)) services of waiting.
        let expected = 0.7 / (2 * 0.3) * 0.6e6
        #expect(abs(world.snapshot(link: 0).delayMeanNanoseconds / expected - 1) < 0.1)
    }

    @Test("cross traffic beyond the link's rate fills its buffer and is dropped")
    func overload() throws {
        let world = try Self.run("rate: 30Mbit")
        #expect(world.snapshot(link: 0).utilization > 0.99)
        let share = Double(world.snapshot(link: 0).drops) / 50_000
        #expect(abs(share - 1.0 / 3) < 0.01)
    }

    @Test(
        "a flow gets what cross traffic leaves, also over two links, with every queue",
        arguments: ["drop_tail", "fq_codel"])
    func shares(queue: String) throws {
        let world = try Run.world(
            """
            duration: 10s
            links:
              one: {rate: 20Mbit, delay: 5ms, buffer: 1bdp, queue: \(queue)}
              two: {rate: 15Mbit, delay: 5ms, buffer: 1bdp, queue: \(queue), jitter: 100us}
            flows: [{name: a, cc: cubic, path: [one, two], rtt: 30ms}]
            cross: [{name: x, path: [one, two], rate: 5Mbit, packet: {uniform: [200B, 1000B]}}]
            host: {gro: true}
            record: off
            """)
        Run.toEnd(world)
        let goodput = Double(world.snapshot(flow: 0).bytesAcked) * 8 / 10
        #expect((7e6...9.8e6).contains(goodput), "\(goodput)")
        let cross = try Self.statistics(world)
        #expect(Double(cross.delivered) / Double(cross.sent) > 0.95)
    }

    // MARK: Arrivals

    private static func arrivals(_ app: String, count: Int = 100) throws -> World {
        let world = try Run.world(
            """
            duration: 60s
            links: {l: {rate: 100Mbit, delay: 5ms, buffer: 1bdp}}
            flows: [{name: a, count: \(count), cc: cubic, path: [l], rtt: 20ms, app: \(app)}]
            record: off
            """)
        Run.toEnd(world)
        return world
    }

    private static func finished(_ world: World) throws -> [UInt64] {
        try #require(world.sources).arrivals[0].finished.flatMap { $0 }
    }

    @Test("transfers arrive as often as their mean interval says")
    func arrive() throws {
        let sizes = try Self.finished(Self.arrivals("{poisson: 50ms, size: 20kB}"))
        #expect((1060...1340).contains(sizes.count), "\(sizes.count)")
    }

    @Test("arrivals that find no idle flow wait, and their completion times count the waiting")
    func wait() throws {
        // One connection takes some 60 ms; one arrives every 40 ms.
        let world = try Self.arrivals("{poisson: 40ms, size: 20kB}", count: 1)
        let slowdowns = try #require(world.slowdowns(of: 0))
        #expect(slowdowns.count > 500)
        #expect(slowdowns[slowdowns.count - 1] > 50)
        #expect(slowdowns.allSatisfy { $0 >= 1 })
    }

    @Test("a transfer alone on its path that fits the initial window has a slowdown near 1")
    func slowdownOfOne() throws {
        let slowdowns = try #require(
            Self.arrivals("{transfer: 10kB, count: 20, gap: 100ms}", count: 1).slowdowns(of: 0))
        #expect(slowdowns.count == 20)
        #expect(slowdowns.allSatisfy { (1...1.1).contains($0) }, "\(slowdowns)")
    }

    @Test("equal input gives equal bytes")
    func isDeterministic() throws {
        let app = "{poisson: 20ms, size: {pareto: 5kB, shape: 1.3, max: 1MB}}"
        #expect(try Self.arrivals(app).result() == Self.arrivals(app).result())
    }

    // MARK: Distributions

    private static func draw(_ spec: Scenario.SizeSpec) -> [Double] {
        var random = SplitMix64(seed: 9)
        return (0..<100_000).map { _ in Double(Variate.size(spec, &random)) }
    }
    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    @Test("sizes have their distribution's mean")
    func means() {
        #expect(abs(Self.mean(Self.draw(.uniform(1000, 3000))) - 2000) < 10)
        #expect(abs(Self.mean(Self.draw(.exponential(mean: 50_000))) - 50_000) < 500)
        // a m / (a - 1), as the cut is far away.
        let pareto = Self.draw(.pareto(low: 10_000, shape: 3, high: 1 << 40))
        #expect(abs(Self.mean(pareto) - 15_000) < 150)
        #expect(pareto.min() ?? 0 >= 10_000)
        let choice = Self.draw(
            .choice([.init(probability: 0.9, bytes: 10), .init(probability: 0.1, bytes: 1000)]))
        #expect(abs(Self.mean(choice) - 109) < 4)
    }

    @Test(
        "logarithm and exponential agree with libm",
        arguments: [1e-300, 1e-9, 0.1, 0.5, 0.99, 1, 1.5, 2, 1e6, 1e300])
    func agreesWithLibm(value: Double) {
        let x = log(value)
        let tolerance = 1.6e-15 * max(1, abs(x))
        #expect(abs(Variate.log(value) - x) <= tolerance)
        #expect(abs(Variate.exp(x) / exp(x) - 1) < 1e-13)
    }
}
