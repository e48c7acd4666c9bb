import Foundation
import Testing

/// gdb and perf know ops by name (`OPSD_JIT_TOOLS`).
@Suite("Code tools", .timeLimit(.minutes(30))) struct CodeToolsTests {
    private static func has(_ tool: String) -> Bool {
        (try? Sandbox.run("/usr/bin/env", [tool, "--version"]).status) == 0
    }
    private static let opsctl = Sandbox.binaries.appending(path: "opsctl").path

    @Test(
        "gdb names an op in a backtrace, and who called it",
        .enabled(if: Self.has("gdb") && Example.clang != nil, "no gdb, or no clang with a bpf target"))
    func gdbBacktrace() throws {
        let sandbox = try Sandbox()
        let scenario = try sandbox.file(
            "s.yaml",
            """
            name: short
            duration: 2s
            links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
            flows: [{name: a, cc: bpf_cubic, path: [b], rtt: 20ms}]
            record: off

            """)
        let output = try Sandbox.run(
            "/usr/bin/env",
            [
                "gdb", "-nx", "-batch", "-ex", "set breakpoint pending on", "-ex", "hbreak cubic_ssthresh",
                "-ex", "run", "-ex", "backtrace 8", "-ex", "kill", "--args", Self.opsctl, "sim", "run",
                scenario, "--local", "--object", try Example.cubic.get(),
            ], environment: ["OPSD_JIT_TOOLS": "gdb"])
        let frames = output.stdout.split(separator: "\n").filter { $0.hasPrefix("#") }
        #expect(frames.first?.contains("cubic_ssthresh") == true, "\(output.stdout)\(output.stderr)")
        // Unwound through the op's frame and the entry's, into the caller's own code.
        #expect(frames.contains { $0.contains("Netsim") || $0.contains("OpsCalls") }, "\(output.stdout)")
    }

    /// Turns of 2 instructions: r1 = 1000; r1 += -1; if r1 != 0 goto -2; r0 = 0; exit
    private static let spin =
        "b7010000e8030000 07010000ffffffff 5501feff00000000 b700000000000000 9500000000000000"

    /// Runs `spin_op` with a shell that says its process id first.
    private func spin(
        _ tool: String, before: [String] = [], in sandbox: Sandbox
    ) throws -> (pid: String, Sandbox.Output) {
        let program = try sandbox.file("spin_op", Self.spin)
        let command = "echo pid $$; exec '\(Self.opsctl)' prog run --hex '\(program)' --repeat 300000"
        let output = try Sandbox.run(
            "/usr/bin/env", before + ["sh", "-c", command], environment: ["OPSD_JIT_TOOLS": tool])
        let line = output.stdout.split(separator: "\n").first { $0.hasPrefix("pid ") }
        return (String(line?.dropFirst(4) ?? ""), output)
    }

    @Test func perfMapNamesEveryFunction() throws {
        let (pid, output) = try spin("perf-map", in: Sandbox())
        let path = "/tmp/perf-\(pid).map"
        defer { unlink(path) }
        let map = try String(contentsOfFile: path, encoding: .utf8)
        #expect(
            map.contains(/^[0-9a-f]+ [0-9a-f]+ spin_op\n/.anchorsMatchLineEndings()), "\(map)\(output.stderr)"
        )
    }

    @Test("perf report names an op", .enabled(if: Self.has("perf"), "no perf"))
    func perfReport() throws {
        let sandbox = try Sandbox()
        let (recorded, injected) = (sandbox.folder.path + "/perf.data", sandbox.folder.path + "/jit.data")
        let (pid, output) = try spin(
            "jitdump", before: ["perf", "record", "-q", "-k", "mono", "-o", recorded], in: sandbox)
        defer {
            for file in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
            where file == "jit-\(pid).dump" || file.hasPrefix("jitted-\(pid)-") {
                unlink("/tmp/" + file)
            }
        }
        guard output.status == 0 else {
            // Not permitted: the perf map, which the other test reads, is what is left.
            let reason = output.stderr.split(separator: "\n").first ?? ""
            withKnownIssue("perf events are not permitted here: \(reason)") { Issue.record("not measured") }
            return
        }
        let inject = try Sandbox.run(
            "/usr/bin/env", ["perf", "inject", "--jit", "-i", recorded, "-o", injected])
        try #require(inject.status == 0, "\(inject.stderr)")
        let report = try Sandbox.run(
            "/usr/bin/env", ["perf", "report", "--stdio", "-i", injected, "--sort", "symbol"])
        #expect(report.stdout.contains("spin_op"), "\(report.stdout)\(report.stderr)")
    }
}
