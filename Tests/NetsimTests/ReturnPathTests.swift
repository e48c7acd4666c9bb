import Foundation
import KernelABI
import Testing

@testable import Netsim

@Suite("Ways back with links") struct ReturnPathTests {
    /// A download whose ACKs cross a link.
    static func scenario(
        up: String, buffer: String = "3kB", upload: Bool = false, extra: String = "", isBack: Bool = true
    ) -> String {
        """
        duration: 10s
        links:
          down: {rate: 20Mbit, delay: 10ms, buffer: 100kB}
          up: {rate: \(up), delay: 10ms, buffer: \(buffer)\(extra)}
        flows:
          - {name: download, cc: cubic, path: [down], \(isBack ? "return: [up], " : "")rtt: 40ms}
        \(upload ? "  - {name: upload, cc: cubic, path: [up], return: [down], rtt: 40ms}" : "")
        host: {jitter: 0s}
        record: off
        """
    }

    static func run(_ text: String) throws -> World {
        let world = try Run.world(text)
        Run.toEnd(world)
        return world
    }

    /// Mean of the download's RTT, milliseconds.
    static func srtt(_ world: World) -> Double {
        let statistics = world.engine.pointee.flows.pointee.statistics
        return statistics.srttSum / Double(max(statistics.samples, 1)) / 1000
    }

    @Test("a link with room to spare adds an ACK's own service to the round trip, nothing else")
    func isDelay() throws {
        let (plain, back) = (
            try Self.run(Self.scenario(up: "10Gbit", isBack: false)),
            try Self.run(Self.scenario(up: "10Gbit"))
        )
        let rtts = [plain, back].map {
            $0.engine.pointee.flows.pointee.statistics.minRTT($0.engine.pointee.flows)
        }
        #expect(rtts[1] >= rtts[0] && rtts[1] - rtts[0] <= 1)
        let bytes = [plain, back].map { Double($0.snapshot(flow: 0).bytesAcked) }
        #expect(abs(bytes[1] / bytes[0] - 1) < 0.02)
        // Every ACK was on the link: 52 bytes, SYN-ACK 60, more with SACK blocks.
        let link = back.engine.pointee.links[1].statistics
        #expect(link.dropped == 0 && link.bytesAccepted >= 52 * link.accepted)
        // Those that left in the last 20 ms have not come to it.
        let sent = UInt64(back.engine.pointee.flows.pointee.receiver.pointee.segs_out)
        #expect(link.accepted <= sent && link.accepted + 40 > sent)
    }

    @Test(
        "a narrow way back is full of ACKs: they queue, some are dropped, and the round trip has their delay")
    func isBottleneck() throws {
        let world = try Self.run(Self.scenario(up: "100kbit"))
        let up = world.snapshot(link: 1)
        #expect(up.utilization > 0.9 && up.drops > 100)
        // 3 kB at 100 kbit/s are 240 ms.
        #expect(up.delayP95Nanoseconds > 200e6 && up.delayP95Nanoseconds <= 240e6)
        #expect(Self.srtt(world) > 200)
        // The ACKs that are left cover the others' data.
        #expect(world.snapshot(flow: 0).bytesAcked > 1_000_000)
        let free = try Self.run(Self.scenario(up: "20Mbit"))
        #expect(world.snapshot(flow: 0).bytesAcked < free.snapshot(flow: 0).bytesAcked)
    }

    @Test("an upload that shares the way back: the download's ACKs wait behind its packets")
    func sharesTheLink() throws {
        let alone = try Self.run(Self.scenario(up: "1Mbit", buffer: "30kB"))
        let shared = try Self.run(Self.scenario(up: "1Mbit", buffer: "30kB", upload: true))
        #expect(shared.snapshot(flow: 1).bytesAcked > 500_000)
        // 30 kB at 1 Mbit/s are 240 ms.
        #expect(Self.srtt(shared) > Self.srtt(alone) + 80)
        #expect(shared.snapshot(flow: 0).bytesAcked < alone.snapshot(flow: 0).bytesAcked)
    }

    @Test("ACKs are lost as packets are; every byte arrives all the same")
    func isLossy() throws {
        let text = Self.scenario(up: "1Mbit", upload: true, extra: ", loss: 10%, queue: fq_codel")
            .replacing("rtt: 40ms}", with: "rtt: 40ms, app: {transfer: 100kB, count: 5, gap: 10ms}}")
        let world = try Self.run(text)
        #expect(world.engine.pointee.links[1].statistics.lost > 10)
        let flow = world.engine.pointee.flows
        #expect(flow.pointee.statistics.completions.count == 5)
        #expect(flow.pointee.statistics.bytesAcked(flow) == 500_000)
        #expect(world.snapshot(flow: 1).bytesAcked >= 200_000)
    }

    @Test("every ACK is with its sender, dropped, or still under way")
    func conserves() throws {
        final class Counter: WorldObserver {
            var (sent, received, dropped) = (0, 0, 0)
            func observe(_ event: Observation, flow: UInt32, in engine: Engine) {
                switch event {
                case .ackSent: sent += 1
                case .ackReceived: received += 1
                case .dropped(let packet, _) where packet.isReturning: dropped += 1
                default: break
                }
            }
        }
        let text = Self.scenario(up: "200kbit", upload: true, extra: ", loss: 1%, jitter: 1ms")
        let world = try Run.world(text)
        let counter = Counter()
        world.observe([counter])
        Run.toEnd(world)
        #expect(counter.dropped > 10)
        let waiting = counter.sent - counter.received - counter.dropped
        // On links, and on delay lines: a window of ACKs at most.
        #expect(waiting >= 0 && waiting < 300)
        let result = String(decoding: world.result(), as: UTF8.self)
        #expect(try Run.json(text) == result)
    }

    @Test("the links' delays must fit the base RTT", arguments: ["rtt: 19ms", "rtt: 10ms"])
    func refuses(rtt: String) {
        let text = Self.scenario(up: "1Mbit").replacing("rtt: 40ms", with: rtt)
        #expect { try Scenario.parse(text, file: "x.yaml") } throws: { "\($0)".contains("20000us") }
        let unknown = Self.scenario(up: "1Mbit").replacing("return: [up]", with: "return: [nowhere]")
        #expect { try Scenario.parse(unknown, file: "x.yaml") } throws: { "\($0)".contains("no such link") }
    }
}
