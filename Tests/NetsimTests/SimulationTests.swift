import Foundation
import LinuxComparison
import Testing

@testable import Netsim

@Suite("Simulation") struct SimulationTests {
    @Test("cubic alone fills at least 90 % of 50 Mbit/s with a buffer of one BDP")
    func cubicFillsThePath() throws {
        let world = try Run.world(Reference.p2("cubic", duration: "10s"))
        Run.toEnd(world)
        let link = world.engine.pointee.links
        let used = link.pointee.servedBytes(at: world.now) * 8
        #expect(used / link.pointee.rate.pointee.capacity(from: 0, to: world.now) > 0.9)
    }

    @Test("equal input gives equal bytes, whatever the step")
    func isDeterministic() throws {
        let text = """
            duration: 2s
            seed: 42
            links:
              one: {rate: 20Mbit, delay: 5ms, buffer: 50p, loss: 0.5%, mark: 20p}
              two: {rate: [{at: 0s, rate: 30Mbit}, {at: 1s, rate: 15Mbit}], delay: 5ms, buffer: 1bdp}
            flows:
              - {name: a, count: 3, cc: cubic, path: [one, two], rtt: 30ms}
              - {name: b, cc: reno, path: [two], rtt: 20ms, ecn: true, app: {transfer: 50kB, count: 10, gap: 10ms}}
              - {name: c, cc: cubic, path: [one], rtt: 25ms, start: 500ms, stop: 1.5s, app: {write: 30kB, every: 50ms}}
            """
        let first = try Run.json(text)
        #expect(try Run.json(text) == first)
        let world = try Run.world(text)
        while world.step(budget: 77) {}
        #expect(String(decoding: world.result(), as: UTF8.self) == first)
    }

    /// The same fixture is compared with a release build by Scripts/compare-builds.
    @Test("every build gives what is on record")
    func equalsOtherBuilds() throws {
        let url = Fixture.root.appending(path: "builds.txt")
        let recorded = try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(try BuildComparison.lines() == recorded)
    }

    @Test("every byte arrives once, in order, whatever is lost")
    func conservesBytes() throws {
        let text = """
            duration: 20s
            links: {l: {rate: 10Mbit, delay: 5ms, buffer: 20p, loss: 3%}}
            flows: [{name: a, cc: reno, path: [l], rtt: 20ms, app: {transfer: 200kB, count: 5, gap: 10ms}}]
            """
        let world = try Run.world(text)
        Run.toEnd(world)
        let flow = world.engine.pointee.flows
        #expect(flow.pointee.statistics.completions.count == 5)
        #expect(flow.pointee.statistics.bytesAcked(flow) == 5 * 200_000)
        let link = world.engine.pointee.links
        let statistics = link.pointee.statistics
        let inFlight = UInt64(link.pointee.packets.count)
        #expect(statistics.arrived == statistics.accepted + statistics.dropped + statistics.lost)
        #expect(inFlight <= statistics.accepted)
    }
}
