import Foundation
import Testing

/// What code that runs in the runtime can do there, were the verifier wrong.
@Suite("Runtime sandbox", .timeLimit(.minutes(30)))
struct RuntimeSandboxTests {
    /// The probe enters the runtime's sandbox the way the runtime does; only debug builds have it.
    @Test func codeInTheRuntimeReachesNothing() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let output = try Sandbox.run(Sandbox.opsd, ["--probe-sandbox", sandbox.socket])
        try #require(output.status == 0, Comment(rawValue: output.stderr))
        var outcomes: [String: String] = [:]
        for line in output.stdout.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            outcomes[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        for forbidden in [
            "open a file", "make a file", "remove a file", "make a socket", "make a network socket",
            "signal the broker", "start a program", "become another process", "register",
            "attach to the broker", "allow more descriptors",
        ] {
            let outcome = try #require(outcomes[forbidden])
            #expect(outcome != "ok", "\(forbidden)")
        }
        #expect(outcomes["get memory for code"] == "ok")
        #expect(outcomes["start a thread"] == "ok")
        #expect(try sandbox.opsctl("show").status == 0, "the daemon's socket is still there")
    }

    @Test func theRuntimeIsInside() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let pid = try #require(try sandbox.runtimePID())
        let status = String(
            decoding: try Data(contentsOf: URL(filePath: "/proc/\(pid)/status")), as: UTF8.self)
        #expect(status.contains("NoNewPrivs:\t1"))
        // SECCOMP_MODE_FILTER
        #expect(status.contains("Seccomp:\t2"))
    }
}
