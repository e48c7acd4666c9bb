import ControlAPI
import Foundation
import Testing

/// What the daemon says of itself while it works.
@Suite(
    "Observability", .enabled(if: Example.clang != nil, "no clang with a bpf target"),
    .timeLimit(.minutes(10)))
struct ObservabilityTests {
    @Test func aMonitorSeesChangesAsTheyHappen() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let object = try Example.cubic.get()
        let client = try Client(path: sandbox.socket)
        let socket = sandbox.socket
        // A monitor's call has no end, so its thread ends with the test program.
        let seen = FileManager.default.temporaryDirectory.appending(path: "monitor-\(UUID().uuidString)").path
        let monitor = Process()
        monitor.executableURL = Sandbox.binaries.appending(path: "opsctl")
        monitor.arguments = ["--socket", socket, "-j", "monitor"]
        _ = FileManager.default.createFile(atPath: seen, contents: nil)
        monitor.standardOutput = FileHandle(forWritingAtPath: seen)
        try monitor.runWithOpenSignals()
        defer {
            monitor.terminate()
            monitor.waitUntilExit()
            unlink(seen)
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
