import Foundation
import Testing

/// The runtime is in its sandbox; what that keeps code there from, `EscapeTests` tries.
@Suite("Runtime sandbox", .timeLimit(.minutes(30)))
struct RuntimeSandboxTests {
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
