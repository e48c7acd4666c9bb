import Foundation
import Testing

/// `sim grade` and `sim check` as people call them, without a daemon.
@Suite("Grades", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct GradeTests {
    /// Three of the suite that between them show every way of being broken.
    private static let suite = ["single-flow", "shallow-buffer", "coexistence-cubic"].flatMap {
        ["--suite", "Examples/suites/\($0).yaml"]
    }

    private func grade(_ arguments: String...) throws -> Sandbox.Output {
        try Sandbox.run(
            Sandbox.binaries.appending(path: "opsctl").path, ["sim", "grade"] + arguments + Self.suite)
    }

    @Test("cubic passes; who takes no notice of losses and who never recovers fail, and are told why")
    func tellsThemApart() throws {
        let cubic = try grade(try Example.cubic.get())
        #expect(cubic.status == 0 && cubic.stderr.isEmpty, "\(cubic.stderr)")
        #expect(cubic.stdout.contains("bpf_cubic: ") && cubic.stdout.contains("nothing broke"))

        let source = Sandbox.root.appending(path: "Tests/Fixtures/objects/broken_cc.bpf.c")
        let broken = try Example.compile(
            "broken_cc", source: String(contentsOf: source, encoding: .utf8))
        let stubborn = try grade(broken, "--cc", "bpf_stubborn")
        #expect(
            stubborn.status == 1 && stubborn.stderr.contains("bpf_stubborn fails 2 of 3"),
            "\(stubborn.stderr)")
        #expect(stubborn.stdout.contains("✗ it takes no notice of losses: links.b.drops <= 3000, but"))
        #expect(stubborn.stdout.contains("✗ it starves cubic: "))

        let timid = try grade(broken, "--cc", "bpf_timid", "-j")
        let report = try #require(try timid.json()["result"] as? [String: Any])
        let scenarios = try #require(report["scenarios"] as? [[String: Any]])
        let complaints = scenarios.flatMap { $0["complaints"] as? [String] ?? [] }
        #expect(timid.status == 1 && report["passed"] as? Bool == false)
        #expect(complaints.contains { $0.hasPrefix("it leaves the link idle: ") }, "\(complaints)")
    }

    @Test("of several objects and files each gets what it names; $CC is the only ops, or --cc")
    func checksSeveralFiles() throws {
        let sandbox = try Sandbox()
        func scenario(_ cc: String) throws -> String {
            try sandbox.file(
                "\(cc.dropFirst()).yaml",
                """
                duration: 2s
                links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
                flows: [{name: a, cc: \(cc), path: [b], rtt: 20ms}]
                record: off
                expect: [flows.a.goodput >= 1Mbit]
                """)
        }
        let (cubic, reno) = (try Example.cubic.get(), try Example.reno.get())
        let files = try ["bpf_cubic", "bpf_reno", "cubic"].map(scenario)
        let both = try sandbox.opsctl(
            "sim", "check", files[0], files[1], files[2], "--object", cubic, "--object", reno)
        #expect(both.status == 0 && both.stdout.split(separator: "\n").count == 3, "\(both.stderr)")
        let unused = try sandbox.opsctl("sim", "check", files[0], "--object", cubic, "--object", reno)
        #expect(unused.status == 1 && unused.stderr.contains("no 'cc:' of the scenario names an ops"))

        let open = try scenario("$CC")
        #expect(try sandbox.opsctl("sim", "check", open, "--object", reno).status == 0)
        #expect(try sandbox.opsctl("sim", "check", open, "--cc", "bbr").status == 0)
        let unclear = try sandbox.opsctl("sim", "check", open)
        #expect(unclear.status == 2 && unclear.stderr.contains("--cc NAME"), "\(unclear.stderr)")
    }
}
