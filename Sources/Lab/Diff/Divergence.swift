package import ControlAPI
package import Netsim
package import OpsHost

/// Where two runs part: the first packet that only one of them sends at that time, in that way.
package struct Divergence: Sendable {
    /// Packets and ACKs that are the same in both before it, or in all.
    package var samePackets: Int
    /// nil: the run had no more packets. Both nil: the runs do not part.
    package var a: TrailEntry?
    package var b: TrailEntry?

    package var isThere: Bool { a != nil || b != nil }

    /// One of the two runs.
    package struct Side: Sendable {
        /// With the objects that the scenario needs; each side has its own.
        package var host: RuntimeHost
        package var scenario: ParsedScenario

        package init(host: RuntimeHost, scenario: ParsedScenario) {
            self.host = host
            self.scenario = scenario
        }

        fileprivate func trail(_ purpose: PacketTrail.Purpose) throws(Refusal) -> PacketTrail {
            let trail = PacketTrail(purpose)
            try host.record(trail, of: scenario)
            return trail
        }
    }

    /// Runs both sides, each once for a hash per block of packets and once more for the block in which they part.
    package static func find(_ a: Side, _ b: Side) throws(Refusal) -> Divergence {
        let first = try a.trail(.hash)
        let second = try b.trail(.compare(first.hashes))
        let common = zip(first.hashes, second.hashes).prefix { $0 == $1 }.count
        guard common < max(first.hashes.count, second.hashes.count) else {
            return Divergence(samePackets: first.count)
        }
        let (ours, theirs) = (
            try a.trail(.record(block: common)).entries, try b.trail(.record(block: common)).entries
        )
        let same = zip(ours, theirs).prefix { $0.packet == $1.packet }.count
        return Divergence(
            samePackets: common * PacketTrail.blockPackets + same, a: same < ours.count ? ours[same] : nil,
            b: same < theirs.count ? theirs[same] : nil)
    }

    package var json: JSONValue {
        [
            "parted": .bool(isThere), "same_packets": .integer(Int64(samePackets)),
            "a": a.map { JSONValue($0) } ?? .null, "b": b.map { JSONValue($0) } ?? .null,
        ]
    }
}

extension JSONValue {
    fileprivate init(_ entry: TrailEntry) {
        let packet = entry.packet
        self = [
            "t_s": .double(Double(packet.time) / 1e9), "flow": .string(entry.flowName),
            "kind": .string(packet.kind.rawValue),
            packet.kind == .packet ? "seq" : "ack": .integer(Int64(packet.number)),
            "length": .integer(Int64(packet.length)),
            "flags": .array(packet.flagNames.map { .string($0) }),
            "window": .integer(Int64(packet.window)), "sacks": .integer(Int64(packet.sackCount)),
            "sender": entry.sender.map { JSONValue($0) } ?? .null,
        ]
    }

    private init(_ sender: TrailEntry.SenderState) {
        self = [
            "cwnd": .integer(Int64(sender.cwnd)),
            "ssthresh": sender.ssthresh.map { .integer(Int64($0)) } ?? .null,
            "inflight": .integer(Int64(sender.inFlight)),
            "srtt_ms": .double(Double(sender.srttMicroseconds) / 1000),
            "pacing_Bps": sender.pacingRate.map { .integer(Int64(clamping: $0)) } ?? .null,
            "ca_state": .integer(Int64(sender.caState)),
        ]
    }
}
