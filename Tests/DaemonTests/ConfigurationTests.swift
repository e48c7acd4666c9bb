import Foundation
import Testing

/// `opsd.yaml`: what is taken, what is refused and how, and what a reload changes.
@Suite("Configuration", .timeLimit(.minutes(30))) struct ConfigurationTests {
    @Test(arguments: [
        "", "# nothing but a comment\n", "group: adm\nhang-timeout: 2min\n",
        "limits: {objects: 1, memory: 4KiB, requests-per-second: 5}\n",
        "limits: {priority: -5}\nbudgets: {memory: 1MiB, faults: 1, fuel-per-call: 8Mi, fuel-per-second: 4Gi}\n",
        "budgets: {instructions-per-call: 1000000, instructions-per-second: 64Gi}\n",
        "jobs: {workers: 1, queue: 0, wall-time: 12h, keep: 5, keep-for: 10min, keep-bytes: 1MiB}\n",
        "jobs: {wall-time: none}\n",
        "policy:\n  - {user: root, helpers: [bpf_ktime_get_ns]}\n  - {user: 12345, kfuncs: []}\n",
    ])
    func accepts(_ text: String) throws {
        let sandbox = try Sandbox()
        let result = try check(sandbox.file("opsd.yaml", text))
        #expect(result.status == 0, "\(result.stderr)")
    }

    @Test(arguments: [
        ("groop: a\n", ":1:1: 'groop': unknown key; accepted: group, limits"),
        ("group: [a]\n", ":1:8: group: expected one value"),
        ("\nlimits:\n  memory: 64MB\n", ":3:11: limits.memory '64MB': not accepted; accepted: a size"),
        (
            "limits: {connections: 0}\n",
            "limits.connections '0': not accepted; accepted: a whole number, 1 to"
        ),
        (
            "budgets: {fuel-per-call: 9Mi}\n",
            ":1:26: budgets.fuel-per-call '9Mi': not accepted; accepted: a number, 1"
        ),
        ("budgets: {faults: 0}\n", "budgets.faults '0'"),
        (
            "budgets:\n  fuel: 5\n",
            ":2:3: budgets 'fuel': unknown key; accepted: memory, faults, fuel-per-call"
        ),
        ("jobs: {wall-time: 0s}\n", "jobs.wall-time '0s': not accepted; accepted: a time of 1s"),
        ("jobs: {workers: 0}\n", ":1:17: jobs.workers '0'"),
        ("hang-timeout: 5\n", ":1:15: hang-timeout '5'"),
        ("trust-store: keys\n", "accepted: a path from the root"),
        ("policy: [{helpers: []}]\n", "policy[0]: 'user' is missing"),
        ("policy: [{user: no-such-user-here}]\n", "policy[0].user 'no-such-user-here'"),
        ("group: a\ngroup: b\n", "not well-formed"), ("{", ":1:"), ("- a\n", "expected a mapping"),
    ])
    func refuses(_ text: String, _ message: String) throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", text)
        let result = try check(file)
        #expect(result.status == 1)
        #expect(result.stderr.contains(file) && result.stderr.contains(message), "\(result.stderr)")
        let start = try Sandbox.run(
            Sandbox.opsd, ["--config", file, "--socket", sandbox.socket])
        #expect(start.status == 1, "a daemon does not start with what --check-config refuses")
    }

    @Test func aMissingFileIsRefusedWhereItWasNamed() throws {
        let result = try check("/nonexistent/opsd.yaml")
        #expect(result.status == 1)
        #expect(result.stderr.contains("/nonexistent/opsd.yaml: cannot be read"))
    }

    @Test func dropInsComeAfterTheFileInTheOrderOfTheirNames() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", "group: adm\n")
        try dropIn(sandbox, "20-b.yaml", "limits: {maps: many}\n")
        try dropIn(sandbox, "10-a.yaml", "group: [x]\n")
        try dropIn(sandbox, "00-not-a-configuration.txt", "nonsense")
        #expect(try check(file).stderr.contains("10-a.yaml:1:8"))
        try dropIn(sandbox, "10-a.yaml", "group: root\n")
        #expect(try check(file).stderr.contains("20-b.yaml:1:16"))
    }

    @Test func aReloadTakesTheNewFileAndKeepsTheOldForABadOne() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", "group: adm\n")
        try sandbox.start("--config", file)
        let daemon = try #require(sandbox.daemon)
        _ = try sandbox.file("opsd.yaml", "group: [adm]\n")
        kill(daemon.processIdentifier, SIGHUP)
        try sandbox.eventually("the bad file is reported") {
            sandbox.log.contains("the configuration stays as it was: \(file):1:8")
        }
        _ = try sandbox.file("opsd.yaml", "group: daemon\n")
        kill(daemon.processIdentifier, SIGHUP)
        try sandbox.eventually("the good one is taken") { sandbox.log.contains("reloaded \(file)") }
        #expect(try sandbox.opsctl("show").status == 0)
    }

    private func check(_ file: String) throws -> Sandbox.Output {
        try Sandbox.run(Sandbox.opsd, ["--check-config", "--config", file])
    }

    private func dropIn(_ sandbox: Sandbox, _ name: String, _ text: String) throws {
        let folder = sandbox.folder.appending(path: "opsd.yaml.d")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: folder.appending(path: name))
    }
}
