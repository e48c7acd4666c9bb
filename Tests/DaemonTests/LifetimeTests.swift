import Foundation
import Testing

/// A registration that is let go while flows use it.
@Suite("Lifetime", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct LifetimeTests {
    @Test func isTOBEFREEWhileFlowsHoldItThenGone() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        let scenario = try sandbox.file(
            "long.yaml",
            """
            duration: 3600s
            links: {b: {rate: 50Mbit, delay: 10ms, buffer: 1bdp}}
            flows: [{name: a, count: 3, cc: bpf_cubic, path: [b], rtt: 20ms}]
            record: off

            """)
        let run = try sandbox.begin("sim", "run", scenario)
        defer { if run.isRunning { run.terminate() } }

        try sandbox.eventually("flows hold the registration") { try refs(sandbox) ?? 0 > 1 }
        let before = try #require(try shown(sandbox))
        #expect(before["state"] as? String == "INUSE")

        #expect(try sandbox.opsctl("unregister", "name", "cubic").status == 0)
        let held = try #require(try shown(sandbox), "flows hold it, so it is still there")
        #expect(held["state"] as? String == "TOBEFREE")
        #expect(held["id"] as? Int == before["id"] as? Int)

        run.terminate()
        run.waitUntilExit()
        try sandbox.eventually("the last flow has let go of it") { try shown(sandbox) == nil }
    }

    private func shown(_ sandbox: Sandbox) throws -> [String: Any]? {
        (try sandbox.opsctl("-j", "show").json()["result"] as? [[String: Any]])?.first
    }

    private func refs(_ sandbox: Sandbox) throws -> Int? { try shown(sandbox)?["refs"] as? Int }
}
