import ControlAPI
import Foundation
import Testing

/// Objects that mean no good, by the hundred, one after the other in one live daemon: registered, run where they are accepted,
/// unregistered. Equal numbers are equal objects everywhere; `OPSD_HOSTILE_PLUGINS=1000` makes it a thousand.
@Suite(
    "Hostile plugins", .enabled(if: Example.clang != nil, "no clang with a bpf target"),
    .timeLimit(.minutes(60)))
struct HostilePluginTests {
    private static let count =
        ProcessInfo.processInfo.environment["OPSD_HOSTILE_PLUGINS"].flatMap { Int($0) } ?? 100

    @Test("the broker lives, deaths of the runtime are counted, and the others are in use")
    func plugins() throws {
        let sandbox = try Sandbox()
        try sandbox.start(environment: Escape.environment)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        let scenario = try sandbox.file("good.yaml", ServiceTests.scenario)
        let before = try sandbox.opsctl("-j", "sim", "run", scenario)
        let memory = try Footprint(sandbox)
        let bystander = Bystander(sandbox.socket)
        defer { bystander.stop() }

        var driver = Driver(sandbox)
        let judged = try HostileSource.judged.sorted { $0.key < $1.key }.map { try object($0.key, $0.value) }
        let real = try ["aimd", "dctcp", "reno"].map { try HostileObject(read(Example.compile($0))) }
        for plugin in judged { try driver.play(plugin.bytes) }
        for number in 0..<Self.count * 9 / 10 {
            var random = SplitMix(state: UInt64(number))
            var plugin = random.pick(real + judged)
            plugin.spoil(&random, parts: real + judged)
            try driver.play(plugin.bytes)
        }
        #expect(driver.accepted > 0 && driver.refused > 0 && driver.runs > 0, "\(driver)")
        #expect(driver.deathsInRegister + driver.deathsInRun == 0, "an object that was judged: \(driver)")
        try memory.expectNoMore(sandbox)
        #expect(try sandbox.restarts() == 0)

        // From here on the verifier has holes.
        for (name, source) in HostileSource.deadly.sorted(by: { $0.key < $1.key }) {
            let deaths = driver.deathsInRun
            try driver.play(try object(name, source).bytes)
            #expect(driver.deathsInRun == deaths + 1, "\(name) did no harm")
        }
        let renamed = try object(
            "wild_reno",
            String(contentsOf: Sandbox.root.appending(path: "Examples/reno.bpf.c"), encoding: .utf8)
                .replacing("reno_", with: "wild_"))
        for number in 0..<Self.count / 10 {
            var random = SplitMix(state: UInt64(number))
            var plugin = renamed
            plugin.spoilInstructions(&random)
            try driver.play(plugin.bytes)
        }
        bystander.stop()

        let restarts = try sandbox.restarts()
        #expect(sandbox.daemon?.isRunning == true)
        #expect(restarts >= driver.deathsInRegister + driver.deathsInRun, "\(driver)")
        let log = sandbox.log
        #expect(records("and is restarted", log) == restarts)
        #expect(records("OPS_EVENT=quarantine", log) == driver.deathsInRun, "\(driver)")
        #expect(bystander.failures.isEmpty, "\(bystander.failures)")
        #expect(bystander.answers > Self.count)
        // What was damaged in the last runtime goes with it.
        if let pid = try sandbox.runtimePID() { kill(pid, SIGKILL) }
        try sandbox.eventually("another runtime is up") { try sandbox.runtimePID() != nil }
        #expect(try sandbox.opsctl("-j", "sim", "run", scenario).stdout == before.stdout)
        try memory.expectNoMore(sandbox)
        print("hostile plugins: \(driver), \(restarts) restarts, \(bystander.answers) answers meanwhile")
    }

    @Test("a run whose op does not return ends with its runtime, and what it used is quarantined")
    func endless() throws {
        let sandbox = try Sandbox()
        try sandbox.start("--hang-timeout", "30", environment: Escape.environment)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        let bystander = Bystander(sandbox.socket)
        defer { bystander.stop() }
        var driver = Driver(sandbox)
        try driver.play(try object("endless", HostileSource.endless).bytes)
        bystander.stop()
        #expect(driver.deathsInRun == 1, "\(driver)")
        let log = sandbox.log
        #expect(records("a simulation does not get on", log) > 0)
        #expect(records("OPS_EVENT=quarantine", log) == 1)
        #expect(bystander.failures.isEmpty, "\(bystander.failures)")
        let scenario = try sandbox.file("good.yaml", ServiceTests.scenario)
        #expect(try sandbox.opsctl("sim", "run", scenario).status == 0)
    }

    private func object(_ name: String, _ source: String) throws -> HostileObject {
        try HostileObject(read(Example.compile(name, source: source)))
    }

    private func read(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

    private func records(_ what: String, _ log: String) -> Int {
        log.split(separator: "\n").count { $0.contains(what) }
    }
}
