import Synchronization
import Testing

@testable import BPF
@testable import Verifier

/// What a refusal says, and to whom.
@Suite("Reports") struct ReportTests {
    private static let map = MapDescription(
        name: "counts", type: .hash, keySize: 4, valueSize: 64, maxEntries: 8)

    /// ```
    /// 10  u32 key = 0;
    /// 11  u64 *value = bpf_map_lookup_elem(&counts, &key);
    /// 13  return value[…];
    /// ```
    private func lookup(_ rest: [Instruction]) throws -> ProgramImage {
        let insns: [Instruction] =
            [Asm.store(.word, 10, -4, 0)] + Asm.map(1, 0)
            + [
                Asm.mov(2, reg: 10), Asm.add(2, -4), Asm.call(helper: "map_lookup_elem"),
            ] + rest
        let texts = [
            "src/prog.bpf.c", "    u32 key = 0;", "    u64 *value = bpf_map_lookup_elem(&counts, &key);",
            "    return value[i];",
        ]
        let (btf, offsets) = try strings(texts)
        func line(_ insn: Int, _ text: Int, _ line: Int, _ column: Int) -> LineSpec {
            LineSpec(insn: insn, file: offsets[0], text: offsets[text], line: line, column: column)
        }
        return ProgramImage(
            name: "count", section: "tc", insns: insns, maps: [Self.map], btf: btf,
            lines: [line(0, 1, 10, 9), line(1, 2, 11, 18), line(6, 3, 13, 12)])
    }

    /// Types whose strings are these, and where each stands among them: an integer may have any name.
    private func strings(_ texts: [String]) throws -> (btf: BTF, offsets: [UInt32]) {
        var builder = BTFBuilder()
        for text in texts { _ = builder.int(text, byteCount: 4) }
        let btf = try builder.build()
        let offsets = (1...texts.count).map { btf.storage.record(of: TypeID($0))?.nameOffset ?? 0 }
        return (btf, offsets)
    }

    private func report(_ image: ProgramImage) throws -> VerificationReport {
        let outcome = verify(image, in: try .derived(fromSection: "tc"))
        return try #require(outcome.report)
    }

    @Test func nullCheckIsAskedForByName() throws {
        let report = try report(lookup([Asm.load(.double, 0, 0, 0), Asm.exit]))
        #expect(report.problem == "R0 invalid mem access 'map_value_or_null'")
        #expect(report.suggestion?.hasPrefix("Add `if (!value) return 0;` before line 13") == true)
        #expect(
            report.causalPath.map(\.description) == [
                "prog.bpf.c:11: `u64 *value = bpf_map_lookup_elem(&counts, &key);`: result of bpf_map_lookup_elem(): a value of map 'counts', or NULL"
            ])
        #expect(report.at?.source.map(\.number) == [11, 13])
        #expect(report.verdict == .rejected)
    }

    @Test func rangesOfAnIndexAreTold() throws {
        let image = try lookup([
            Asm.mov(6, reg: 0), Asm.call(helper: "get_prandom_u32"), Asm.jump(Opcode.jeq, 6, 0, 4),
            Asm.jump(Opcode.jgt, 0, 100, 3), Asm.add(6, reg: 0), Asm.load(.byte, 0, 6, 0), Asm.exit,
            Asm.mov(0, 0), Asm.exit,
        ])
        let report = try report(image)
        #expect(report.problem == "invalid access to map value, map value_size=64 off=100 size=1")
        #expect(report.suggestion?.contains(">= 64") == true, "\(report.suggestion ?? "")")
    }

    @Test func aPathTellsBranchesOfTheValue() throws {
        let image = try lookup([
            Asm.mov(6, reg: 0), Asm.jump(Opcode.jeq, 6, 0, 1), Asm.goto(1), Asm.load(.double, 0, 6, 0),
            Asm.mov(0, 0), Asm.exit,
        ])
        let report = try report(image)
        #expect(report.problem == "R6 invalid mem access 'scalar'")
        #expect(report.causalPath.map(\.text).contains { $0.hasPrefix("branch taken: if r6 == 0x0") })
    }

    @Test func destroyedRegistersNameTheCall() throws {
        let report = try report(
            ProgramImage(
                name: "x", section: "tc",
                insns: [
                    Asm.mov(2, 5), Asm.call(helper: "ktime_get_ns"), Asm.mov(0, reg: 2), Asm.exit,
                ]))
        #expect(report.problem == "R2 !read_ok")
        #expect(report.suggestion?.contains("before bpf_ktime_get_ns()") == true)
    }

    @Test func refusalsOfASubsystemAreTold() throws {
        let kernel = SmallKernel.shared
        let insns = [
            Asm.load(.double, 6, 1, 0), Asm.store(.word, 6, 28, 1), Asm.mov(0, 0), Asm.exit,
        ]
        let report = try #require(kernel.verify(insns, as: kernel.avoid).report)
        #expect(report.verdict == .refused(by: "ops.member"))
        #expect(report.description.hasPrefix("Refused by ops.member: Policy: no write support"))
        #expect(report.causalPath.first?.text == "argument 'sk': struct tcp_sock *")
    }

    // MARK: Names

    @Test(arguments: [
        ("u64 *v = bpf_map_lookup_elem(&m, &k);", "v"),
        ("\tp->q = (void *)bpf_map_lookup_elem(&m, &k);", "p->q"),
        ("v=bpf_map_lookup_elem(&m,&k);", "v"),
    ])
    func assignedVariables(_ line: String, _ name: String) {
        #expect(SourceNames.variable(assignedFrom: "bpf_map_lookup_elem", in: line) == name)
    }

    @Test(arguments: [
        "if (bpf_map_lookup_elem(&m, &k) == 0)", "a = bpf_map_lookup_elem(&m, bpf_map_lookup_elem(&n, &k));",
        "return bpf_map_lookup_elem(&m, &k);", "x += bpf_map_lookup_elem(&m, &k);", "",
        "x == bpf_map_lookup_elem(&m, &k)", "x = 1 + bpf_map_lookup_elem(&m, &k);",
    ])
    func otherLinesNameNothing(_ line: String) {
        #expect(SourceNames.variable(assignedFrom: "bpf_map_lookup_elem", in: line) == nil)
    }

    @Test(arguments: [
        ("u32 cwnd = tp->snd_cwnd;", "cwnd"), ("if (tp->snd_cwnd > 10)", "tp->snd_cwnd"),
        ("x = tp->snd_cwnd + 1;", "tp->snd_cwnd"), ("return ca.snd_cwnd;", "ca.snd_cwnd"),
    ])
    func fields(_ line: String, _ name: String) {
        #expect(SourceNames.expression(ofField: "snd_cwnd", in: line) == name)
    }

    // MARK: Log

    private let branchy = [
        Asm.load(.word, 2, 1, 0), Asm.mov(0, 0), Asm.jump(Opcode.jgt, 2, 5, 1), Asm.mov(0, 1), Asm.exit,
    ]

    @Test func logOfEveryPath() throws {
        let image = ProgramImage(name: "x", section: "tc", insns: branchy)
        let (outcome, log) = verify(
            image, in: try .derived(fromSection: "tc"), options: VerificationOptions(logLevel: 2))
        #expect(outcome.program != nil)
        let lines = log.split(separator: "\n").map(String.init)
        #expect(lines[0] == "func#0 @0")
        #expect(lines[1] == "0: R1=ctx() R10=fp0")
        #expect(
            lines[2]
                == "0: (61) r2 = *(u32 *)(r1 +0)          ; R2=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))"
        )
        #expect(lines.contains("1: (b7) r0 = 0                        ; R0=0"))
        #expect(lines.contains { $0.hasPrefix("from 2 to 4: R0=0 R1=ctx() R2=scalar(") })
        #expect(
            lines.last?.hasPrefix("processed 6 insns (limit 1000000) max_states_per_insn ") == true)
    }

    @Test func logOfTheFailingPathOnly() throws {
        let insns =
            branchy.dropLast() + [
                Asm.jump(Opcode.jeq, 2, 9, 1), Asm.exit, Asm.load(.word, 0, 2, 0), Asm.exit,
            ]
        let image = ProgramImage(name: "x", section: "tc", insns: Array(insns))
        let context = try ProgramContext.derived(fromSection: "tc")
        let full = verify(image, in: context, options: VerificationOptions(logLevel: 2)).log
        let (outcome, path) = verify(image, in: context, options: VerificationOptions(logLevel: 1))
        #expect(outcome.report?.problem == "R2 invalid mem access 'scalar'")
        #expect(path.contains("R2 invalid mem access 'scalar'\nprocessed "))
        #expect(path.utf8.count < full.utf8.count)
        #expect(!path.contains("3: (b7) r0 = 1") && full.contains("3: (b7) r0 = 1"))
    }

    // MARK: Limits

    @Test func verificationCanBeCancelled() throws {
        let asked = Atomic(0)
        let options = VerificationOptions {
            asked.add(1, ordering: .relaxed).newValue > 2
        }
        // A loop of 100,000 turns.
        let insns = [
            Asm.mov(0, 0), Asm.add(0, 1), Asm.jump(Opcode.jlt, 0, 100_000, -2), Asm.exit,
        ]
        let outcome = verify(
            ProgramImage(name: "x", section: "tc", insns: insns), in: try .derived(fromSection: "tc"),
            options: options
        ).outcome
        let report = try #require(outcome.report)
        #expect(report.problem == "verification was cancelled" && report.processed < 20_000)
    }

    @Test func theBudgetNamesItself() throws {
        var verification = Verification(
            ProgramImage(
                name: "x", section: "tc",
                insns: [Asm.mov(0, 0), Asm.add(0, 1), Asm.jump(Opcode.jlt, 0, 100_000, -2), Asm.exit]),
            try .derived(fromSection: "tc"))
        verification.budget = 5000
        #expect {
            _ = try verification.run()
        } throws: { error in
            (error as? Rejection)?.problem == "BPF program is too large. Processed 5001 insn"
        }
    }

    @Test func theMemoryLimitNamesItself() throws {
        // Each turn leaves a way out pending, with a number of its own.
        var verification = Verification(
            ProgramImage(
                name: "x", section: "tc",
                insns: [
                    Asm.mov(6, 0), Asm.call(helper: "get_prandom_u32"), Asm.jump(Opcode.jeq, 0, 7, 2),
                    Asm.add(6, 1), Asm.jump(Opcode.jlt, 6, 5000, -4), Asm.mov(0, reg: 6), Asm.exit,
                ]), try .derived(fromSection: "tc"))
        verification.memoryLimit = 1 << 20
        #expect {
            _ = try verification.run()
        } throws: { error in
            (error as? Rejection)?.problem == "verification needs more than 256 MiB"
        }
    }

    // MARK: Advice

    @Test(arguments: [
        ("R* invalid mem access '*'", "R12 invalid mem access 'scalar'", ["12", "scalar"]),
        ("infinite loop detected at insn *", "infinite loop detected at insn 7", ["7"]),
        ("plain", "plain", []), ("*x*", "axbxc", ["a", "bxc"]),
    ])
    func patternsTakeParts(_ pattern: String, _ text: String, _ parts: [String]) {
        #expect(text.parts(matching: pattern) == parts)
    }

    @Test func patternsThatDoNotMatch() {
        #expect("plainer".parts(matching: "plain") == nil)
        #expect("R1 x".parts(matching: "R* y") == nil)
    }

    @Test func everyPatternIsReachable() {
        // An entry behind one that matches all it matches would never be asked, unless that one may decline.
        for (index, later) in Advice.all.enumerated() {
            let sample = later.pattern.replacing("*", with: "§")
            for earlier in Advice.all[..<index] where sample.parts(matching: earlier.pattern) != nil {
                Issue.record("'\(later.pattern)' is hidden by '\(earlier.pattern)'")
            }
        }
        #expect(Advice.all.count >= 40)
    }
}
