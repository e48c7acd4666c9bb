import ControlAPI
import Foundation
import Testing

/// Registrations and simulations over the socket of a real daemon.
@Suite("Service", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct ServiceTests {
    static let scenario = """
        name: short
        duration: 2s
        links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
        flows: [{name: a, cc: bpf_cubic, path: [b], rtt: 20ms}]
        record: off

        """

    @Test func registersRunsAndUnregisters() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let cubic = try Example.cubic.get()
        let registered = try sandbox.opsctl("-j", "register", cubic)
        #expect(registered.status == 0)
        #expect(registered.stderr.isEmpty)
        let item = try #require((try registered.json()["result"] as? [[String: Any]])?.first)
        #expect(item["name"] as? String == "cubic")
        #expect(item["kernel_struct_ops"] as? String == "tcp_congestion_ops")
        #expect(item["ops_name"] as? String == "bpf_cubic")
        #expect(item["state"] as? String == "INUSE")
        #expect(item["link_id"] is NSNull)
        #expect((item["object_sha256"] as? String)?.count == 64)
        let id = try #require(item["id"] as? Int)

        let taken = try sandbox.opsctl("register", cubic)
        #expect(taken.status == 1)
        #expect(taken.stderr.contains("bpf_cubic"))

        #expect(
            try sandbox.opsctl("sh", "id", "\(id)").stdout.hasPrefix(
                "\(id): cubic           tcp_congestion_ops"))
        let dump = try sandbox.opsctl("-j", "dump", "name", "cubic")
        #expect(dump.stdout.contains("cubic_ssthresh/prog_id:"))

        let scenario = try sandbox.file("s.yaml", Self.scenario)
        let there = sandbox.folder.appending(path: "there.json").path
        let here = sandbox.folder.appending(path: "here.json").path
        #expect(try sandbox.opsctl("sim", "run", scenario, "-o", there).status == 0)
        #expect(
            try sandbox.opsctl("sim", "run", scenario, "--local", "--object", cubic, "-o", here).status == 0)
        #expect(try Data(contentsOf: URL(filePath: there)) == Data(contentsOf: URL(filePath: here)))

        let gone = try sandbox.opsctl("unregister", "id", "\(id)")
        #expect(gone.stdout == "Unregistered tcp_congestion_ops cubic id \(id)\n")
        #expect(try sandbox.opsctl("-j", "show").stdout == #"{"ok":true,"result":[],"error":null}"# + "\n")
        #expect(try sandbox.opsctl("show", "id", "\(id)").status == 1)
    }

    @Test func survivesTheDeathOfItsRuntime() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        let before = try sandbox.opsctl("-j", "show").stdout
        let held = try Client(path: sandbox.socket)
        _ = try held.call(Call(Method.registryList.rawValue))
        for round in 1...3 {
            let victim = try #require(try sandbox.runtimePID())
            kill(victim, SIGKILL)
            _ = try held.call(Call(Method.registryList.rawValue))
            #expect(try sandbox.opsctl("-j", "show").stdout == before)
            try sandbox.eventually("another runtime is up") {
                let now = try sandbox.runtimePID()
                return now != nil && now != victim
            }
            #expect(sandbox.log.components(separatedBy: "was killed by signal 9").count > round)
        }
        let status = try sandbox.opsctl("-j", "daemon", "status").json()["result"] as? [String: Any]
        #expect(status?["restarts"] as? Int == 3)
    }

    @Test func rerunsASimulationThatDeathInterrupted() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let scenario = Self.scenario.replacing("bpf_cubic", with: "reno").replacing("2s", with: "120s")
        let expected = try sandbox.opsctl("-j", "sim", "run", try sandbox.file("s.yaml", scenario), "--local")
        let client = try Client(path: sandbox.socket)
        let parameters = try JSONValue(encoding: RunParameters(scenario: scenario, file: "s.yaml"))
        var hasKilled = false
        let reply = try client.call(Call(Method.simulationRun.rawValue, parameters, more: true)) { _ in
            guard !hasKilled, let victim = try? sandbox.runtimePID() else { return }
            hasKilled = true
            kill(victim, SIGKILL)
        }
        #expect(hasKilled)
        let document = try JSONValue(parsing: expected.stdout, limits: .reply)
        #expect(reply["result"] == document["result"])
    }

    @Test func endsARunWithItsConnection() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let scenario = Self.scenario.replacing("bpf_cubic", with: "reno").replacing("2s", with: "80000s")
        let call = Call(
            Method.simulationRun.rawValue, try JSONValue(encoding: RunParameters(scenario: scenario)),
            more: true)
        do {
            let socket = try UnixSocket.connect(to: sandbox.socket)
            try socket.send(call.json.frame)
            _ = try socket.receive()
        }
        try sandbox.eventually("the abandoned run is over") {
            try sandbox.opsctl("sim", "list").stdout.contains("cancelled")
        }
    }

    @Test func restoresFromTheStateDirectory() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        #expect(try sandbox.opsctl("register", try Example.reno.get()).status == 0)
        #expect(try sandbox.opsctl("unregister", "name", "reno").status == 0)
        let before = try sandbox.opsctl("-j", "show").stdout
        let last = try sandbox.opsctl("-j", "map", "show").stdout
        #expect(!last.isEmpty)
        sandbox.stop()
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("-j", "show").stdout == before)
        // Ids are never given out again, not even that of what is gone.
        let again =
            try sandbox.opsctl("-j", "register", try Example.reno.get()).json()["result"] as? [[String: Any]]
        let old = try JSONSerialization.jsonObject(with: Data(before.utf8)) as? [String: Any]
        let cubicID = try #require((old?["result"] as? [[String: Any]])?.first?["id"] as? Int)
        #expect(try #require(again?.first?["id"] as? Int) > cubicID + 1)
    }

    @Test func keepsWhatNoLongerLoadsAsFailed() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        try sandbox.start("--state-dir", state.path)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        sandbox.stop()
        let objects = state.appending(path: "objects")
        for name in try FileManager.default.contentsOfDirectory(atPath: objects.path) {
            try Data("no object".utf8).write(to: objects.appending(path: name))
        }
        try sandbox.start("--state-dir", state.path)
        let shown = try #require(
            (try sandbox.opsctl("-j", "show").json()["result"] as? [[String: Any]])?.first)
        #expect(shown["state"] as? String == "FAILED")
        #expect(shown["reason"] is String)
        #expect(try sandbox.opsctl("unregister", "name", "cubic").status == 0)
        #expect(try sandbox.opsctl("-j", "show").stdout.contains(#""result":[]"#))
    }

    @Test func keepsGoingPastAMapThatFails() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let output = try sandbox.opsctl(
            "-j", "register", try Example.cubic.get(), "--map", "cubic", "--map", "absent", "--keep-going")
        #expect(output.status == 1)
        let document = try output.json()
        #expect(document["ok"] as? Bool == false)
        #expect(document["error"] is [String: Any])
    }
}
