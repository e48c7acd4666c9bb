import ControlAPI
import Foundation
import Netsim
import OpsCore
import Synchronization
import Testing

@testable import OpsHost

/// Registrations that change under a run.
@Suite("Live runs", .enabled(if: BPFClang.isPresent, "no clang with a bpf target"), .serialized)
struct LiveTests {
    private static let scenario = """
        duration: 8s
        links: {b: {rate: 50Mbit, delay: 5ms, buffer: 1MB}}
        flows:
          - {name: early, cc: bpf_live, path: [b], rtt: 20ms}
          - {name: late, cc: bpf_live, path: [b], rtt: 20ms, start: 4s}
        record: off
        """

    private func host(window: Int) throws -> RuntimeHost {
        let host = try RuntimeHost()
        _ = try host.runtime.register(try LiveObject.compile(window: window), name: "live.bpf.o")
        return host
    }

    private func simulation(_ host: RuntimeHost, _ text: String, live: Bool) throws -> Simulation {
        var options = Simulation.Options()
        options.live = live
        options.eventsPerStep = 500
        return Simulation(
            try Scenario.parse(text, file: "s.yaml"), runtime: host.runtime,
            subsystem: host.congestionControl, options: options)
    }

    private func finished(_ outcome: Simulation.Outcome) throws -> JSONValue {
        guard case .finished(let bytes) = outcome else { throw CancellationError() }
        return try JSONValue(parsing: bytes, limits: .reply)
    }

    private func windows(_ result: JSONValue) -> [Double] {
        (result["flows"]?.array ?? []).map { flow in
            switch flow["cwnd_mean"] {
            case .double(let mean)?: mean
            case .integer(let mean)?: Double(mean)
            default: .nan
            }
        }
    }

    /// Runs the scenario and changes the registration once, in the middle of the first half.
    private func run(live: Bool, _ change: @escaping @Sendable (RuntimeHost) -> Void) throws -> JSONValue {
        let host = try host(window: 10)
        let hasChanged = Atomic<Bool>(false)
        return try finished(
            try simulation(host, Self.scenario, live: live).run { progress in
                if progress.now > 2_000_000_000, !hasChanged.exchange(true, ordering: .relaxed) {
                    change(host)
                }
                return true
            })
    }

    private func update(_ host: RuntimeHost, _ bytes: [UInt8]) throws {
        let object = try host.runtime.load(bytes, name: "live.bpf.o")
        defer { try? host.runtime.close(object: object.id) }
        _ = try host.runtime.update(.name("live"), object: object.id)
    }

    @Test("a flow that runs keeps its ops, one that starts gets the new ones") func newFlowsFollow() throws {
        let new = try LiveObject.compile(window: 30)
        let result = try run(live: true) { try? update($0, new) }
        let means = windows(result)
        #expect(abs(means[0] - 10) < 1 && abs(means[1] - 30) < 1, "\(means)")
        #expect(result["deterministic"] == false)
        #expect(result["live"]?["swaps"] == 1)
    }

    @Test("a run that is not live keeps what it found") func others() throws {
        let new = try LiveObject.compile(window: 30)
        let result = try run(live: false) { try? update($0, new) }
        #expect(windows(result).allSatisfy { abs($0 - 10) < 1 })
        #expect(result["deterministic"] == true)
        #expect(result["live"] == nil)
    }

    @Test("flows whose ops have been unregistered start with reno") func fallsBack() throws {
        let result = try run(live: true) { _ = try? $0.runtime.unregister(.name("live")) }
        let means = windows(result)
        #expect(abs(means[0] - 10) < 1 && means[1] > 30, "\(means)")
        #expect(result["live"]?["fallbacks"] == 1)
        #expect(result["flows"]?.array?.allSatisfy { $0["error"] == nil } == true)
    }

    @Test("1,000 updates under 100 flows: no flow fails, and no code is left") func manyUpdates() throws {
        let updates = 1000
        let host = try RuntimeHost()
        let objects = try [8, 9].map { try LiveObject.compile(window: $0, name: "swp", opsName: "bpf_swp") }
        _ = try host.runtime.register(objects[0], name: "swp.bpf.o")
        let simulation = try simulation(
            host,
            """
            duration: 8s
            links: {b: {rate: 1Gbit, delay: 1ms, buffer: 1MB}}
            flows: [{name: a, count: 100, cc: bpf_swp, path: [b], rtt: 10ms,
                app: {transfer: 20kB, count: 1000000, gap: 5ms}}]
            record: off
            """, live: true)

        // Neither side gets far ahead of the other, whatever the machine does.
        let (steps, swaps) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        for semaphore in [steps, swaps, steps, swaps] { semaphore.signal() }
        let isDone = Atomic<Bool>(false)
        let isOver = Atomic<Bool>(false)
        let outcome = Mutex<Result<Simulation.Outcome, any Error>?>(nil)
        let ended = DispatchSemaphore(value: 0)
        Thread {
            let result = Result {
                try simulation.run { _ in
                    if !isDone.load(ordering: .relaxed) {
                        swaps.signal()
                        steps.wait()
                    }
                    return true
                }
            }
            outcome.withLock { $0 = result }
            isOver.store(true, ordering: .relaxed)
            swaps.signal()
            ended.signal()
        }.start()

        var unitsMost = 0
        for number in 1...updates {
            swaps.wait()
            let hasEnded = isOver.load(ordering: .relaxed)
            try #require(!hasEnded, "the run was over before update \(number)")
            // Now and then the compiler makes new code; else the object's is shared by all its loads.
            if number % 10 == 0 { host.runtime.dropCache() }
            let object = try host.runtime.load(objects[number % 2], name: "swp.bpf.o")
            _ = try host.runtime.update(.name("swp"), object: object.id)
            try host.runtime.close(object: object.id)
            if number % 50 == 0 { unitsMost = max(unitsMost, try LiveObject.codeUnits(named: "swp")) }
            steps.signal()
        }
        isDone.store(true, ordering: .relaxed)
        for _ in 0..<4 { steps.signal() }
        ended.wait()

        let result = try finished(try #require(outcome.withLock { $0 }).get())
        let flows = try #require(result["flows"]?.array)
        #expect(flows.count == 100)
        #expect(flows.allSatisfy { $0["error"] == nil && ($0["fct_ms"]?.array?.count ?? 0) > 1 })
        // Each is seen but those that the next one overtakes before any connection begins.
        let live = try #require(result["live"])
        #expect((live["swaps"]?.integer ?? 0) > 500, "\(live)")
        #expect(live["fallbacks"] == 0 && live["failures"] == 0)
        // What was replaced goes while the run goes on, not at its end.
        #expect((1...100).contains(unitsMost), "\(unitsMost)")

        try host.runtime.unregister(.name("swp"))
        host.runtime.dropCache()
        #expect(try LiveObject.codeUnits(named: "swp") == 0)
        #expect(host.runtime.memoryCharged(to: 0) == 0)
        #expect(host.runtime.maps().isEmpty && host.runtime.programs().isEmpty)
    }
}
