import ControlAPI
import Foundation
import Netsim
import OpsCore
import Synchronization
import Testing

@testable import OpsHost

/// Programs over their budgets.
@Suite("Ejection from a run", .enabled(if: BPFClang.isPresent, "no clang with a bpf target"), .serialized)
struct EjectionTests {
    private static let scenario = """
        duration: 4s
        links: {b: {rate: 20Mbit, delay: 5ms, buffer: 1bdp}}
        flows:
          - {name: a, cc: bpf_live, path: [b], rtt: 20ms}
          - {name: late, cc: bpf_live, path: [b], rtt: 20ms, start: 2s}
        record: off
        """
    /// Counts its calls, and from the 50th on loops for ever.
    private static let extra = """
        static int spin(__u32 i, void *data) { return 0; }
        __u64 calls;
        """
    private static let body = "if (++calls > 50) bpf_loop(1 << 23, spin, 0, 0);"

    private func simulate(_ host: RuntimeHost) throws -> JSONValue {
        var options = Simulation.Options()
        options.budget.fuelPerCall = 1000
        options.budget.faults = 3
        options.describe = { JSONValue($0).text(indented: false) }
        let outcome = try Simulation(
            try Scenario.parse(Self.scenario, file: "s.yaml"), runtime: host.runtime,
            subsystem: host.congestionControl, options: options
        ).run()
        guard case .finished(let bytes) = outcome else { throw CancellationError() }
        return try JSONValue(parsing: bytes, limits: .reply)
    }

    @Test("calls that run out of fuel end in reno, a record, and the same result each time") func faults()
        throws
    {
        let bytes = try LiveObject.compile(window: 10, extra: Self.extra, body: Self.body)
        var results: [JSONValue] = []
        for _ in 0..<2 {
            let events = Mutex<[HostEvent]>([])
            let host = try RuntimeHost(onEvent: { event in events.withLock { $0.append(event) } })
            _ = try host.runtime.register(bytes, name: "live.bpf.o")
            let result = try simulate(host)
            results.append(result)
            let ejected = try #require(result["ejected"]?.array?.first)
            #expect(ejected["cc"] == "bpf_live" && ejected["kind"] == "faults")
            #expect(result["deterministic"] == true)
            // Both flows got on: the one that was thrown out of its ops, and the one that began without them.
            let flows = try #require(result["flows"]?.array)
            let acked = flows.map { $0["bytes_acked"]?.integer ?? 0 }
            #expect(acked[0] > 1_000_000 && acked[1] > 100_000, "\(acked)")
            #expect(flows.allSatisfy { $0["error"] == nil })

            let event = try #require(events.withLock { $0.first { $0.event == "eject" } })
            #expect(event.reason?.hasPrefix("faults: 3 op calls ran out of fuel") == true)
            let dump = try #require(event.dump)
            #expect(dump["sockets"]?.array?.first?["tcp_sock"]?["snd_cwnd"] == 10)
            #expect(dump["maps"]?.array?.isEmpty == false)
            #expect(host.runtime.links().first?.isDetached ?? true)
            #expect(throws: OpsError.self) { try simulate(host) }
        }
        #expect(results[0].utf8() == results[1].utf8())
    }

    @Test("on trial, the old one takes its place again") func rollsBack() throws {
        let host = try RuntimeHost()
        let old = try #require(
            try host.runtime.register(try LiveObject.compile(window: 12), name: "live.bpf.o").first)
        let bad = try LiveObject.compile(window: 10, extra: Self.extra, body: Self.body)
        let object = try host.runtime.load(bad, name: "live.bpf.o")
        let (_, new) = try host.runtime.update(.id(old.id), object: object.id, onTrial: true)
        try host.runtime.close(object: object.id)
        _ = try simulate(host)
        let ejection = try #require(host.runtime.ejections().first)
        #expect(ejection.mapID == new.id && ejection.restoredID == old.id)
        #expect(host.runtime.links().first?.mapID == old.id)
        #expect(try simulate(host)["ejected"] == nil)
        #expect(!host.runtime.endTrial(of: new.id))
        try host.runtime.unregister(.id(old.id))
        #expect(host.runtime.maps().isEmpty)
    }

    @Test("a window of 0 is flagged, and no reason to eject") func oddValues() throws {
        let host = try RuntimeHost()
        _ = try host.runtime.register(try LiveObject.compile(window: 0), name: "live.bpf.o")
        let result = try simulate(host)
        #expect(result["ejected"] == nil)
        #expect((result["flows"]?.array?.first?["odd"]?["cwnd_zero"]?.integer ?? 0) > 0)
    }
}
