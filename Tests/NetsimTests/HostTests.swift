import KernelABI
import Testing

@testable import Netsim

@Suite("Host settings") struct HostTests {
    /// One bulk flow over 50 Mbit/s and 40 ms with these settings.
    static func world(_ host: String, rate: String = "50Mbit", duration: String = "5s") throws -> World {
        let world = try Run.world(
            """
            duration: \(duration)
            links: {l: {rate: \(rate), delay: 20ms, buffer: 1bdp}}
            flows: [{name: a, cc: cubic, path: [l], rtt: 40ms}]
            host: {\(host)}
            record: off
            """)
        Run.toEnd(world)
        return world
    }

    @Test("without timestamps a segment carries 12 bytes more, and losses are repaired all the same")
    func timestampsOff() throws {
        let with = try Self.world("hz: 250")
        let without = try Self.world("timestamps: false")
        let share = { (world: World) in
            Double(world.snapshot(flow: 0).bytesAcked)
                / world.engine.pointee.links.pointee.servedBytes(at: world.now)
        }
        #expect(abs(share(without) / share(with) - 1460.0 / 1448.0) < 0.002)
        #expect(without.snapshot(flow: 0).lossEvents > 0 && without.snapshot(flow: 0).rtoEvents == 0)
        #expect(without.engine.pointee.flows.pointee.receiver.pointee.rx_opt.ts_recent == 0)
    }

    @Test("receive offload takes in trains of segments, so there are fewer ACKs") func offload() throws {
        let without = try Self.world("hz: 250", rate: "1Gbit", duration: "1s")
        let with = try Self.world("gro: true", rate: "1Gbit", duration: "1s")
        let acks = { (world: World) in Double(world.engine.pointee.flows.pointee.sender.pointee.segs_in) }
        let packets = { (world: World) in Double(world.engine.pointee.packetCount) }
        #expect(packets(without) / acks(without) < 2.1)
        #expect(packets(with) / acks(with) > 4)
        #expect(with.snapshot(flow: 0).bytesAcked > without.snapshot(flow: 0).bytesAcked / 2)
    }

    @Test("a receive buffer smaller than two segments slows a flow down and does not stop it")
    func smallReceiveBuffer() throws {
        let world = try Self.world("rcvbuf: 4096B")
        #expect(world.snapshot(flow: 0).bytesAcked > 20_000)
        let large = try Self.world("rcvbuf: 100kB")
        // About 60 kB of window per RTT.
        let rate = Double(large.snapshot(flow: 0).bytesAcked) * 8 / 5
        #expect(rate > 6e6 && rate < 16e6)
    }

    @Test("a window of 0 leaves one segment per probe of the receiver's window") func probes() throws {
        let ops = UnsafeMutablePointer<tcp_congestion_ops>.allocate(capacity: 1)
        defer { ops.deallocate() }
        var closed = BuiltinControl.reno
        closed.`init` = { $0.map { TCPSock.of($0).cwnd = 0 } }
        closed.cong_avoid = { sock, _, _ in sock.map { TCPSock.of($0).cwnd = 0 } }
        ops.initialize(to: closed)
        let scenario = try Scenario.parse(Reference.p2("closed", duration: "20s"), file: "x")
        let world = try World(scenario, native: [("closed", UnsafePointer(ops))])
        world.run(until: scenario.duration)
        let flow = world.snapshot(flow: 0)
        #expect(flow.bytesAcked >= 5 * 1448 && flow.bytesAcked < 100 * 1448)
    }

    @Test("delayed_ack: false acknowledges every segment; initial_window and sndbuf bound what leaves")
    func others() throws {
        let every = try Self.world("delayed_ack: false")
        let acks = Double(every.engine.pointee.flows.pointee.sender.pointee.segs_in)
        #expect(Double(every.engine.pointee.packetCount) / acks < 1.05)
        let bounded = try Self.world("sndbuf: 100kB")
        #expect(bounded.snapshot(flow: 0).bytesAcked * 8 / 5 < 30_000_000)
        let single = try Self.world("tso: false")
        #expect(single.snapshot(flow: 0).bytesAcked * 8 / 5 > 40_000_000)
    }
}
