import Foundation
import Testing

/// Runs as jobs of the daemon.
@Suite("Jobs", .timeLimit(.minutes(30)))
struct JobTests {
    private func scenario(_ sandbox: Sandbox, _ name: String, duration: String, cc: String = "reno") throws
        -> String
    {
        try sandbox.file(
            name,
            """
            duration: \(duration)
            links: {b: {rate: 50Mbit, delay: 10ms, buffer: 1bdp}}
            flows: [{name: a, count: 4, cc: \(cc), path: [b], rtt: 20ms}]
            record: off

            """)
    }

    private func start(_ sandbox: Sandbox, _ file: String, _ options: String...) throws -> Int {
        let output = try Sandbox.run(
            Sandbox.binaries.appending(path: "opsctl").path,
            ["--socket", sandbox.socket, "-j", "sim", "run", "--detach", file] + options)
        let run = try #require(
            try output.json()["result"] as? [String: Any], Comment(rawValue: output.stderr))
        return try #require(run["id"] as? Int)
    }

    private func states(_ sandbox: Sandbox) throws -> [Int: String] {
        let runs = try sandbox.opsctl("-j", "sim", "list").json()["result"] as? [[String: Any]] ?? []
        return Dictionary(
            runs.map { ($0["id"] as? Int ?? 0, $0["state"] as? String ?? "?") }, uniquingKeysWith: { $1 })
    }

    private func reloads(_ sandbox: Sandbox) -> Int {
        sandbox.log.components(separatedBy: "reloaded").count - 1
    }

    @Test func waitByPriorityAndAge() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let long = try scenario(sandbox, "long.yaml", duration: "86400s")
        // As many as there are processors go on.
        let running = try (0..<ProcessInfo.processInfo.activeProcessorCount).map { _ in
            try start(sandbox, long)
        }
        let first = try start(sandbox, long)
        let second = try start(sandbox, long)
        let urgent = try start(sandbox, long, "--priority", "5")
        var now = try states(sandbox)
        #expect(running.allSatisfy { now[$0] == "running" })
        #expect([first, second, urgent].allSatisfy { now[$0] == "queued" })

        #expect(try sandbox.opsctl("sim", "cancel", "id", "\(running[0])").status == 0)
        try sandbox.eventually("the urgent one goes on") { try states(sandbox)[urgent] == "running" }
        now = try states(sandbox)
        #expect(now[running[0]] == "cancelled" && now[first] == "queued" && now[second] == "queued")
        #expect(try sandbox.opsctl("sim", "cancel", "id", "\(first)").status == 0)
        #expect(try states(sandbox)[first] == "cancelled", "a queued one at once")
        #expect(try sandbox.opsctl("sim", "cancel", "id", "\(urgent)").status == 0)
        try sandbox.eventually("the next one goes on") { try states(sandbox)[second] == "running" }
    }

    @Test func goOnWithoutTheirConnection() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let file = try scenario(sandbox, "short.yaml", duration: "20s")
        let id = try start(sandbox, file)
        let watched = try sandbox.opsctl("-j", "sim", "watch", "id", "\(id)")
        #expect(watched.status == 0)
        #expect(try sandbox.opsctl("-j", "sim", "result", "id", "\(id)").stdout == watched.stdout)
        #expect(try sandbox.opsctl("-j", "sim", "run", file).stdout == watched.stdout)
        #expect(try states(sandbox)[id] == "done")
    }

    @Test func areBegunAgainWhenTheRuntimeDies() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let file = try scenario(sandbox, "long.yaml", duration: "100s")
        let id = try start(sandbox, file)
        try sandbox.eventually("it goes on") { try states(sandbox)[id] == "running" }
        kill(try #require(try sandbox.runtimePID()), SIGKILL)
        #expect(try sandbox.opsctl("sim", "watch", "id", "\(id)").status == 0)
        #expect(try states(sandbox)[id] == "done")
    }

    @Test(.enabled(if: Example.clang != nil, "no clang with a bpf target"))
    func ejectWhatDoesNotEnd() throws {
        let source = """
            #include "vmlinux.h"
            #include "bpf_helpers.h"
            #include "tcp_helpers.h"
            char licence[] SEC("license") = "GPL";
            static int spin(__u32 i, void *data) { return 0; }
            SEC("struct_ops/a") void OPS_PROG(a, struct sock *sk, __u32 ack, __u32 acked)
            {
                bpf_loop(1 << 23, spin, 0, 0);
                bpf_loop(1 << 23, spin, 0, 0);
            }
            SEC("struct_ops/b") __u32 OPS_PROG(b, struct sock *sk) { return 2; }
            SEC("struct_ops/c") __u32 OPS_PROG(c, struct sock *sk) { return 2; }
            SEC(".struct_ops.link") struct tcp_congestion_ops endless = {
                .cong_avoid = (void *)a, .ssthresh = (void *)b, .undo_cwnd = (void *)c, .name = "endless",
            };
            """
        let sandbox = try Sandbox()
        try sandbox.start("--state-dir", sandbox.folder.path)
        #expect(try sandbox.opsctl("register", try Example.compile("endless", source: source)).status == 0)
        let waiter = try sandbox.begin("wait", "--detached", "name", "endless")
        let file = try scenario(sandbox, "s.yaml", duration: "5s", cc: "endless")
        let output = try sandbox.opsctl("-j", "sim", "run", file)
        let result = try #require(
            try output.json()["result"] as? [String: Any], Comment(rawValue: output.stderr))
        #expect((result["ejected"] as? [[String: Any]])?.first?["kind"] as? String == "faults")
        waiter.waitUntilExit()
        #expect(waiter.terminationStatus == 1)
        let records = try sandbox.opsctl("-j", "ejected").json()["result"] as? [[String: Any]]
        let record = try #require(records?.first)
        #expect((record["reason"] as? String)?.contains("ran out of fuel") == true)
        #expect((record["dump"] as? [String: Any])?["sockets"] != nil)
        #expect(record["budget"] as? String == "faults" && record["limit"] as? Int == 16)
        let calls = try #require(record["last_calls"] as? [[String: Any]])
        #expect(calls.count == 16 && calls.last?["op"] as? String == "cong_avoid")
        #expect(sandbox.log.contains("OPS_BUDGET=faults OPS_LIMIT=16 OPS_VALUE=16"))
        #expect(try sandbox.opsctl("ejected", "name", "endless").stdout.contains("cong_avoid(ack="))
        // Not in use, here and after a restart.
        #expect(try sandbox.opsctl("sim", "run", file).status == 1)
        sandbox.stop()
        try sandbox.start("--state-dir", sandbox.folder.path)
        #expect((try sandbox.opsctl("-j", "show").json()["result"] as? [Any])?.isEmpty == true)
        // Why, that is still known.
        let kept = try sandbox.opsctl("-j", "ejected").json()["result"] as? [[String: Any]]
        #expect(kept.map { $0 as NSArray } == records.map { $0 as NSArray })
    }

    @Test func areBoundedAsConfigured() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        let config = try sandbox.file(
            "opsd.yaml", "jobs: {workers: 1, queue: 1, keep: 1}\n")
        try sandbox.start("--config", config, "--state-dir", state)
        func reload(_ jobs: String) throws {
            let before = reloads(sandbox)
            _ = try sandbox.file("opsd.yaml", "jobs: \(jobs)\n")
            kill(try #require(sandbox.daemon).processIdentifier, SIGHUP)
            try sandbox.eventually("it is reloaded") { reloads(sandbox) > before }
        }
        let long = try scenario(sandbox, "long.yaml", duration: "86400s")
        let (first, second) = (try start(sandbox, long), try start(sandbox, long))
        let third = try sandbox.opsctl("sim", "run", "--detach", long)
        #expect(third.status == 1 && third.stderr.contains("1 simulations wait already"), "\(third.stderr)")
        // A reload changes what holds for the next ones.
        try reload("{workers: 1, queue: 1, wall-time: 1s, keep: 1}")
        #expect(try states(sandbox) == [first: "running", second: "queued"])
        #expect(try sandbox.opsctl("sim", "cancel", "id", "\(first)").status == 0)
        try sandbox.eventually("the second has taken too long, and is the one that is kept") {
            try states(sandbox) == [second: "failed"]
        }
        let result = try sandbox.opsctl("sim", "result", "id", "\(second)")
        #expect(result.status == 1 && result.stderr.contains("'jobs.wall-time' is 1 s"), "\(result.stderr)")
        #expect(
            try sandbox.opsctl("sim", "result", "id", "\(first)").stderr.contains("no simulation with id"))
        try sandbox.eventually("what is not kept is off the disk") {
            try FileManager.default.contentsOfDirectory(atPath: state + "/runs") == ["\(second)"]
        }
        try reload("{workers: 1, queue: 0}")
        _ = try start(sandbox, long)
        #expect(try sandbox.opsctl("sim", "run", long).stderr.contains("0 simulations wait already"))
    }

    @Test func andTheirResultsOutliveTheDaemon() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        try sandbox.start("--state-dir", state)
        let file = try scenario(sandbox, "short.yaml", duration: "5s")
        let ids = try (0..<3).map { _ in try start(sandbox, file) }
        let results = try ids.map { try sandbox.opsctl("-j", "sim", "watch", "id", "\($0)").stdout }
        #expect(results.allSatisfy { $0.contains("\"ok\":true") })
        try sandbox.eventually("results are on disk") {
            try FileManager.default.contentsOfDirectory(atPath: state + "/runs").count == 3
                && ids.allSatisfy {
                    try String(contentsOfFile: state + "/runs/\($0)", encoding: .utf8).contains("ended_at")
                }
        }
        let unfinished = try start(sandbox, try scenario(sandbox, "long.yaml", duration: "86400s"))
        let before = try states(sandbox)
        #expect(before[unfinished] == "running")
        kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
        try sandbox.start("--state-dir", state)
        // The job goes on, from its begin; the others are as they were.
        try sandbox.eventually("the job goes on") { try states(sandbox) == before }
        for (id, result) in zip(ids, results) {
            #expect(try sandbox.opsctl("-j", "sim", "result", "id", "\(id)").stdout == result)
        }
        #expect(try start(sandbox, file) == unfinished + 1, "no id comes twice")
        #expect(try sandbox.opsctl("sim", "cancel", "id", "\(unfinished)").status == 0)
        // It has not ended before the next event boundary, but it does not come back either.
        kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
        sandbox.daemon?.waitUntilExit()

        // One that is damaged costs itself only.
        let (body, head) = (state + "/runs/\(ids[0])", state + "/runs/\(ids[1])")
        var bytes = try Data(contentsOf: URL(filePath: body))
        bytes[bytes.count - 5] ^= 1
        try bytes.write(to: URL(filePath: body))
        try Data("{\"record\":".utf8).write(to: URL(filePath: head))
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("sim", "result", "id", "\(ids[0])").stderr.contains("is damaged"))
        #expect(try states(sandbox)[ids[1]] == nil)
        #expect(sandbox.log.contains("'runs/\(ids[1])' is damaged; it was put aside"))
        #expect(FileManager.default.fileExists(atPath: state + "/damaged/runs-\(ids[1])"))
        #expect(try sandbox.opsctl("-j", "sim", "result", "id", "\(ids[2])").stdout == results[2])
        #expect(try states(sandbox)[unfinished] == "cancelled")
    }
}
