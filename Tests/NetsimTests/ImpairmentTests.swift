import OpsCore
import Testing

@testable import Netsim

@Suite("Impairments") struct ImpairmentTests {
    private static func mean(_ spec: Scenario.LossSpec, count: Int = 200_000) -> (rate: Double, burst: Double)
    {
        var model = LossModel(spec)
        var random = SplitMix64(seed: 11)
        var (lost, bursts, wasLost) = (0, 0, false)
        for _ in 0..<count {
            let isLost = model.loses(&random)
            if isLost { lost += 1 }
            if isLost, !wasLost { bursts += 1 }
            wasLost = isLost
        }
        return (Double(lost) / Double(count), bursts > 0 ? Double(lost) / Double(bursts) : 0)
    }

    @Test("Gilbert's channel loses enter / (enter + leave) in bursts of 1 / leave")
    func losesInBursts() {
        let (rate, burst) = Self.mean(.burst(.init(enter: 0.01, leave: 0.25)))
        #expect(abs(rate - 0.01 / 0.26) < 0.002, "\(rate)")
        #expect(abs(burst - 4) < 0.15, "\(burst)")
    }

    @Test("Elliott's channel adds loss in the good state and mercy in the bad one")
    func losesInBothStates() {
        let (rate, _) = Self.mean(.burst(.init(enter: 0.02, leave: 0.18, bad: 0.5, good: 0.01)))
        #expect(abs(rate - (0.1 * 0.5 + 0.9 * 0.01)) < 0.003, "\(rate)")
    }

    @Test("duplicates are as many as the probability says, right behind the original")
    func duplicates() {
        var link = LinkTests.link(buffer: 1 << 40) { $0.duplicate = 0.1 }
        defer { link.free() }
        for _ in 0..<10_000 { _ = link.accept(LinkTests.packet(), at: 0) }
        let copies = link.statistics.accepted - 10_000
        #expect(copies == link.models?.pointee.duplicated)
        #expect((900...1100).contains(copies))
    }

    @Test("jitter delays by up to its length and keeps the order")
    func jitterKeepsOrder() {
        var detour = Detour(jitter: 5 * .millisecond, reorder: nil, seed: 1)
        var last: Nanoseconds = 0
        for index in 0..<1000 {
            let now = Nanoseconds(index) * .millisecond
            let due = detour.enter(LinkTests.packet(), at: now)
            #expect(due >= max(now, last) && due <= max(now + 5 * .millisecond, last))
            last = due
        }
        #expect(detour.heldBack == 0)
    }

    @Test("reordering holds packets back, and those behind overtake them")
    func reorders() {
        var detour = Detour(jitter: 0, reorder: .init(probability: 0.25, delay: 10 * .millisecond), seed: 1)
        var dues: [(Nanoseconds, UInt32)] = []
        for index in 0..<1000 {
            var packet = LinkTests.packet()
            packet.seq = UInt32(index)
            dues.append((detour.enter(packet, at: Nanoseconds(index) * .millisecond), UInt32(index)))
        }
        #expect((200...300).contains(detour.heldBack))
        let order = (0..<1000).compactMap { _ in detour.leave()?.seq }
        #expect(order == dues.sorted { $0 < $1 }.map(\.1))
        #expect(order != order.sorted())
    }

    // MARK: Traces

    @Test("a trace sends up to 1500 bytes per opportunity, and starts again when it is over")
    func replaysTraces() {
        var trace = DeliveryTrace(milliseconds: [2, 5, 5, 10])
        let ms = Nanoseconds.millisecond
        #expect(trace.end(of: 1500, from: 0) == 2 * ms)
        #expect(trace.end(of: 1000, from: 0) == 5 * ms)
        // 500 bytes are left at 5 ms; the other 1000 go with the second opportunity of that moment.
        #expect(trace.end(of: 1500, from: 5 * ms) == 5 * ms)
        #expect(trace.end(of: 1500, from: 5 * ms) == 10 * ms)
        #expect(trace.end(of: 1500, from: 10 * ms) == 12 * ms)
        // What nobody used at 15 ms is lost.
        #expect(trace.end(of: 100, from: 16 * ms) == 20 * ms)
        #expect(trace.capacityBits(from: 0, to: 20 * ms + 1) == 8 * 12_000)
    }

    @Test("a packet larger than what is left goes on with the next opportunity")
    func splitsPackets() {
        var trace = DeliveryTrace(milliseconds: [1, 2, 3])
        #expect(trace.end(of: 1000, from: 0) == .millisecond)
        #expect(trace.end(of: 1000, from: 0) == 2 * .millisecond)
        #expect(trace.end(of: 1000, from: 0) == 2 * .millisecond)
    }

    @Test("trace files", arguments: [("1\n2\n\n5\n", 3), ("0\r\n7\r\n", 2)])
    func parsesTraces(text: String, count: Int) throws {
        #expect(try DeliveryTrace.parse(text, lineLimit: 10).get().count == count)
    }

    @Test(
        "bad trace files name the line",
        arguments: [("1\nx\n", 2), ("5\n4\n", 2), ("0\n0\n", 1), ("", 1), ("-1\n", 1)])
    func refusesTraces(text: String, line: Int) {
        #expect(throws: DeliveryTrace.TraceError(line: line)) {
            try DeliveryTrace.parse(text, lineLimit: 10).get()
        }
    }

    // MARK: Whole runs

    private static func run(_ link: String, flow: String = "", cc: String = "cubic", duration: String = "10s")
        throws -> World
    {
        let scenario = try Scenario.parse(
            Reference.scenario(
                rate: "20Mbit", rtt: "40ms", delay: "20ms", buffer: "400kB", cc: cc, duration: duration,
                extra: link,
                flow: flow), file: "x.yaml")
        let world = try Run.world(scenario, controls: ControlTable())
        Run.toEnd(world)
        return world
    }

    @Test(
        "each queue keeps the delay of a bulk flow well below that of the full buffer, at a good use of the link",
        arguments: [
            ("red", 60.0, 0.8), ("pie", 40.0, 0.8), ("codel", 20.0, 0.8), ("fq_codel", 20.0, 0.8),
        ])
    func shortensTheQueue(queue: String, delay: Double, use: Double) throws {
        let full = try Self.run("").snapshot(link: 0)
        let managed = try Self.run(", queue: \(queue)").snapshot(link: 0)
        #expect(full.delayMeanNanoseconds / 1e6 > 90)
        #expect(managed.delayMeanNanoseconds / 1e6 < delay, "\(managed.delayMeanNanoseconds / 1e6) ms")
        #expect(managed.utilization > use, "\(managed.utilization)")
        #expect(managed.drops > 0)
    }

    @Test(
        "queues mark the packets of ECN flows instead of dropping them",
        arguments: ["red", "pie", "codel", "fq_codel"])
    func marks(queue: String) throws {
        let world = try Self.run(", queue: {type: \(queue), ecn: true}", flow: ", ecn: true")
        #expect(world.snapshot(link: 0).marks > 0)
        #expect(world.snapshot(link: 0).drops < 20)
    }

    @Test("all bytes arrive under reordering, duplication, jitter and burst loss, the same way each time")
    func survivesAll() throws {
        let link =
            ", queue: fq_codel, loss: {enter: 0.3%, leave: 30%}, duplicate: 1%, jitter: 2ms, "
            + "reorder: {probability: 1%, delay: 8ms}, outage: [{from: 1s, to: 1.2s}, {from: 3s, to: 3.1s}]"
        let flow = ", app: {transfer: 300kB, count: 5, gap: 10ms}"
        let world = try Self.run(link, flow: flow, duration: "60s")
        let statistics = world.engine.pointee.flows.pointee.statistics
        #expect(statistics.completions.count == 5)
        #expect(statistics.bytesAcked(world.engine.pointee.flows) == 1_500_000)
        #expect(try Self.run(link, flow: flow, duration: "60s").result() == world.result())
    }

    @Test("reordering alone does not collapse a flow: RACK adapts its window")
    func adaptsToReordering() throws {
        let plain = try Self.run("").snapshot(link: 0).utilization
        let reordered = try Self.run(", reorder: {probability: 1%, delay: 5ms}").snapshot(link: 0).utilization
        #expect(reordered > plain * 0.7)
    }

    @Test("receive offload and a detour on the same link agree about what arrives")
    func detoursWithReceiveOffload() throws {
        let text = """
            duration: 5s
            links: {l: {rate: 20Mbit, delay: 5ms, buffer: 100p, jitter: 1ms, queue: codel}}
            flows: [{name: a, cc: cubic, path: [l], rtt: 20ms, app: {transfer: 1MB}}]
            host: {gro: true}
            record: off
            """
        let world = try Run.world(text)
        Run.toEnd(world)
        #expect(world.engine.pointee.flows.pointee.statistics.completions.count == 1)
    }
}
