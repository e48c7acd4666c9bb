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

    private static var budget: ProgramBudget {
        var budget = ProgramBudget()
        budget.fuelPerCall = 1000
        budget.faults = 3
        return budget
    }

    private func simulate(_ host: RuntimeHost, _ budget: ProgramBudget = Self.budget) throws -> JSONValue {
        var options = Simulation.Options()
        options.budget = budget
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
            #expect(event.budget == "faults" && event.limit == 3 && event.value == 3)
            let record = EjectionRecord(event, id: 1, at: 0)
            let calls = try #require(record.lastCalls)
            #expect(calls.count == 16 && calls.map(\.tS) == calls.map(\.tS).sorted())
            let last = try #require(calls.last)
            #expect(last.op == "cong_avoid" && last.flow == "a" && last.side == "sender")
            #expect((last.args["acked"]?.integer ?? 0) > 0 && last.result == nil)
            let dump = try #require(record.dump)
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

    @Test("a call's longest path counts, and may be taken so often in a second") func instructions() throws {
        let host = try RuntimeHost()
        // 1000 turns that the verifier walks one by one.
        let body = "for (__u32 i = 0; i < 1000; i++) calls += bpf_get_smp_processor_id();"
        let bytes = try LiveObject.compile(window: 10, extra: "volatile __u64 calls;", body: body)
        _ = try host.runtime.register(bytes, name: "live.bpf.o")
        var budget = ProgramBudget()
        // 20 Mbit/s are some 800 ACKs in a second, if each segment has one: within the budget.
        budget.instructionsPerSecond = 100_000_000
        #expect(try simulate(host, budget)["ejected"] == nil)
        budget.instructionsPerSecond = 500_000
        let ejected = try #require(try simulate(host, budget)["ejected"]?.array?.first)
        #expect(ejected["kind"] == "instructions" && ejected["flow"] == "a")
        let event = try #require(host.runtime.ejections().first)
        #expect(event.reason.contains("instructions within one simulated second"))
    }

    @Test("what timers take is charged, and an ejected one's do not fire any more") func timers() throws {
        let extra = """
            static long (*const bpf_timer_init)(void *timer, void *map, __u64 flags) = (void *)169;
            static long (*const bpf_timer_set_callback)(void *timer, void *callback) = (void *)170;
            static long (*const bpf_timer_start)(void *timer, __u64 ns, __u64 flags) = (void *)171;
            static int spin(__u32 i, void *data) { return 0; }
            struct value { struct bpf_timer timer; };
            struct {
                __uint(type, BPF_MAP_TYPE_ARRAY);
                __uint(max_entries, 1);
                __type(key, __u32);
                __type(value, struct value);
            } timers SEC(".maps");
            __u64 fired;
            static int on_timer(void *map, __u32 *key, struct value *value)
            {
                fired++;
                bpf_loop(1 << 23, spin, 0, 0);
                bpf_timer_start(&value->timer, 1000000, 0);
                return 0;
            }
            """
        let body = """
            static __u32 started;
            __u32 key = 0;
            struct value *value = bpf_map_lookup_elem(&timers, &key);
            if (value && !started) {
                started = 1;
                bpf_timer_init(&value->timer, &timers, 1);
                bpf_timer_set_callback(&value->timer, on_timer);
                bpf_timer_start(&value->timer, 1000000, 0);
            }
            """
        let events = Mutex<[HostEvent]>([])
        let host = try RuntimeHost(onEvent: { event in events.withLock { $0.append(event) } })
        _ = try host.runtime.register(
            try LiveObject.compile(window: 10, extra: extra, body: body), name: "live.bpf.o")
        let result = try simulate(host)
        let ejected = try #require(result["ejected"]?.array?.first)
        #expect(ejected["kind"] == "faults" && ejected["flow"] == nil)
        let event = try #require(events.withLock { $0.first { $0.event == "eject" } })
        let variables = event.details?["dump"]?["maps"]?.array?.first {
            $0["name"]?.string?.hasSuffix(".bss") == true
        }
        #expect(variables?.text(indented: false).contains("\"fired\":3") == true)
    }

    @Test("data that grows beyond the budget of its registration") func memory() throws {
        let extra = """
            struct large { char bytes[40000]; };
            struct {
                __uint(type, BPF_MAP_TYPE_SK_STORAGE);
                __uint(map_flags, 1);
                __type(key, int);
                __type(value, struct large);
            } stored SEC(".maps");
            """
        let body = "bpf_sk_storage_get(&stored, tp, 0, 1);"
        let bytes = try LiveObject.compile(window: 10, extra: extra, body: body)
        let host = try RuntimeHost()
        var budget = RuntimeSettings.Budgets()
        budget.memoryBytes = 32 << 10
        host.configure(budget)
        _ = try host.runtime.register(bytes, name: "live.bpf.o")
        let ejected = try #require(try simulate(host)["ejected"]?.array?.first)
        #expect(ejected["kind"] == "memory")
        // Its link is left, detached.
        #expect(host.runtime.memoryCharged(to: 0) < 1024)

        budget.memoryBytes = 4 << 10
        host.configure(budget)
        #expect(throws: OpsError.self) { try host.runtime.register(bytes, name: "live.bpf.o") }
        budget = RuntimeSettings.Budgets()
        budget.instructionsPerCall = 3
        host.configure(budget)
        let refused = #expect(throws: OpsError.self) { try host.runtime.register(bytes, name: "live.bpf.o") }
        #expect(refused?.errno == OpsError.e2big && refused?.reason?.contains("budget") == true)
    }

    @Test("a window of 0 is flagged, and no reason to eject") func oddValues() throws {
        let host = try RuntimeHost()
        _ = try host.runtime.register(try LiveObject.compile(window: 0), name: "live.bpf.o")
        let result = try simulate(host)
        #expect(result["ejected"] == nil)
        #expect((result["flows"]?.array?.first?["odd"]?["cwnd_zero"]?.integer ?? 0) > 0)
    }
}

extension RuntimeHost {
    fileprivate func configure(_ budgets: RuntimeSettings.Budgets) {
        configure(
            RuntimeSettings(
                limits: RuntimeSettings.Limits(objects: 100, programs: 100, maps: 100, memoryBytes: 1 << 30),
                budgets: budgets, unlimited: [], policy: [], statistics: .off, lastID: 0, lastLinkID: 0))
    }
}
