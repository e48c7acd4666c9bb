import ControlAPI
import Foundation
import Testing

/// What the daemon says of itself while it works.
@Suite(
    "Observability", .enabled(if: Example.clang != nil, "no clang with a bpf target"),
    .timeLimit(.minutes(30)))
struct ObservabilityTests {
    @Test func aMonitorSeesChangesAsTheyHappen() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let object = try Example.cubic.get()
        let client = try Client(path: sandbox.socket)
        // A monitor's call has no end.
        let seen = try sandbox.file("monitor", "")
        let monitor = try sandbox.begin("-j", "monitor", output: seen)
        defer {
            monitor.terminate()
            monitor.waitUntilExit()
        }
        let bytes = try Data(contentsOf: URL(filePath: object)).base64EncodedString()
        var lines: [String] = []
        try sandbox.eventually("the monitor is told of a registration and its end") {
            let reply = try client.call(
                Call(Method.registryRegister.rawValue, ["object": .string(bytes), "file": "cubic.bpf.o"]))
            let id = try #require(reply["registrations"]?.array?.first?["id"]?.integer)
            _ = try client.call(Call(Method.registryUnregister.rawValue, ["id": .integer(id)]))
            lines = try String(contentsOfFile: seen, encoding: .utf8).split(separator: "\n").map(String.init)
            return lines.contains { $0.contains("\"event\":\"register\"") }
                && lines.contains { $0.contains("\"event\":\"unregister\"") }
        }
        // One document a line, each complete.
        for line in lines.dropLast() {
            let json = try JSONValue(parsing: line)
            #expect(json["dropped"]?.integer == 0 && json["text"]?.string?.isEmpty == false)
        }
    }

    @Test func metricsCountRequestsAndAreScrapedOverHTTP() throws {
        let sandbox = try Sandbox()
        let scrapes = sandbox.folder.appending(path: "metrics").path
        try sandbox.start("--metrics-socket", scrapes)
        #expect(try sandbox.opsctl("register", Example.cubic.get()).status == 0)
        #expect(try sandbox.opsctl("unregister", "id", "99").status == 1)
        let text = try sandbox.opsctl("metrics").stdout
        #expect(text.contains("\nopsd_registrations{state=\"active\"} 1\n"))
        let refused = "opsd_requests_refused_total{method=\"io.opsd.Registry.Unregister\"} 1"
        #expect(text.contains("\n\(refused)\n"))
        #expect(text.contains("opsd_request_seconds_count{method=\"io.opsd.Registry.Register\"} 1\n"))
        #expect(text.hasSuffix("# EOF\n"))
        let scraped = try Sandbox.run("Tests/systemd/scrape.py", [scrapes])
        #expect(scraped.status == 0 && scraped.stdout.contains(refused), "\(scraped.stderr)")
        #expect(try sandbox.opsctl("-j", "metrics").json()["ok"] as? Bool == true)
    }
}

/// Calls of ops, counted and timed while simulations run.
@Suite(
    "Op statistics", .enabled(if: Example.clang != nil, "no clang with a bpf target"),
    .timeLimit(.minutes(30))
)
struct OpStatisticsTests {
    private static let scenario = """
        {name: s, duration: 20s, links: {l: {rate: 10Mbit, delay: 10ms, buffer: 100kB}},
         flows: [{name: a, cc: bpf_cubic, path: [l], rtt: 20ms}, {name: b, cc: reno, path: [l], rtt: 20ms}]}
        """

    private func counted(_ mode: String) throws -> [OpRecord] {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", "statistics: '\(mode)'\n")
        try sandbox.start("--config", file)
        #expect(try sandbox.opsctl("register", Example.cubic.get()).status == 0)
        let scenario = try sandbox.file("s.yaml", Self.scenario)
        let run = try sandbox.opsctl("sim", "run", scenario)
        try #require(run.status == 0, "\(run.stderr)")
        let client = try Client(path: sandbox.socket)
        let answer = try client.call(Call(Method.programStatistics.rawValue))
        #expect(answer["mode"]?.string == mode)
        return try answer.decode(as: OpStatisticsReply.self).ops
    }

    @Test func countsEveryCallAndTimesAllOrSome() throws {
        #expect(try counted("off").isEmpty)
        let (all, some) = (try counted("on"), try counted("sampled"))
        // The same simulation makes the same calls, however they are watched.
        #expect(all.map(\.runCnt) == some.map(\.runCnt) && all.map(\.op) == some.map(\.op))
        for record in all {
            #expect(record.timedCnt == record.runCnt && record.log2Ns.reduce(0, +) == record.runCnt)
            // A built-in has no program.
            #expect((record.progID != nil) == (record.opsName == "bpf_cubic"), "\(record)")
        }
        for record in some { #expect(record.timedCnt == record.runCnt / 64) }
        let acks = try #require(all.first { $0.opsName == "bpf_cubic" && $0.op == "cong_avoid" })
        #expect(acks.runCnt > 1000 && acks.timedNs > 0 && (acks.quantileNs(0.99) ?? 0) > 0)
    }

    @Test func metricsHaveTheCallsOfEachOp() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", "statistics: 'on'\n")
        try sandbox.start("--config", file)
        #expect(try sandbox.opsctl("register", Example.cubic.get()).status == 0)
        #expect(try sandbox.opsctl("sim", "run", try sandbox.file("s.yaml", Self.scenario)).status == 0)
        try sandbox.eventually("the runtime has told") {
            try sandbox.opsctl("metrics").stdout.contains("opsd_op_calls_total{ops_name=\"bpf_cubic\"")
        }
        let text = try sandbox.opsctl("metrics").stdout
        let calls = text.split(separator: "\n").first {
            $0.hasPrefix("opsd_op_calls_total{ops_name=\"bpf_cubic\",op=\"cong_avoid\"} ")
        }
        #expect((calls?.split(separator: " ").last.flatMap { Int($0) } ?? 0) > 1000)
        for family in ["op_fuel_total", "op_timed_calls_total", "op_timed_seconds_total"] {
            #expect(text.contains("\nopsd_\(family){ops_name=\"reno\",op=\"cong_avoid\"} "))
        }
    }

    @Test func traceShowsWhatProgramsPrint() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let reno = try String(
            contentsOf: Sandbox.root.appending(path: "Examples/reno.bpf.c"), encoding: .utf8)
        let source = reno.replacing(
            "SEC(\"struct_ops/ssthresh\")",
            with: """
                SEC("struct_ops/init")
                void OPS_PROG(say_hello, struct sock *sk)
                {
                \tstatic const char format[] = "hello %d";
                \tbpf_trace_printk(format, sizeof(format), 42);
                }

                SEC("struct_ops/ssthresh")
                """
        ).replacing(".ssthresh = (", with: ".init = (void *)say_hello,\n    .ssthresh = (")
        let object = try Example.compile("reno", source: source)
        #expect(try sandbox.opsctl("register", object).status == 0)
        let seen = try sandbox.file("trace", "")
        let trace = try sandbox.begin("trace", output: seen)
        defer {
            trace.terminate()
            trace.waitUntilExit()
        }
        let text = Self.scenario.replacing("bpf_cubic", with: "bpf_reno").replacing("20s", with: "1s")
        let scenario = try sandbox.file("s.yaml", text)
        try sandbox.eventually("the line arrives") {
            let run = try sandbox.opsctl("sim", "run", scenario)
            try #require(run.status == 0, "\(run.stderr)")
            return try String(contentsOfFile: seen, encoding: .utf8).contains(": hello 42\n")
        }
    }

    @Test func topAndProfileSayWhatIsMissing() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let top = try sandbox.opsctl("top")
        #expect(top.status == 1 && top.stderr.contains("'statistics'"), "\(top.stderr)")
        let profile = try sandbox.opsctl("prog", "profile", "id", "1", "cycles")
        #expect(profile.status == 1 && profile.stderr.contains("'cycles' cannot be counted here"))
    }

    @Test func topAndProfilePrintWhatARunCosts() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", "statistics: 'on'\n")
        try sandbox.start("--config", file)
        #expect(try sandbox.opsctl("register", Example.cubic.get()).status == 0)
        let long = Self.scenario.replacing("20s", with: "20000s").replacing(
            "{name: s,", with: "{name: s, record: 'off',")
        let run = try sandbox.begin("sim", "run", try sandbox.file("s.yaml", long))
        defer {
            run.terminate()
            run.waitUntilExit()
        }
        try sandbox.eventually("top shows the program") {
            let top = try sandbox.opsctl("-j", "top", "--count", "1", "--interval", "0.5")
            return top.status == 0 && top.stdout.contains("\"op\":\"cong_avoid\",\"prog_id\":")
        }
        let profile = try sandbox.opsctl("prog", "profile", "name", "cubic_cong_avoi", "duration", "1")
        #expect(profile.status == 0 && profile.stdout.contains(" run_cnt"), "\(profile.stderr)")
    }
}
