import ControlAPI
import Foundation
import Synchronization
import Testing

/// The daemon, its runtime or both are killed at random moments while clients register, update, unregister, detach,
/// register for a while, simulate, and leave jobs; some of those moments lie in a start-up or in a restore.
///
/// `OPSD_CRASH_ROUNDS` rounds (30), from the seed `OPSD_CRASH_SEED` (a new one each time; it is printed).
/// `OPSD_TEST_BINARIES` names a folder of other builds of the programs.
@Suite("Crash", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(240)))
struct CrashTests {
    @Test("what was acknowledged is there, nothing else is half there, no id comes twice")
    func keepsItsPromises() throws {
        try CrashRounds(isDiskFaulty: false).run()
    }

    @Test(
        "the same while calls on the disk fail, with ENOSPC or EIO: what is refused is not there, neither",
        .enabled(if: FaultyDisk.library != nil, "no C compiler for the interposer"))
    func keepsItsPromisesOnAFailingDisk() throws {
        try CrashRounds(isDiskFaulty: true).run()
    }
}

/// One daemon, killed again and again.
private final class CrashRounds {
    private let rounds: UInt64
    private let seed: UInt64
    private var random: SplitMix
    private let sandbox: Sandbox
    private let state: URL
    /// As many runs are kept as a round can make.
    private let configuration: String
    private let clients: [CrashClient]
    private let disk: FaultyDisk?
    private var ids = SeenIDs()
    private var round: UInt64 = 0
    /// Delays are for a machine on which the first registration takes a quarter of a second; on others they are as many
    /// times as long.
    private var pace = 1.0
    /// Where kills hit, to be printed: a test that never hits a commit shows nothing.
    private var hits: [String: Int] = [:]

    init(isDiskFaulty: Bool) throws {
        func number(_ name: String) -> UInt64? {
            ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
        }
        rounds = number("OPSD_CRASH_ROUNDS") ?? (isDiskFaulty ? 15 : 30)
        let seed = number("OPSD_CRASH_SEED") ?? UInt64.random(in: 0..<1 << 32)
        self.seed = seed
        random = SplitMix(state: seed)
        let sandbox = try Sandbox()
        self.sandbox = sandbox
        state = sandbox.folder.appending(path: "state")
        configuration = try sandbox.file("opsd.yaml", "jobs: {keep: 10000, keep-bytes: 1GiB}\n")
        disk = isDiskFaulty ? try FaultyDisk(state, in: sandbox.folder) : nil
        clients = try (0..<3).map {
            try CrashClient(number: $0, socket: sandbox.socket, seed: seed, isDiskFaulty: isDiskFaulty)
        }
    }

    private func start() throws {
        try sandbox.start("--config", configuration, "--state-dir", state.path, environment: environment)
    }

    private var environment: [String: String] {
        // Swift's own handler would print a backtrace of what the test has killed.
        ["SWIFT_BACKTRACE": "enable=no"].merging(disk?.environment ?? [:]) { $1 }
    }

    func run() throws {
        print("crash test: \(rounds) rounds, OPSD_CRASH_SEED=\(seed)")
        try start()
        measurePace()
        while round < rounds, !clients.contains(where: \.hasFailed) {
            round += 1
            let victims = ["broker", "runtime", "both"][Int(random.next() % 3)]
            try work(thenKill: victims)
            if victims != "runtime" {
                try noteCommit()
                if random.next() % 2 == 0 { try killInStartUp() }
                disk?.heal()
                try start()
            }
            disk?.heal()
            if random.next() % 3 == 0 { try killInRestore() }
            try check("round \(round), seed \(seed), killed: \(victims)")
        }
        let sums = clients.map(\.counts).reduce(into: [:]) { $0.merge($1) { $0 + $1 } }
        print("crash test: \(round) rounds; \(text(sums)); kills: \(text(hits))")
    }

    /// By the first registration that is acknowledged: whatever the first kill hits, there is something to lose.
    private func measurePace() {
        let begin = ContinuousClock.now
        let client = clients[0]
        client.work { client.hasFailed || client.counts["acknowledged register"] != nil }
        pace = max(1, (ContinuousClock.now - begin) / .milliseconds(250))
    }

    /// A random time of up to so many microseconds, in terms of `pace`.
    private func rest(_ microseconds: UInt64) {
        usleep(UInt32(Double(random.next() % microseconds) * pace))
    }

    private func text(_ counts: [String: Int]) -> String {
        counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    // MARK: Kills

    private func work(thenKill victims: String) throws {
        let isOver = Mutex(false)
        let group = DispatchGroup()
        for client in clients {
            group.enter()
            Thread {
                client.work { isOver.withLock { $0 } }
                group.leave()
            }.start()
        }
        // Half of them while the registrations of the round before may still be being restored.
        rest(random.next() % 2 == 0 ? 30_000 : 400_000)
        if let disk {
            disk.failAtRandom(
                with: random.next() % 2 == 0 ? ENOSPC : EIO,
                inAThousand: [5, 50, 500][Int(random.next() % 3)],
                seed: random.next())
            rest(400_000)
        }
        let daemon = try #require(sandbox.daemon)
        if victims != "broker" {
            for child in children(of: daemon.processIdentifier) { kill(child, SIGKILL) }
        }
        if victims == "runtime" {
            rest(200_000)
        } else {
            kill(daemon.processIdentifier, SIGKILL)
            daemon.waitUntilExit()
        }
        isOver.withLock { $0 = true }
        group.wait()
    }

    /// Drafts that nobody has renamed are left by a kill in the middle of a commit.
    private func noteCommit() throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: state.path + "/objects")) ?? []
        hits["in a commit", default: 0] += names.contains { $0.hasSuffix(".new") } ? 1 : 0
    }

    private func killInStartUp() throws {
        let daemon = try sandbox.launch(
            ["--config", configuration, "--state-dir", state.path], environment: environment)
        rest(random.next() % 2 == 0 ? 20_000 : 200_000)
        let isReady = (try? Client(path: sandbox.socket)) != nil
        hits[isReady ? "just started" : "before ready", default: 0] += 1
        kill(daemon.processIdentifier, SIGKILL)
        daemon.waitUntilExit()
    }

    /// A runtime that is killed twice over one registration is held against that: so once at most.
    private func killInRestore() throws {
        let daemon = try #require(sandbox.daemon)
        rest(40_000)
        let status = try? Client(path: sandbox.socket).call(Call(Method.daemonStatus.rawValue))
        guard status?["runtime_pid"]?.integer == nil else { return }
        for child in children(of: daemon.processIdentifier) {
            kill(child, SIGKILL)
            hits["in a restore", default: 0] += 1
        }
    }

    private func children(of pid: pid_t) -> [pid_t] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return tasks.flatMap { task in
            let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/children", encoding: .utf8)
            return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
        }
    }

    // MARK: Checks

    private func check(_ round: String) throws {
        // The daemon learns of the end of a connection when it gets to it.
        for client in clients { client.endTransient() }
        try sandbox.eventually("transient registrations have ended") {
            try !list().contains { CrashClient.isTransient($0) }
        }
        let listed = try list()
        for client in clients { client.check(listed, &ids, round) }
        let connection = try Client(path: sandbox.socket)
        try sandbox.eventually("jobs come to their end") {
            try clients.allSatisfy { try $0.checkJobs(connection, round) }
        }
        try checkFiles(state.appending(path: "objects"), listed)
        let found = try Client(path: sandbox.socket).call(Call(Method.registryVerify.rawValue))
            .decode(as: RegistryVerification.self)
        // A disk that failed at the last commit may be behind until the next, or the next start.
        if disk == nil { #expect(found.problems == [], "\(round)") }
        #expect(!found.lost, "\(round): \(found.foundAtStart)")
    }

    private func list() throws -> [Registration] {
        let client = try Client(path: sandbox.socket)
        let reply = try client.call(Call(Method.registryList.rawValue)).decode(as: RegistrationsReply.self)
        // What a run still holds has been unregistered.
        return reply.registrations.filter { $0.state != "TOBEFREE" }
    }

    /// One object for each that is registered, and a manifest; nothing half written.
    private func checkFiles(_ objects: URL, _ listed: [Registration]) throws {
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: objects.path))
        for registration in listed {
            #expect(names.contains(registration.objectSha256 + ".o"))
            if disk == nil { #expect(names.contains(registration.objectSha256 + ".json")) }
        }
        guard disk == nil else { return }
        #expect(names.filter { $0.hasSuffix(".o") }.count == Set(listed.map(\.objectSha256)).count)
    }
}

/// Ids that were acknowledged: each belongs to one registration for ever.
struct SeenIDs {
    private var owners: [UInt32: String] = [:]
    private var links: [UInt32: String] = [:]

    /// - Returns: whether the ids are new, or this registration's own.
    mutating func note(_ registration: Registration) -> Bool {
        let owner = "\(registration.name) \(registration.objectSha256)"
        let isOwn = owners.updateValue(owner, forKey: registration.id).map { $0 == owner } ?? true
        guard let link = registration.linkID else { return isOwn }
        return (links.updateValue(registration.name, forKey: link).map { $0 == registration.name } ?? true)
            && isOwn
    }
}

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
