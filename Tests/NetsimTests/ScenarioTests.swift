import OpsCore
import Testing

@testable import Netsim

@Suite("Scenario files") struct ScenarioTests {
    static let full = """
        name: dumbbell
        seed: 7
        duration: 30s
        links:
          bottleneck:
            rate: [{at: 0s, rate: 40Mbit}, {at: 10s, rate: 20Mbit}]
            delay: 20ms
            buffer: 0.5bdp
            mark: 20p
            loss: 1%
            outage: {from: 8s, to: 10.5s}
        flows:
          - {name: a, count: 2, cc: bpf_cubic, path: [bottleneck], rtt: 40ms, start: 0s, app: bulk}
          - {name: b, cc: reno, path: [bottleneck], rtt: 40ms, start: 5s, stop: 20s, app: {transfer: 100kB, count: 20, gap: 300ms}}
          - {name: c, cc: cubic, receiver_cc: reno, path: [bottleneck], rtt: 40ms, ecn: true, app: {write: 100kB, every: 100ms}}
        host: {hz: 1000}
        record: {interval: 50ms}
        """

    @Test func readsEverything() throws {
        let scenario = try Scenario.parse(Self.full, file: "full.yaml")
        #expect(scenario.name == "dumbbell" && scenario.seed == 7 && scenario.duration == 30_000_000_000)
        let link = scenario.links[0]
        #expect(link.rate.map(\.bitsPerSecond) == [40_000_000, 20_000_000])
        #expect(
            link.bufferBytes == 100_000 && link.markBytes == 30_000
                && link.loss == .independent(probability: 0.01))
        #expect(link.outages == [.init(from: 8_000_000_000, to: 10_500_000_000)])
        #expect(scenario.flows[0].count == 2 && scenario.flows[0].receiverCC == "bpf_cubic")
        #expect(scenario.flows[1].app == .transfer(bytes: 100_000, count: 20, gap: 300_000_000))
        #expect(scenario.flows[1].stop == 20_000_000_000)
        #expect(scenario.flows[2].ecn && scenario.flows[2].receiverCC == "reno")
        #expect(scenario.flows[2].app == .write(bytes: 100_000, every: 100_000_000))
        #expect(scenario.host.hz == 1000 && scenario.recordInterval == 50_000_000)
        #expect(scenario.controlNames == ["bpf_cubic", "reno", "cubic"])
    }

    @Test func fillsDefaults() throws {
        let scenario = try Scenario.parse(Reference.p2("cubic"), file: "x")
        #expect(scenario.seed == 1 && scenario.flows[0].count == 1 && scenario.flows[0].start == 0)
        #expect(scenario.flows[0].stop == scenario.duration && !scenario.flows[0].ecn)
        #expect(scenario.host == HostSettings() && scenario.recordInterval == nil)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var find: String
        var replace: String
        var says: String
        var testDescription: String { replace }
    }

    static let refusals: [Refusal] = [
        .init(find: "seed: 7", replace: "seed: -7", says: "x.yaml:2:7: seed '-7'"),
        .init(
            find: "seed: 7", replace: "seed: 99999999999999999999999", says: "seed '99999999999999999999999'"),
        .init(find: "duration: 30s", replace: "duration: 30", says: "duration '30'"),
        .init(find: "duration: 30s", replace: "duration: 0s", says: "duration '0s'"),
        .init(find: "duration: 30s", replace: "duration: 1e9s", says: "duration '1e9s'"),
        .init(find: "delay: 20ms", replace: "delay: 20m", says: "links.bottleneck.delay '20m'"),
        .init(find: "0.5bdp", replace: "0.5", says: "links.bottleneck.buffer '0.5'"),
        .init(find: "0.5bdp", replace: "99999999999999999bdp", says: "links.bottleneck.buffer"),
        .init(find: "loss: 1%", replace: "loss: 101%", says: "links.bottleneck.loss '101%'"),
        .init(find: "loss: 1%", replace: "lost: 1%", says: "'lost': unknown key"),
        .init(find: "to: 10.5s", replace: "to: 7s", says: "not after from"),
        .init(find: "at: 10s", replace: "at: 0s", says: "not after the step before"),
        .init(find: "rate: 20Mbit", replace: "rate: 0bit", says: "'0bit'"),
        .init(find: "rtt: 40ms, start: 0s", replace: "rtt: 10ms, start: 0s", says: "one-way delays"),
        .init(
            find: "path: [bottleneck], rtt: 40ms, start: 0s", replace: "path: [x], rtt: 40ms",
            says: "no such link"),
        .init(find: "stop: 20s", replace: "stop: 4s", says: "not after start"),
        .init(find: "{name: b,", replace: "{name: a,", says: "another flow is called 'a'"),
        .init(find: "app: bulk", replace: "app: bulky", says: "app 'bulky'"),
        .init(find: "count: 2,", replace: "count: 0,", says: "count '0'"),
        .init(find: "count: 2,", replace: "count: 100001,", says: "count '100001'"),
        .init(find: "hz: 1000", replace: "hz: 7", says: "host.hz '7'"),
        .init(find: "interval: 50ms", replace: "interval: 1us", says: "too long"),
        .init(find: "name: dumbbell", replace: "name: [1, 2]", says: "expected one value"),
        .init(find: "name: dumbbell", replace: "name: {", says: "x.yaml"),
        .init(
            find: "loss: 1%", replace: "queue: sfq", says: "links.bottleneck.queue 'sfq': there is no such"),
        .init(find: "loss: 1%", replace: "queue: codel", says: "marks come from the queue's law"),
        .init(
            find: "loss: 1%", replace: "queue: {type: pie, interval: 1ms}", says: "'interval': unknown key"),
        .init(find: "loss: 1%", replace: "queue: {target: 5ms}", says: "type is missing"),
        .init(
            find: "loss: 1%", replace: "queue: {type: codel, interval: 5s}", says: "interval '5s': too long"),
        .init(find: "loss: 1%", replace: "queue: {type: red, min: 9p, max: 9p}", says: "not below max"),
        .init(find: "loss: 1%", replace: "loss: {enter: 1%}", says: "loss: incomplete"),
        .init(find: "loss: 1%", replace: "reorder: {probability: 1%}", says: "reorder: incomplete"),
        .init(find: "app: bulk", replace: "app: {poisson: 1s}", says: "app: not accepted"),
        .init(
            find: "app: bulk", replace: "app: {poisson: 1s, size: {uniform: [2kB, 1kB]}}",
            says: "app.size.uniform: not ascending"),
        .init(
            find: "app: bulk", replace: "app: {poisson: 1s, size: {choice: [{share: 50%, size: 1kB}]}}",
            says: "do not add up"),
        .init(find: "name: dumbbell", replace: "cross: [{name: x}]", says: "cross[0]: incomplete"),
        .init(
            find: "name: dumbbell", replace: "cross: [{name: x, path: [y], rate: 1Mbit}]",
            says: "no such link"
        ),
        .init(
            find: "name: dumbbell", replace: "cross: [{name: x, path: [bottleneck], rate: 1Mbit, on: 1s}]",
            says: "bursts need both"),
        .init(find: "loss: 1%", replace: "jitter: fast", says: "jitter 'fast'"),
        .init(
            find: "{from: 8s, to: 10.5s}", replace: "[{from: 1s, to: 3s}, {from: 2s, to: 4s}]",
            says: "before the one above is over"),
    ]

    @Test(arguments: refusals) func refuses(_ sample: Refusal) throws {
        let text = Self.full.replacing(sample.find, with: sample.replace)
        let error = #expect(throws: OpsError.self) { try Scenario.parse(text, file: "x.yaml") }
        #expect(error?.text.contains(sample.says) == true, "\(error?.text ?? "")")
        #expect(error?.errno == OpsError.einval)
    }

    @Test("a trace that is not at hand, or is none, is refused with its line")
    func refusesTraces() throws {
        let text = Reference.p2("cubic").replacing("rate: 50Mbit", with: "rate: {trace: up.trace}")
        let missing = #expect(throws: OpsError.self) { try Scenario.parse(text, file: "x.yaml") }
        #expect(missing?.text.contains("links.bottleneck.rate.trace 'up.trace'") == true)
        let bad = #expect(throws: OpsError.self) {
            try Scenario.parse(text, file: "x.yaml") { (_) throws(OpsError) in "1\n5\n3\n" }
        }
        #expect(bad?.text.contains("line 3 of the trace") == true)
        let link = try Scenario.parse(text, file: "x.yaml") { (_) throws(OpsError) in "1\n2\n" }.links[0]
        #expect(link.trace == [1, 2] && link.rate[0].bitsPerSecond == 12_000_000)
    }

    @Test("hostile documents are refused and do not trap")
    func survivesHostileText() {
        var samples = [
            "", "\0", "---", "- a", "a: &a [*a]", "? ? ? ?", "\u{feff}", "%TAG", "a: b: c", "{}", "[]",
            String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000),
            String(repeating: "- ", count: 100_000), String(repeating: "? ", count: 100_000),
            String(repeating: "a", count: 2 << 20),
            (0..<5000).map { String(repeating: " ", count: $0 % 400) + "a\($0):" }.joined(separator: "\n"),
        ]
        // The alias bomb: nine levels of nine.
        var bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1..<9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
            bomb += "a\(level): &a\(level) [\(aliases)]\n"
        }
        samples.append(bomb + "flows: *a8\nlinks: *a8\nduration: 1s\n")
        for sample in samples {
            #expect(throws: OpsError.self) { try Scenario.parse(sample, file: "hostile.yaml") }
        }
    }

    @Test("a damaged file never traps")
    func survivesDamage() {
        var random = SplitMix64(seed: 3)
        let original = Array(Self.full.utf8)
        for _ in 0..<300 {
            var bytes = original
            for _ in 0..<(1 + random.next() % 4) {
                let index = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[Int(random.next() % UInt64(bytes.count))], at: index)
                }
            }
            _ = try? Scenario.parse(String(decoding: bytes, as: UTF8.self), file: "damaged.yaml")
        }
    }
}
