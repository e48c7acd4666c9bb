#if arch(x86_64)
    import Foundation
    import Testing

    /// What code that runs in a live runtime can do there, were the verifier wrong: an op tries it, `Escape` says how.
    @Suite(
        "Escape", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
    struct EscapeTests {
        /// One system call, with strings, structs and other memory by the names that `data` gives them.
        struct Act: CustomTestStringConvertible, Sendable {
            var what: String
            var call: String
            var testDescription: String { what }

            init(_ what: String, _ call: String) {
                self.what = what
                self.call = call
            }
        }

        /// None of these may come to anything. BROKER is its process, RUNTIME ours.
        static let acts = [
            Act("open a file", "act(2, (__u64)passwd, 0, 0, 0)"),
            Act("open a file below a folder", "act(257, -100, (__u64)passwd, 0, 0)"),
            Act("open a file, the new way", "act(437, -100, (__u64)passwd, (__u64)how, sizeof(how))"),
            Act("make a file", "act(257, -100, (__u64)made, 0101, 0600)"),
            Act("make a folder", "act(83, (__u64)made, 0700, 0, 0)"),
            Act("remove the daemon's socket", "act(87, (__u64)address + 2, 0, 0, 0)"),
            Act("mount", "act(165, (__u64)passwd, (__u64)passwd, (__u64)passwd, 4096)"),
            Act("change the root", "act(161, (__u64)made, 0, 0, 0)"),
            Act("make a socket", "act(41, 1, 1, 0, 0)"),
            Act("make a network socket", "act(41, 2, 1, 0, 0)"),
            Act("make a pair of sockets", "act(53, 1, 1, 0, (__u64)scratch)"),
            Act("connect to the daemon, to register", "act(42, 3, (__u64)address, sizeof(address), 0)"),
            Act("bind", "act(49, 3, (__u64)address, sizeof(address), 0)"),
            Act("accept", "act(288, 3, 0, 0, 0)"),
            Act("pass a descriptor", "act(46, 3, (__u64)scratch, 0, 0)"),
            Act("be passed one", "act(47, 3, (__u64)scratch, 0, 0)"),
            Act("kill the broker", "act(62, BROKER, 9, 0, 0)"),
            Act("kill the broker's thread", "act(200, BROKER, 9, 0, 0)"),
            Act("kill that thread of the broker", "act(234, BROKER, BROKER, 9, 0)"),
            Act("queue a signal", "act(129, BROKER, 9, (__u64)scratch, 0)"),
            Act("take hold of the broker", "act(434, BROKER, 0, 0, 0)"),
            Act("have the broker signalled", "act(72, 3, 8, BROKER, 0)"),
            Act("start a program", "act(59, (__u64)program, (__u64)scratch, (__u64)scratch, 0)"),
            Act(
                "start a program from memory",
                "(fifth = 0x1000, act(322, act(319, (__u64)program, 0, 0, 0), (__u64)empty, (__u64)scratch, (__u64)scratch))"
            ),
            Act("fork", "act(57, 0, 0, 0, 0)"),
            Act("fork, the other way", "act(58, 0, 0, 0, 0)"),
            Act("clone a process", "act(56, 17, 0, 0, 0)"),
            Act("clone a process, the new way", "act(435, (__u64)scratch, 64, 0, 0)"),
            Act("attach to the broker", "act(101, 16, BROKER, 0, 0)"),
            Act("read the broker's memory", "act(310, BROKER, (__u64)scratch, 1, (__u64)scratch)"),
            Act("write the broker's memory", "act(311, BROKER, (__u64)scratch, 1, (__u64)scratch)"),
            Act("load a program into the kernel", "act(321, 5, (__u64)scratch, sizeof(scratch), 0)"),
            Act("make a ring for I/O", "act(425, 1, (__u64)scratch, 0, 0)"),
            Act("watch faults", "act(323, 0, 0, 0, 0)"),
            Act("watch events", "act(298, (__u64)scratch, BROKER, -1, -1)"),
            Act("get memory to write and execute", "act(9, 0, 4096, 7, 0x22)"),
            Act("make memory executable", "act(10, (__u64)scratch & -4096, 4096, 5, 0)"),
            Act("slow the broker down", "act(141, 0, BROKER, 19, 0)"),
            Act("slow down all of its user", "act(141, 2, 0, 19, 0)"),
            Act("schedule the broker", "act(144, BROKER, 0, (__u64)scratch, 0)"),
            Act("limit the broker", "act(302, BROKER, 7, (__u64)scratch, 0)"),
            Act(
                "limit the broker, with a pointer whose lower half is 0",
                "act(302, BROKER, 7, act(9, 0x100000000, 4096, 3, 0x32), 0)"),
            Act("allow more descriptors", "act(160, 7, (__u64)scratch, 0, 0)"),
            Act("become another user", "act(105, 65534, 0, 0, 0)"),
            Act("let others read our memory", "act(157, 4, 1, 0, 0)"),
            Act("add a filter", "act(317, 1, 0, (__u64)scratch, 0)"),
            Act("leave a namespace", "act(272, 0x10000000, 0, 0, 0)"),
            Act("put keys into a ring", "act(250, 0, -3, 0, 0)"),
            Act("type on the terminal", "act(16, 0, 0x5412, (__u64)passwd, 0)"),
            Act("call by 32-bit numbers of x32", "act(0x40000000 + 2, (__u64)passwd, 0, 0, 0)"),
        ]

        /// What an op of a simulation in a live daemon found out.
        struct Outcome: Sendable {
            /// By what was tried.
            var results: [String: Int64]
            var control: Int64
            var runtimeBefore: pid_t?
            var runtimeAfter: pid_t?
            var brokerLives: Bool
            var wasSlowed: Bool
            var hasSocket: Bool
            var hasMadeFile: Bool
            var registrations: String
        }

        static let outcome: Result<Outcome, any Error> = Result { try live() }

        private static func live() throws -> Outcome {
            let sandbox = try Sandbox()
            try sandbox.start(environment: Escape.environment)
            let daemon = try #require(sandbox.daemon)
            let runtime = try #require(try sandbox.runtimePID())
            let before = niceness(of: daemon.processIdentifier)
            let made = sandbox.folder.appending(path: "made").path
            // sun_family and sun_path
            let address = [1, 0] + Array(sandbox.socket.utf8) + [0]
            let data = """
                #define BROKER \(daemon.processIdentifier)
                static const char passwd[] = "/etc/passwd", made[] = "\(made)", program[] = "/bin/true", empty[] = "";
                static const unsigned char address[] = {\(address.map(String.init).joined(separator: ", "))};
                static volatile __u64 how[3], scratch[64];
                """
            // The first one may be done: it tells that the others truly were tried, and where.
            let calls = ["act(39, 0, 0, 0, 0)"] + acts.map(\.call)
            let object = try Example.compile(
                "escape",
                source: Escape.source(data: data, acts: calls.map { $0 + ";" }.joined(separator: "\n    ")))
            let registered = try sandbox.opsctl("register", object)
            try #require(registered.status == 0, "\(registered.stderr)")

            let results = try trace(sandbox)
            // An act that takes two calls tells of both; the second one is meant.
            var position = 1
            var picked: [String: Int64] = [:]
            for act in acts {
                position += act.call.components(separatedBy: "act(").count - 1
                // By its type: else the optional itself would be what is required, and it always is there.
                let result: Int64 = try #require(results.dropFirst(position - 1).first)
                picked[act.what] = result
            }
            return Outcome(
                results: picked, control: try #require(results.first), runtimeBefore: runtime,
                runtimeAfter: try sandbox.runtimePID(), brokerLives: daemon.isRunning,
                wasSlowed: niceness(of: daemon.processIdentifier) != before,
                hasSocket: FileManager.default.fileExists(atPath: sandbox.socket),
                hasMadeFile: FileManager.default.fileExists(atPath: made),
                registrations: try sandbox.opsctl("show").stdout)
        }

        private static func niceness(of pid: pid_t) -> CInt {
            getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid))
        }

        /// What the acts of one run printed: lines from before somebody follows are nobody's, so there are several runs.
        private static func trace(_ sandbox: Sandbox) throws -> [Int64] {
            let seen = try sandbox.file("trace", "")
            let trace = try sandbox.begin("trace", output: seen)
            defer {
                trace.terminate()
                trace.waitUntilExit()
            }
            let scenario = try sandbox.file("s.yaml", Escape.scenario)
            var lines: [Substring] = []
            try sandbox.eventually("the acts are over") {
                let run = try sandbox.opsctl("sim", "run", scenario)
                try #require(run.status == 0, "\(run.stderr)\n\(sandbox.log)")
                let text = try String(contentsOfFile: seen, encoding: .utf8)
                lines = text.split(separator: "\n")
                return lines.contains { $0.hasSuffix("acts end") } && text.contains("act 0: ")
            }
            let first = try #require(lines.firstIndex { $0.contains("act 0: ") })
            return lines[first...].prefix { !$0.hasSuffix("acts end") }
                .compactMap { $0.split(separator: " ").last.flatMap { Int64($0) } }
        }

        @Test("the op does make system calls: getpid answers with the runtime's")
        func control() throws {
            let outcome = try Self.outcome.get()
            #expect(outcome.control == outcome.runtimeBefore.map { Int64($0) })
            #expect(outcome.results.count == Self.acts.count)
        }

        @Test(arguments: acts)
        func isRefused(act: Act) throws {
            // Callers of clone3 fall back to clone where it does not exist.
            let expected = act.what == "clone a process, the new way" ? ENOSYS : EPERM
            #expect(try Self.outcome.get().results[act.what] == Int64(-expected))
        }

        @Test("nothing has come of it, and the runtime goes on")
        func leavesNoTrace() throws {
            let outcome = try Self.outcome.get()
            #expect(outcome.brokerLives && !outcome.wasSlowed)
            #expect(outcome.hasSocket && !outcome.hasMadeFile)
            #expect(outcome.runtimeAfter == outcome.runtimeBefore)
            #expect(outcome.registrations.split(separator: "\n").count == 1, "\(outcome.registrations)")
        }

        @Test("a system call of another architecture ends the runtime; the op is quarantined")
        func otherArchitecture() throws {
            let sandbox = try Sandbox()
            try sandbox.start(environment: Escape.environment)
            // getpid of i386
            let object = try Example.compile(
                "escape", source: Escape.source(acts: "old_ = find_(D);\nact(20, 0, 0, 0, 0);"))
            #expect(try sandbox.opsctl("register", object).status == 0)
            let run = try sandbox.opsctl("sim", "run", try sandbox.file("s.yaml", Escape.scenario))
            #expect(run.status == 1 && run.stderr.contains("Bad system call"), "\(run.stderr)")
            let status = try sandbox.opsctl("-j", "daemon", "status").json()["result"] as? [String: Any]
            #expect(status?["restarts"] as? Int == 1 && status?["quarantined"] as? Int == 1)
        }
    }
#endif
