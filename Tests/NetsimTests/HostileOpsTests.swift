import KernelABI
import OpsCore
import Testing

@testable import Netsim

/// A congestion control that writes random values to everything it may write and returns random values.
@Suite("Hostile ops", .serialized) struct HostileOpsTests {
    nonisolated(unsafe) static var random = SplitMix64(seed: 1)  // Guarded by the serialized suite.
    nonisolated(unsafe) static var calls = 0

    /// Mostly edge values: they break more than uniform ones.
    static func value32() -> UInt32 {
        let draw = random.next()
        switch draw & 7 {
        case 0: return 0
        case 1: return .max
        case 2: return 0x7fff_ffff
        case 3: return 0x8000_0000
        case 4: return UInt32(truncatingIfNeeded: draw >> 8) & 0x3f
        case 5: return UInt32(truncatingIfNeeded: draw >> 8) & 0xffff
        default: return UInt32(truncatingIfNeeded: draw >> 8)
        }
    }
    static func value64() -> UInt64 { UInt64(value32()) << 32 | UInt64(value32()) }

    static func scribble(_ sock: UnsafeMutablePointer<sock>?) {
        calls += 1
        let tp = TCPSock.of(sock)
        // Rates that stop a flow for years are rare, or there would soon be no calls.
        tp.pacingRate = random.next() & 63 == 0 ? value64() : .max >> (random.next() & 31)
        tp.pacingStatus = random.next() & 3 == 0 ? value32() : UInt32(random.next() & 3)
        tp.cwnd = value32()
        tp.cwndCount = value32()
        tp.cwndStamp = value32()
        tp.ssthresh = value32()
        tp.ecnFlags = UInt8(truncatingIfNeeded: value32())
        tp.appLimited = value32()
        tp.ackPending = UInt8(truncatingIfNeeded: value32())
        withUnsafeMutableBytes(of: &tp.pointee.inet_conn.icsk_ca_priv) { bytes in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        }
    }

    static func ops(congControl: Bool) -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.setName("hostile")
        ops.flags = UInt32(TCP_CONG_NEEDS_ECN)
        ops.`init` = { HostileOpsTests.scribble($0) }
        ops.release = { HostileOpsTests.scribble($0) }
        ops.set_state = { sock, _ in HostileOpsTests.scribble(sock) }
        ops.cwnd_event = { sock, _ in HostileOpsTests.scribble(sock) }
        ops.in_ack_event = { sock, _ in HostileOpsTests.scribble(sock) }
        ops.pkts_acked = { sock, _ in HostileOpsTests.scribble(sock) }
        let answer: @convention(c) (UnsafeMutablePointer<sock>?) -> UInt32 = { sock in
            HostileOpsTests.scribble(sock)
            return HostileOpsTests.value32()
        }
        ops.ssthresh = answer
        ops.undo_cwnd = answer
        ops.min_tso_segs = answer
        ops.sndbuf_expand = answer
        if congControl {
            ops.cong_control = { sock, _, _, _ in HostileOpsTests.scribble(sock) }
        } else {
            // Real code on top of what was scribbled.
            ops.cong_avoid = { sock, _, acked in
                HostileOpsTests.scribble(sock)
                TCPSock.of(sock).pointee.is_cwnd_limited = 1
                Cubic.congAvoid(TCPSock.of(sock), acked: acked)
                Cubic.acked(TCPSock.of(sock), 40_000)
                Cubic.cwndEvent(TCPSock.of(sock), CA_EVENT_TX_START)
            }
        }
        return ops
    }

    static func scenario(seed: UInt64) -> String {
        """
        seed: \(seed)
        duration: 20s
        links:
          one: {rate: 100Mbit, delay: 1ms, buffer: 60kB, loss: 2%, mark: 20kB}
          two: {rate: 80Mbit, delay: 1ms, buffer: 2MB}
        flows:
          - {name: a, count: 8, cc: hostile, path: [one, two], rtt: 5ms, ecn: true}
          - {name: b, count: 8, cc: hostile, path: [one], rtt: 3ms, app: {transfer: 300kB, count: 1000000, gap: 1ms}}
          - {name: c, count: 4, cc: hostile, path: [two], rtt: 2ms, app: {write: 50kB, every: 20ms}}
        record: off
        """
    }

    /// Programs may stop their own flows for good, so worlds follow each other until there were enough calls.
    @Test("a million random writes and results neither trap nor grow memory", arguments: [false, true])
    func survives(congControl: Bool) throws {
        let ops = UnsafeMutablePointer<tcp_congestion_ops>.allocate(capacity: 1)
        defer { ops.deallocate() }
        ops.initialize(to: Self.ops(congControl: congControl))
        Self.random = SplitMix64(seed: congControl ? 7 : 8)
        Self.calls = 0
        var seed: UInt64 = 0
        while Self.calls < 500_000 {
            seed += 1
            let controls = ControlTable()
            controls.add(name: "hostile", ops: ops)
            let scenario = try Scenario.parse(Self.scenario(seed: seed), file: "hostile.yaml")
            let world = try Run.world(scenario, controls: controls)
            while Self.calls < 500_000, world.step(budget: 5_000) {
                #expect(world.engine.pointee.queue.count < 10_000)
                // Send buffers of 4 MiB hold at most 2900 full segments each.
                #expect(world.engine.pointee.segmentCount < 20 * 3_000)
            }
            world.finish()
            #expect(world.engine.pointee.segmentCount == 0)
        }
    }
}
