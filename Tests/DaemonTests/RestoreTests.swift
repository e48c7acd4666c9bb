import ControlAPI
import Foundation
import Testing

/// What comes back after a death, and what is left out.
@Suite("Restore", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct RestoreTests {
    private func states(_ sandbox: Sandbox) throws -> [String: String] {
        let items = try sandbox.opsctl("-j", "show").json()["result"] as? [[String: Any]] ?? []
        return Dictionary(
            items.compactMap { item in
                guard let name = item["name"] as? String, let state = item["state"] as? String else {
                    return nil
                }
                return (name, state)
            }, uniquingKeysWith: { first, _ in first })
    }

    private func status(_ sandbox: Sandbox) throws -> [String: Any] {
        try #require(try sandbox.opsctl("-j", "daemon", "status").json()["result"] as? [String: Any])
    }

    @Test("one that no runtime survives costs one restart and is quarantined; the others are in use")
    func quarantinesWhatCrashesTheRuntime() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        #expect(try sandbox.opsctl("register", try Example.reno.get()).status == 0)
        sandbox.stop()
        try sandbox.start("--state-dir", state, environment: ["OPSD_TEST_CRASH_ON_RESTORE": "cubic"])
        #expect(try states(sandbox) == ["cubic": "FAILED", "reno": "INUSE"])
        #expect(try status(sandbox)["restarts"] as? Int == 1)
        #expect(try status(sandbox)["quarantined"] as? Int == 1)
        #expect(
            try sandbox.opsctl("show", "name", "cubic").stdout.contains("quarantined: the runtime was killed")
        )
        #expect(sandbox.log.contains("OPS_EVENT=quarantine"))
        sandbox.stop()
        // It stays so, whoever starts next, until it is unregistered.
        try sandbox.start("--state-dir", state)
        #expect(try states(sandbox) == ["cubic": "FAILED", "reno": "INUSE"])
        #expect(try sandbox.opsctl("unregister", "name", "cubic").status == 0)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        #expect(try states(sandbox) == ["cubic": "INUSE", "reno": "INUSE"])
    }

    @Test("no id comes twice, even where a restart finds nothing to restore")
    func keepsCountingWithoutRegistrations() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        try sandbox.start("--state-dir", state)
        for id in 1...2 {
            let registered = try sandbox.opsctl("register", try Example.reno.get()).stdout
            #expect(registered.contains("id \(id)\n"), "\(registered)")
            #expect(try sandbox.opsctl("unregister", "id", "\(id)").status == 0)
            if id == 1 {
                // A new runtime, then a new daemon.
                kill(try #require(try sandbox.runtimePID()), SIGKILL)
            } else {
                sandbox.stop()
                try sandbox.start("--state-dir", state)
            }
        }
        #expect(try sandbox.opsctl("register", try Example.reno.get()).stdout.contains("id 3\n"))
    }

    @Test("the id of a transient registration is not given to another one, whatever dies")
    func remembersTransientIDs() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        try sandbox.start("--state-dir", state)
        for id in [1, 3] {
            let owner = try sandbox.begin("register", "--transient", try Example.reno.get())
            try sandbox.eventually("it is registered") { try states(sandbox) == ["reno": "INUSE"] }
            if id == 1 {
                kill(try #require(try sandbox.runtimePID()), SIGKILL)
            } else {
                kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
                sandbox.daemon?.waitUntilExit()
                try sandbox.start("--state-dir", state)
            }
            owner.waitUntilExit()
            let registered = try sandbox.opsctl("register", try Example.reno.get()).stdout
            #expect(registered.contains("id \(id + 1)\n"), "\(registered)")
            #expect(try sandbox.opsctl("unregister", "id", "\(id + 1)").status == 0)
        }
    }

    @Test("a run that was alone when its runtime crashed costs one restart")
    func quarantinesWhatALoneRunUses() throws {
        let sandbox = try Sandbox()
        // Swift's own handler would print a backtrace and, the signal being ours, go on.
        try sandbox.start(environment: ["SWIFT_BACKTRACE": "enable=no"])
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        #expect(try sandbox.opsctl("register", try Example.reno.get()).status == 0)
        let scenario = ServiceTests.scenario.replacing("2s", with: "36000s")
        let client = try Client(path: sandbox.socket)
        var hasKilled = false
        #expect(throws: ClientError.self) {
            try client.call(
                Call(
                    Method.simulationRun.rawValue,
                    try JSONValue(encoding: RunParameters(scenario: scenario, file: "s.yaml")), more: true)
            ) { _ in
                guard !hasKilled, let victim = try? sandbox.runtimePID() else { return }
                hasKilled = true
                kill(victim, SIGABRT)
            }
        }
        #expect(hasKilled)
        #expect(try states(sandbox) == ["cubic": "FAILED", "reno": "INUSE"])
        #expect(try status(sandbox)["restarts"] as? Int == 1)
    }

    /// Hooks that crash a runtime are in debug builds only.
    private static let hasHooks = ProcessInfo.processInfo.environment["OPSD_TEST_BINARIES"] == nil

    @Test(
        "of several runs that a crash interrupts, only the one that crashed is held to account",
        .enabled(if: hasHooks, "the programs under test are no debug builds"))
    func quarantinesOnlyWhatCrashed() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        try sandbox.start(
            "--state-dir", state,
            environment: ["SWIFT_BACKTRACE": "enable=no", "OPSD_TEST_CRASH_IN_RUN": "bpf_reno"])
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        #expect(try sandbox.opsctl("register", try Example.reno.get()).status == 0)
        func scenario(_ name: String) throws -> String {
            try sandbox.file(
                name + ".yaml",
                """
                duration: 36000s
                links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
                flows: [{name: a, cc: \(name), path: [b], rtt: 20ms}]
                record: off

                """)
        }
        func runs() throws -> [String: String] {
            let listed = try sandbox.opsctl("-j", "sim", "list").json()["result"] as? [[String: Any]] ?? []
            return Dictionary(
                listed.map { ("\($0["id"] ?? "?")", "\($0["state"] ?? "?")") }, uniquingKeysWith: { $1 })
        }
        // As many go on as there are processors, and one of them crashes: its thread says so.
        #expect(try sandbox.opsctl("sim", "run", "--detach", try scenario("bpf_cubic")).status == 0)
        try sandbox.eventually("the first one runs") { try runs()["1"] == "running" }
        #expect(try sandbox.opsctl("sim", "run", "--detach", try scenario("bpf_reno")).status == 0)
        try sandbox.eventually("the other one has crashed") { try runs()["2"] == "failed" }
        #expect(try states(sandbox) == ["cubic": "INUSE", "reno": "FAILED"])
        #expect(try status(sandbox)["restarts"] as? Int == 1)
        #expect(try status(sandbox)["quarantined"] as? Int == 1)
        #expect(try runs()["1"] == "running")
        #expect(try sandbox.opsctl("sim", "cancel", "id", "1").status == 0)
        sandbox.stop()
        try sandbox.start("--state-dir", state)
        #expect(try states(sandbox) == ["cubic": "INUSE", "reno": "FAILED"])
    }

    @Test("what could not be restored is tried again by the next daemon")
    func triesAgainWhatFailed() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        try sandbox.start("--state-dir", state.path)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        sandbox.stop()
        let objects = state.appending(path: "objects")
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: objects.path).first { $0.hasSuffix(".o") })
        let away = state.appending(path: name)
        try FileManager.default.moveItem(at: objects.appending(path: name), to: away)
        try sandbox.start("--state-dir", state.path)
        #expect(try states(sandbox) == ["cubic": "FAILED"])
        #expect(try sandbox.opsctl("show").stdout.contains("No such file"))
        sandbox.stop()
        try FileManager.default.moveItem(at: away, to: objects.appending(path: name))
        for _ in 0..<2 {
            try sandbox.start("--state-dir", state.path)
            #expect(try states(sandbox) == ["cubic": "INUSE"])
            sandbox.stop()
        }
    }

    @Test("a variable whose name is longer than a map's comes back")
    func restoresALongName() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        let source = try String(
            contentsOf: Sandbox.root.appending(path: "Examples/reno.bpf.c"), encoding: .utf8)
        let object = try Example.compile(
            "long",
            source: source.replacing("tcp_congestion_ops reno", with: "tcp_congestion_ops a_rather_long_name")
        )
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("register", object).status == 0)
        sandbox.stop()
        try sandbox.start("--state-dir", state)
        #expect(try states(sandbox) == ["a_rather_long_n": "INUSE"])
    }

    @Test("a detach that is on disk when the runtime dies is done")
    func detachesBeforeADeath() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        let linked = try Example.compile("detached", source: Example.linkSource())
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("register", linked).status == 0)
        // A runtime that does nothing more: the detach is stored, and the next runtime is asked for it.
        let victim = try #require(try sandbox.runtimePID())
        kill(victim, SIGSTOP)
        let detach = try sandbox.begin("link", "detach", "id", "1")
        let manifests = { try FileManager.default.contentsOfDirectory(atPath: state + "/objects") }
        try sandbox.eventually("the detach is stored") { try !manifests().contains { $0.hasSuffix(".o") } }
        kill(victim, SIGKILL)
        detach.waitUntilExit()
        #expect(detach.terminationStatus == 0)
        #expect(try states(sandbox).isEmpty)
        #expect(try sandbox.opsctl("registry", "verify").status == 0)
    }

    @Test("a runtime that answers nothing is replaced, also if it takes no CPU time")
    func replacesASilentRuntime() throws {
        let sandbox = try Sandbox()
        try sandbox.start("--state-dir", sandbox.folder.appending(path: "state").path, "--hang-timeout", "1")
        #expect(try sandbox.opsctl("register", try Example.reno.get()).status == 0)
        let victim = try #require(try sandbox.runtimePID())
        kill(victim, SIGSTOP)
        try sandbox.eventually("another one is there") {
            try sandbox.runtimePID().map { $0 != victim } ?? false
        }
        #expect(sandbox.log.contains("the runtime hangs and is killed: it did not answer"))
        #expect(try states(sandbox) == ["reno": "INUSE"])
    }

    @Test("links come back under their ids")
    func keepsLinkIDs() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        let linked = try Example.compile("linked", source: Example.linkSource())
        try sandbox.start("--state-dir", state)
        for _ in 0..<2 {
            #expect(try sandbox.opsctl("register", linked).status == 0)
            #expect(try sandbox.opsctl("unregister", "name", "reno").status == 0)
        }
        #expect(try sandbox.opsctl("register", linked).status == 0)
        let before = try sandbox.opsctl("-j", "link", "show").stdout
        #expect(before.contains("\"id\":3"))
        kill(try #require(try sandbox.runtimePID()), SIGKILL)
        try sandbox.eventually("another runtime is up") { try sandbox.runtimePID() != nil }
        #expect(try sandbox.opsctl("-j", "link", "show").stdout == before)
        sandbox.stop()
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("-j", "link", "show").stdout == before)
        #expect(try sandbox.opsctl("link", "detach", "id", "3").status == 0)
        sandbox.stop()
        try sandbox.start("--state-dir", state)
        #expect(try states(sandbox).isEmpty)
    }
}
