import ControlAPI
import Lab
import Netsim
import OpsHost
import Testing

@Suite("Where two runs part") struct DivergenceTests {
    static func side(
        buffer: String = "40p", seed: UInt64 = 1, extra: String = "", duration: String = "3s"
    ) throws -> Divergence.Side {
        let host = try RuntimeHost()
        let text = """
            duration: \(duration)
            seed: \(seed)
            links: {l: {rate: 20Mbit, delay: 5ms, buffer: \(buffer)}}
            flows:
              - {name: a, cc: cubic, path: [l], rtt: 30ms}
            \(extra)
            record: off
            """
        return Divergence.Side(host: host, scenario: try host.scenario(text, file: "diff.yaml"))
    }

    @Test("equal runs do not part, and all their packets are counted")
    func same() throws {
        let divergence = try Divergence.find(try Self.side(), try Self.side())
        #expect(!divergence.isThere && divergence.samePackets > 5000)
        #expect(divergence.json["parted"] == false)
    }

    @Test("a flow that only one run has: they part at its SYN")
    func extraFlow() throws {
        let other = try Self.side(extra: "  - {name: late, cc: reno, path: [l], rtt: 20ms, start: 1.5s}")
        let divergence = try Divergence.find(try Self.side(), other)
        let (a, b) = (try #require(divergence.a), try #require(divergence.b))
        #expect(b.flowName == "late" && b.packet.time == 1_500_000_000 && b.packet.flagNames == ["syn"])
        #expect(b.packet.number == 0 && a.flowName == "a" && a.packet.time >= b.packet.time)
        #expect(divergence.samePackets > PacketTrail.blockPackets / 2)
    }

    @Test("a larger buffer: they part after the smaller one has dropped something, not before")
    func buffer() throws {
        let divergence = try Divergence.find(try Self.side(), try Self.side(buffer: "41p"))
        let (a, b) = (try #require(divergence.a), try #require(divergence.b))
        #expect(a.packet != b.packet)
        #expect(a.flowName == "a" && b.flowName == "a")
        // What both senders knew is the same but for what parted them.
        let (first, second) = (try #require(a.sender), try #require(b.sender))
        #expect(first.cwnd > 40 && second.cwnd > 40)
        // The runs are the same up to there: the block in question, run again, says so too.
        let block = divergence.samePackets / PacketTrail.blockPackets
        let (ours, theirs) = (PacketTrail(.record(block: block)), PacketTrail(.record(block: block)))
        let (one, two) = (try Self.side(), try Self.side(buffer: "41p"))
        try one.host.record(ours, of: one.scenario)
        try two.host.record(theirs, of: two.scenario)
        let index = divergence.samePackets % PacketTrail.blockPackets
        #expect(ours.entries.prefix(index).map(\.packet) == theirs.entries.prefix(index).map(\.packet))
        #expect(ours.entries[index].packet == a.packet && theirs.entries[index].packet == b.packet)
    }

    @Test("a run that ends first: the other one's next packet")
    func shorter() throws {
        let divergence = try Divergence.find(try Self.side(duration: "1s"), try Self.side(duration: "2s"))
        #expect(divergence.a == nil)
        #expect(try #require(divergence.b).packet.time >= 1_000_000_000)
    }

    @Test("another seed: they part at the first ACK whose delay differs")
    func seeds() throws {
        let divergence = try Divergence.find(try Self.side(), try Self.side(seed: 2))
        // The SYN and its answer leave at the same time.
        #expect(divergence.samePackets == 2)
        #expect(divergence.json["a"]?["sender"]?["cwnd"]?.integer == 10)
        let again = try Divergence.find(try Self.side(), try Self.side(seed: 2))
        #expect(again.json == divergence.json)
    }
}
