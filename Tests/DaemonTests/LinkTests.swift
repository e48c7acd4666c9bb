import Foundation
import Testing

/// Links and their owners, through the daemon.
@Suite("Links", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct LinkTests {
    /// An example behind a link, which alone can be updated.
    private func linked(_ name: String = "reno") throws -> String {
        try Example.compile(name, source: Example.linkSource(name))
    }

    private func shown(_ sandbox: Sandbox) throws -> [[String: Any]] {
        try sandbox.opsctl("-j", "show").json()["result"] as? [[String: Any]] ?? []
    }

    @Test func transientRegistrationEndsWithItsConnection() throws {
        let sandbox = try Sandbox()
        try sandbox.start("--state-dir", sandbox.folder.path)
        let owner = try sandbox.begin("register", "--transient", try linked())
        try sandbox.eventually("it is registered") { try shown(sandbox).count == 1 }
        // A runtime that dies takes it along, and its owner hears of that; so does the end of its owner.
        owner.interrupt()
        owner.waitUntilExit()
        try sandbox.eventually("it has ended with its connection") { try shown(sandbox).isEmpty }

        let other = try sandbox.begin("register", "--transient", try linked())
        try sandbox.eventually("it is registered") { try shown(sandbox).count == 1 }
        kill(try #require(try sandbox.runtimePID()), SIGKILL)
        other.waitUntilExit()
        #expect(other.terminationStatus == 1)
        #expect(try shown(sandbox).isEmpty)
    }

    @Test func waitTellsHowARegistrationEnded() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let object = try linked()
        #expect(try sandbox.opsctl("register", object).status == 0)
        let name = try #require(try shown(sandbox).first?["name"] as? String)
        let waiter = try sandbox.begin("wait", "--detached", "name", name)
        // It follows the link through an update.
        #expect(try sandbox.opsctl("update", "name", name, object).status == 0)
        #expect(waiter.isRunning)
        #expect(try sandbox.opsctl("unregister", "name", name).status == 0)
        waiter.waitUntilExit()
        #expect(waiter.terminationStatus == 0)
        #expect(try sandbox.opsctl("wait", "--detached", "name", name).status == 1)
        #expect(try sandbox.opsctl("wait", "name", name).status == 2)
    }

    @Test func trialIsShownAndEndsByItself() throws {
        let sandbox = try Sandbox()
        try sandbox.start("--state-dir", sandbox.folder.path)
        let object = try linked()
        #expect(try sandbox.opsctl("register", object).status == 0)
        let old = try #require(try shown(sandbox).first)
        let name = try #require(old["name"] as? String)
        #expect(try sandbox.opsctl("update", "name", name, object, "--trial", "3s").status == 0)
        let during = try shown(sandbox)
        #expect(during.count == 2, "what was replaced is kept for the trial's time")
        let trial = try #require(during.last?["trial"] as? [String: Any])
        #expect(trial["fallback"] as? Int == old["id"] as? Int)
        let users = try #require(
            try sandbox.opsctl("-j", "users", "id", "\(old["id"] ?? 0)").json()["result"] as? [[String: Any]])
        #expect(users.map { $0["kind"] as? String } == ["fallback"])
        try sandbox.eventually("the trial is over") { try shown(sandbox).count == 1 }
        let after = try #require(try shown(sandbox).first)
        #expect(after["id"] as? Int == during.last?["id"] as? Int)
        #expect(after["trial"] == nil)
    }

    @Test func deathInATrialBringsTheOldOneBack() throws {
        let sandbox = try Sandbox()
        try sandbox.start("--state-dir", sandbox.folder.path)
        let object = try linked()
        #expect(try sandbox.opsctl("register", object).status == 0)
        let old = try #require(try shown(sandbox).first)
        let name = try #require(old["name"] as? String)
        #expect(try sandbox.opsctl("update", "name", name, try linked("aimd"), "--trial", "600s").status == 1)
        let changed = try Example.compile(
            "reno", source: Example.linkSource().replacing("snd_cwnd >> 1, 2)", with: "snd_cwnd >> 1, 4)"))
        #expect(try sandbox.opsctl("update", "name", name, changed, "--trial", "600s").status == 0)
        kill(try #require(try sandbox.runtimePID()), SIGKILL)
        try sandbox.eventually("the old one is in use again") {
            try shown(sandbox).contains {
                $0["id"] as? Int == old["id"] as? Int && $0["state"] as? String == "READY"
            }
        }
        let failed = try #require(try shown(sandbox).first { $0["state"] as? String == "FAILED" })
        #expect((failed["reason"] as? String)?.contains("trial") == true)
        // Both are what the disk says, too.
        sandbox.stop()
        try sandbox.start("--state-dir", sandbox.folder.path)
        #expect(try shown(sandbox).map { $0["state"] as? String } == ["READY", "FAILED"])
    }

    /// Ops `tried`, whose windows grow by this.
    private func tried(_ body: String) throws -> String {
        try Example.compile(
            "tried",
            source: """
                #include "vmlinux.h"
                #include "bpf_helpers.h"
                #include "tcp_helpers.h"
                char licence[] SEC("license") = "GPL";
                static int spin(__u32 i, void *data) { return 0; }
                SEC("struct_ops/a") void OPS_PROG(a, struct sock *sk, __u32 ack, __u32 acked) { \(body) }
                SEC("struct_ops/b") __u32 OPS_PROG(b, struct sock *sk) { return 2; }
                SEC("struct_ops/c") __u32 OPS_PROG(c, struct sock *sk) { return 2; }
                SEC(".struct_ops.link") struct tcp_congestion_ops tried = {
                    .cong_avoid = (void *)a, .ssthresh = (void *)b, .undo_cwnd = (void *)c, .name = "tried",
                };
                """)
    }

    @Test("a trial goes on for its rest when the daemon is started again")
    func trialOutlivesTheDaemon() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state").path
        try sandbox.start("--state-dir", state)
        #expect(try sandbox.opsctl("register", try tried("")).status == 0)
        let old = try #require(try shown(sandbox).first?["id"] as? Int)
        let endless = try tried("bpf_loop(1 << 23, spin, 0, 0); bpf_loop(1 << 23, spin, 0, 0);")
        #expect(try sandbox.opsctl("update", "name", "tried", endless, "--trial", "600s").status == 0)
        let new = try #require(try shown(sandbox).last?["id"] as? Int)
        kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
        try sandbox.start("--state-dir", state)
        try sandbox.eventually("it is on trial again") {
            let trial = try shown(sandbox).first { $0["id"] as? Int == new }?["trial"] as? [String: Any]
            return trial?["fallback"] as? Int == old && (trial?["left_s"] as? Double ?? 0) < 600
        }
        let scenario = try sandbox.file(
            "s.yaml",
            "{duration: 5s, links: {l: {rate: 10Mbit, delay: 1ms, buffer: 100p}},"
                + " flows: [{name: a, cc: tried, path: [l], rtt: 10ms}]}")
        #expect(try sandbox.opsctl("-j", "sim", "run", scenario).stdout.contains("\"kind\":\"faults\""))
        for _ in 0..<2 {
            #expect(try shown(sandbox).map { $0["id"] as? Int } == [old])
            #expect(try shown(sandbox).first?["state"] as? String == "READY")
            sandbox.stop()
            try sandbox.start("--state-dir", state)
        }

        // One whose time ends while nobody is there.
        #expect(try sandbox.opsctl("update", "name", "tried", endless, "--trial", "100ms").status == 0)
        kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
        usleep(200_000)
        try sandbox.start("--state-dir", state)
        let only = try #require(try shown(sandbox).first)
        #expect(only["id"] as? Int != old && only["trial"] == nil && only["state"] as? String == "READY")
        #expect(try FileManager.default.contentsOfDirectory(atPath: state + "/trials").isEmpty)
    }

    @Test func updatesUnderALiveRun() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let object = try linked()
        #expect(try sandbox.opsctl("register", object).status == 0)
        let registration = try #require(try shown(sandbox).first)
        let (name, cc) = (registration["name"] as? String ?? "", registration["ops_name"] as? String ?? "")
        let scenario = try sandbox.file(
            "live.yaml",
            """
            duration: 3600s
            links: {b: {rate: 50Mbit, delay: 1ms, buffer: 1bdp}}
            flows: [{name: a, count: 20, cc: \(cc), path: [b], rtt: 10ms, app: {transfer: 20kB, count: 1000000, gap: 5ms}}]
            record: off

            """)
        let output = try sandbox.opsctl("-j", "sim", "run", "--live", "--detach", scenario)
        let run = try #require(try output.json()["result"] as? [String: Any])
        let id = try #require(run["id"] as? Int)
        var old = try #require(registration["id"] as? Int)
        for _ in 0..<20 {
            #expect(try sandbox.opsctl("update", "name", name, object).status == 0)
            // Flows take the new ones, and the old one goes while the run goes on.
            try sandbox.eventually("what was replaced is gone") {
                try !shown(sandbox).contains { $0["id"] as? Int == old }
            }
            old = try #require(try shown(sandbox).first?["id"] as? Int)
            let users = try sandbox.opsctl("-j", "users", "name", name).json()["result"] as? [[String: Any]]
            #expect(users?.first { $0["kind"] as? String == "link" } != nil)
        }
        #expect(try sandbox.opsctl("sim", "cancel", "id", "\(id)").status == 0)
    }
}
