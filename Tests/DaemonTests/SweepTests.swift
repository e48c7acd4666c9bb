import Foundation
import Glibc
import Testing

/// Sweeps as processes: killed ones, and those that Slurm runs.
@Suite("Sweeps as processes") struct SweepTests {
    private static let sweep = """
        name: process
        scenario:
          duration: 2s
          links: {b: {rate: 10Mbit, delay: 2ms, buffer: 1bdp, loss: 1%}}
          flows: [{name: a, cc: cubic, path: [b], rtt: 4ms}]
        axes: {flows.a.rtt: [4ms, 8ms]}
        seeds: 1..5
        algorithms: [cubic, reno]
        """

    private static func missing(_ sandbox: Sandbox, _ database: String) throws -> Int? {
        let shown = try? sandbox.opsctl("-j", "sim", "sweep", "show", database).json()
        return (shown?["result"] as? [String: Any])?["missing"] as? Int
    }

    /// - Returns: how many runs were missing when the sweep was killed, soon after the first had been recorded.
    private static func killed(_ sandbox: Sandbox, _ file: String, _ database: String) throws -> Int {
        let process = Process()
        process.executableURL = Sandbox.binaries.appending(path: "opsctl")
        process.arguments = ["sim", "sweep", file, "-o", database, "--workers", "1"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.runWithOpenSignals()
        try sandbox.eventually("some runs are done") {
            (try missing(sandbox, database) ?? 20) < 20 || !process.isRunning
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return try #require(try missing(sandbox, database))
    }

    @Test("after SIGKILL only what is missing runs, and the rows are those of an unbroken sweep")
    func survivesSIGKILL() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("s.yaml", Self.sweep)
        let (whole, broken) = (sandbox.folder.path + "/whole.db", sandbox.folder.path + "/broken.db")
        #expect(try sandbox.opsctl("sim", "sweep", file, "-o", whole, "--workers", "2").status == 0)

        // Where this process had to wait, the sweep may be over before it is killed.
        var missing = 0
        for _ in 0..<20 where missing == 0 {
            try? FileManager.default.removeItem(atPath: broken)
            missing = try Self.killed(sandbox, file, broken)
        }
        try #require((1..<20).contains(missing), "it was killed in the middle")

        let resumed = try sandbox.opsctl("-j", "sim", "sweep", "resume", broken).json()
        #expect((resumed["result"] as? [String: Any])?["done"] as? Int == 20)
        let exports = try [whole, broken].map { try sandbox.opsctl("sim", "sweep", "export", $0).stdout }
        #expect(exports[0] == exports[1] && exports[0].split(separator: "\n").count == 21)
    }

    private static let words = ["--executor", "slurm", "--tasks", "2"]

    private static func opsctl(_ words: [String], _ environment: [String: String]) throws -> Sandbox.Output {
        try Sandbox.run(
            Sandbox.binaries.appending(path: "opsctl").path, words, environment: environment)
    }

    /// What Slurm does with a task that dies cannot be had on demand: here its two programs are scripts.
    @Test("a task that does not do its part is named, and the same command goes on from there")
    func namesFailedTasks() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("s.yaml", Self.sweep)
        let database = sandbox.folder.path + "/s.db"
        let scripts = [
            "sbatch":
                "for script; do :; done; for n in $TASKS; do SLURM_ARRAY_TASK_ID=$n sh -c \"$script\"; done > log; echo 7",
            "squeue": "exit 0",
        ]
        for (name, script) in scripts {
            let path = try sandbox.file(name, "#!/bin/sh\ncd \(sandbox.folder.path)\n\(script)\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
        let path = sandbox.folder.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
        let words = ["sim", "sweep", file, "-o", database] + Self.words
        let broken = try Self.opsctl(words, ["PATH": path, "TASKS": "0"])
        #expect(broken.status == 1)
        #expect(broken.stderr.contains("1 tasks of job 7"), "\(broken.stderr)")
        #expect(broken.stderr.contains("task 1: 10 of 10 runs missing: it printed nothing"))
        #expect(try Self.missing(sandbox, database) == 10)
        let whole = try Self.opsctl(words, ["PATH": path, "TASKS": "0 1"])
        #expect(whole.status == 0, "\(whole.stderr)")
        #expect(try Self.missing(sandbox, database) == 0)
    }

    @Test(
        "through Slurm: the same rows",
        .enabled(if: isSlurmInstalled, "slurmctld, slurmd or munged is missing: Scripts/test-deps"),
        .timeLimit(.minutes(30)))
    func runsThroughSlurm() throws {
        let sandbox = try Sandbox()
        let script = Sandbox.root.appending(path: "Tests/slurm/cluster").path
        let cluster = try Sandbox.run(script, ["start", sandbox.folder.path])
        defer { _ = try? Sandbox.run(script, ["stop", sandbox.folder.path]) }
        try #require(cluster.status == 0, "\(cluster.stderr)")
        let environment = ["SLURM_CONF": sandbox.folder.appending(path: "slurm.conf").path]
        let file = try sandbox.file("s.yaml", Self.sweep)
        let (local, slurm) = (sandbox.folder.path + "/local.db", sandbox.folder.path + "/slurm.db")
        #expect(try sandbox.opsctl("sim", "sweep", file, "-o", local).status == 0)
        let output = try Self.opsctl(["sim", "sweep", file, "-o", slurm] + Self.words, environment)
        try #require(output.status == 0, "\(output.stderr)")
        #expect(output.stdout.contains("20 of 20 runs done"))
        #expect(!FileManager.default.fileExists(atPath: slurm + ".slurm"))
        let exports = try [local, slurm].map { try sandbox.opsctl("sim", "sweep", "export", $0).stdout }
        #expect(exports[0] == exports[1])
    }

    private static let isSlurmInstalled = ["munged", "slurmctld", "slurmd", "sbatch"].allSatisfy { name in
        ["/usr/sbin/", "/usr/bin/"].contains { access($0 + name, X_OK) == 0 }
    }
}
