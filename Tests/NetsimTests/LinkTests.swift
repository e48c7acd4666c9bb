import Testing

@testable import Netsim

@Suite("Link") struct LinkTests {
    static func packet(_ length: UInt16 = 1448, flags: Packet.Flags = []) -> Packet {
        Packet(
            serviceEnd: 0, flow: 0, generation: 0, seq: 0, tsval: 0, tsecr: 0, length: length,
            wireLength: length + 52, hop: 0, flags: flags)
    }

    static func link(
        rate: [RateSchedule.Step] = [.init(at: 0, bitsPerSecond: 12_000_000)], buffer: UInt64 = 4500,
        mark: UInt64? = nil, seed: UInt64 = 1, models: (inout Scenario.LinkSpec) -> Void = { _ in }
    ) -> Link {
        var spec = Scenario.LinkSpec(name: "l", rate: [], delay: .millisecond, bufferBytes: buffer)
        models(&spec)
        // Lives as long as the tests.
        let pool = PagePool.Handle.allocate(capacity: 1)
        pool.initialize(to: PagePool())
        return Link(
            delay: .millisecond, bufferBytes: buffer, markBytes: mark, rate: RateSchedule(steps: rate),
            models: LinkModels(spec, seed: seed), pool: pool)
    }

    @Test("packets are served one after the other and delivered a delay later")
    func servesInOrder() {
        var link = Self.link()
        defer { link.free() }
        // 1500 bytes at 12 Mbit/s take 1 ms.
        let (first, second) = (link.accept(Self.packet(), at: 0), link.accept(Self.packet(), at: 0))
        #expect(first && !second)
        #expect(link.nextDelivery == 2 * .millisecond)
        link.removeFirst(at: 2 * .millisecond)
        #expect(link.nextDelivery == 3 * .millisecond)
    }

    @Test("the packet in service counts in full, and what does not fit is dropped")
    func dropsAtTheTail() {
        var link = Self.link()
        defer { link.free() }
        for _ in 0..<3 { _ = link.accept(Self.packet(), at: 0) }
        _ = link.accept(Self.packet(), at: .millisecond - 1)
        #expect(link.statistics.dropped == 1)
        _ = link.accept(Self.packet(), at: .millisecond + 1)
        #expect(link.statistics.dropped == 1)
        #expect(link.queueBytes == 4500)
    }

    @Test("CE marks depend on the queue before the packet, and only ECT packets get them")
    func marksAtTheThreshold() {
        var link = Self.link(buffer: 100_000, mark: 1500)
        defer { link.free() }
        _ = link.accept(Self.packet(flags: .ect), at: 0)
        #expect(link.statistics.marked == 0)
        _ = link.accept(Self.packet(flags: .ect), at: 0)
        _ = link.accept(Self.packet(), at: 0)
        #expect(link.statistics.marked == 1)
    }

    @Test("a rate step takes effect at its time, also on the packet in service")
    func appliesRateSteps() {
        var schedule = RateSchedule(steps: [
            .init(at: 0, bitsPerSecond: 12_000_000), .init(at: 500_000, bitsPerSecond: 6_000_000),
        ])
        #expect(schedule.end(of: 1500, from: 0) == 1_500_000)
        #expect(schedule.end(of: 1500, from: 600_000) == 2_600_000)
        #expect(schedule.capacity(from: 0, to: 1_000_000) == 9000)
    }

    @Test("random loss draws one splitmix64 number per packet with payload")
    func losesAsTheGeneratorSays() {
        var link = Self.link(buffer: 1 << 40, seed: 1007) { $0.loss = .independent(probability: 0.5) }
        defer { link.free() }
        var generator = SplitMix64(seed: 1007)
        var lost: UInt64 = 0
        for _ in 0..<1000 {
            _ = link.accept(Self.packet(0), at: 0)
            if generator.nextUnit() < 0.5 { lost += 1 }
            _ = link.accept(Self.packet(), at: 0)
        }
        #expect(link.statistics.lost == lost)
    }

    @Test("an outage loses everything from its start to just before its end")
    func losesInAnOutage() {
        var link = Self.link { $0.outages = [.init(from: 10, to: 20)] }
        defer { link.free() }
        for time: Nanoseconds in [9, 10, 19, 20] { _ = link.accept(Self.packet(100), at: time) }
        #expect(link.statistics.lost == 2)
    }

    @Test("quantiles of the delay are right to half a percent")
    func tellsQuantiles() {
        var statistics = LinkStatistics()
        defer { statistics.free() }
        for delay in 1...10_000 { statistics.accept(bytes: 1, delay: Nanoseconds(delay) * 1000) }
        #expect(abs(statistics.delayQuantile(0.95) / 9_500_000 - 1) < 0.005)
        #expect(statistics.delayMean == 5_000_500)
    }
}
