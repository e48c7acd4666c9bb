import BPF
import Testing
import Verifier

/// Contexts of program types: what their sections mean, what they may read, write, call and return.
@Suite("Contexts") struct ContextTests {
    private static let done = [Asm.mov(0, 0), Asm.exit]

    private func verify(_ insns: [Instruction], section: String) throws -> VerificationOutcome {
        Verifier.verify(
            ProgramImage(name: "test", section: section, insns: insns),
            in: try .derived(fromSection: section))
    }

    private func problem(_ insns: [Instruction], section: String) throws -> String {
        try verify(insns, section: section).report?.problem ?? ""
    }

    // MARK: Sections

    @Test(arguments: [
        ("socket", ProgramType.socketFilter, false), ("?tc", .schedCLS, false), ("xdp.frags", .xdp, false),
        ("tp/syscalls/sys_enter_open", .tracepoint, false), ("raw_tp", .rawTracepoint, false),
        ("uprobe.multi.s/libc.so:read", .kprobe, true), ("fentry.s/do_unlinkat", .tracing, true),
        ("lsm.s/file_open", .lsm, true), ("cgroup/connect6", .cgroupSockAddr, false),
        ("struct_ops.s/init", .structOps, true), ("syscall", .syscall, true),
    ])
    func sectionSaysType(_ section: String, _ type: ProgramType, _ isSleepable: Bool) throws {
        let definition = try #require(SectionDefinition(section: section))
        #expect(definition.type == type && definition.isSleepable == isSleepable)
    }

    @Test(arguments: ["", "tc/other", "socket1", "cgroup/nothing", "maps", "kprobes/x", "xdp/other"])
    func unknownSectionsAreRefused(_ section: String) {
        #expect(throws: ContextError.unknownSection(section)) {
            try ProgramContext.derived(fromSection: section)
        }
    }

    @Test func everyKnownSectionHasAContextOrAReason() throws {
        for section in ProgramContext.sections {
            do { _ = try ProgramContext.derived(fromSection: section) } catch ContextError.unknownSection {
                Issue.record("\(section) is listed and not known")
            } catch ContextError.missingTarget, ContextError.unsupported {}
        }
    }

    // MARK: Fields

    @Test(arguments: [
        ("tc", Asm.load(.word, 2, 1, 0)), ("tc", Asm.load(.byte, 2, 1, 3)),
        ("tc", Asm.load(.double, 2, 1, 48)),
        ("tc", Asm.store(.word, 1, 8, reg: 0)), ("tc", Asm.store(.byte, 1, 51, reg: 0)),
        ("tc", Asm.store(.double, 1, 152, reg: 0)), ("xdp", Asm.load(.word, 2, 1, 16)),
        ("xdp/devmap", Asm.load(.word, 2, 1, 20)), ("kprobe/x", Asm.load(.half, 2, 1, 162)),
        ("tp/x", Asm.load(.double, 2, 1, 8184)), ("raw_tp/x", Asm.load(.double, 2, 1, 88)),
        ("syscall", Asm.store(.byte, 1, 1001, reg: 0)), ("cgroup/sendmsg6", Asm.store(.word, 1, 44, reg: 0)),
    ])
    func acceptsFieldAccess(_ section: String, _ insn: Instruction) throws {
        #expect(try verify([Asm.mov(0, 0), insn, Asm.exit], section: section).program != nil)
    }

    @Test(arguments: [
        ("tc", Asm.load(.word, 2, 1, 2)), ("tc", Asm.load(.double, 2, 1, 0)),
        ("tc", Asm.load(.word, 2, 1, 400)),
        ("tc", Asm.store(.word, 1, 0, reg: 0)), ("tc", Asm.store(.half, 1, 8, reg: 0)),
        ("socket", Asm.load(.word, 2, 1, 76)), ("xdp", Asm.load(.half, 2, 1, 12)),
        ("xdp", Asm.load(.word, 2, 1, 20)), ("kprobe/x", Asm.store(.double, 1, 0, reg: 0)),
        ("tp/x", Asm.load(.double, 2, 1, 0)), ("raw_tp/x", Asm.load(.double, 2, 1, 96)),
        ("cgroup/bind4", Asm.load(.word, 2, 1, 8)), ("perf_event", Asm.load(.word, 2, 1, 0)),
    ])
    func refusesFieldAccess(_ section: String, _ insn: Instruction) throws {
        let found = try problem([Asm.mov(0, 0), insn, Asm.exit], section: section)
        #expect(found.contains("invalid bpf_context access"), "\(found)")
    }

    @Test func socketsAreTestedAndReadInParts() throws {
        let read = [
            Asm.load(.double, 6, 1, 168), Asm.jump(Opcode.jeq, 6, 0, 1), Asm.load(.word, 2, 6, 24),
        ]
        #expect(try verify(read + Self.done, section: "tc").program != nil)
        #expect(try problem([read[0], read[2]] + Self.done, section: "tc").contains("sock_or_null"))
        let outside = [read[0], read[1], Asm.load(.word, 2, 6, 16)] + Self.done
        #expect(try problem(outside, section: "tc") == "invalid sock access off=16 size=4")
        let write = [read[0], read[1], Asm.store(.word, 6, 24, 0)] + Self.done
        #expect(try problem(write, section: "tc").contains("cannot write into sock"))
    }

    // MARK: No context

    @Test func withoutContextTheArgumentIsLeftAlone() throws {
        let context = ProgramContext.unconstrained(section: "anything")
        func verdict(_ insns: [Instruction]) -> VerificationOutcome {
            Verifier.verify(ProgramImage(name: "test", section: "anything", insns: insns), in: context)
        }
        #expect(verdict([Asm.mov(6, reg: 1), Asm.mov(0, 7), Asm.exit]).program != nil)
        let read = verdict([Asm.load(.word, 2, 1, 0)] + Self.done)
        #expect(read.report?.problem.contains("invalid bpf_context access") == true)
        #expect(!context.isSleepable && ProgramContext.unconstrained(section: "x.s/y").isSleepable)
        #expect(context.helpers.count == 211)
    }

    // MARK: Results and helpers

    @Test(arguments: [
        ("cgroup_skb/egress", 3, true), ("cgroup_skb/egress", 4, false), ("cgroup_skb/ingress", 2, false),
        ("cgroup/recvmsg4", 0, false), ("cgroup/recvmsg4", 1, true), ("sockops", -1, false),
        ("tc", -1, true), ("netfilter", 1, true), ("sk_lookup", 2, false),
    ])
    func resultRanges(_ section: String, _ value: Int32, _ isAccepted: Bool) throws {
        let outcome = try verify([Asm.mov(0, value), Asm.exit], section: section)
        #expect((outcome.program != nil) == isAccepted)
        if !isAccepted {
            #expect(outcome.report?.problem.contains("should have been in") == true)
        }
    }

    @Test func helpersDependOnTheType() throws {
        let redirect = [Asm.mov(1, 1), Asm.mov(2, 0), Asm.call(helper: "redirect"), Asm.exit]
        #expect(try problem(redirect, section: "socket").contains("cannot use helper bpf_redirect#23"))
        let now = [Asm.call(helper: "ktime_get_ns"), Asm.exit]
        #expect(try verify(now, section: "socket").program != nil)
    }
}
