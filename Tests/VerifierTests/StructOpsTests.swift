import BPF
import Testing
import Verifier

/// Programs of struct_ops members: arguments, objects, kfuncs, references.
@Suite("Struct ops") struct StructOpsTests {
    static let kernel = SmallKernel.shared
    private var kernel: SmallKernel { Self.kernel }

    private func problem(_ outcome: VerificationOutcome) -> String { outcome.report?.problem ?? "" }

    /// R6 = the first argument, a tcp_sock.
    private static let first = Asm.load(.double, 6, 1, 0)
    private static let done = [Asm.mov(0, 0), Asm.exit]

    // MARK: Arguments

    @Test func readsArgumentsAndFields() throws {
        let insns = [
            Self.first, Asm.load(.double, 2, 1, 8), Asm.load(.double, 3, 1, 16), Asm.load(.word, 4, 6, 24),
            Asm.load(.word, 5, 3, 4), Asm.store(.word, 6, 24, reg: 5), Asm.store(.double, 6, 40, reg: 2),
            Asm.exit,
        ]
        let program = try #require(kernel.verify(insns, as: kernel.avoid).program)
        #expect(program.usesContext && !program.returnsValue)
        #expect(program.facts.allSatisfy { !$0.isProbed })
    }

    @Test func voidNeedsNoResult() {
        #expect(kernel.verify([Asm.exit], as: kernel.avoid).program != nil)
        #expect(problem(kernel.verify([Asm.exit], as: kernel.ssthresh)) == "R0 !read_ok")
    }

    @Test(arguments: [
        (Asm.load(.double, 2, 1, 24), "invalid bpf_context access off=24"),
        (Asm.load(.double, 2, 1, -8), "invalid bpf_context access off=-8"),
        (Asm.load(.word, 2, 1, 4), "invalid bpf_context access off=4"),
        (Asm.load(.word, 2, 1, 0), "invalid bpf_context access off=0"),
        (Asm.store(.double, 1, 0, 0), "ctx is read-only"),
    ])
    func refusesContextAccess(_ insn: Instruction, _ expected: String) {
        #expect(problem(kernel.verify([insn] + Self.done, as: kernel.avoid)).contains(expected))
    }

    @Test func licenceMustBeGPLCompatible() {
        let outcome = kernel.verify(Self.done, as: kernel.avoid, isGPL: false)
        #expect(problem(outcome) == "struct ops programs must have a GPL compatible license")
    }

    @Test func nullableArgumentIsTestedFirst() {
        let read = Asm.load(.word, 2, 6, 24)
        let untested = [Self.first, read] + Self.done
        #expect(problem(kernel.verify(untested, as: kernel.nullable)).contains("_or_null"))
        let tested = [Self.first, Asm.jump(Opcode.jeq, 6, 0, 1), read] + Self.done
        #expect(kernel.verify(tested, as: kernel.nullable).program != nil)
    }

    // MARK: Objects

    @Test func walkedPointersAreProbed() throws {
        let insns =
            [Self.first, Asm.load(.double, 2, 6, 8), Asm.load(.double, 3, 2, 8), Asm.load(.word, 4, 3, 16)]
            + Self.done
        let program = try #require(kernel.verify(insns, as: kernel.avoid).program)
        #expect(program.facts.map(\.isProbed) == [false, false, true, true, false, false])
    }

    @Test(arguments: [
        (Asm.load(.word, 2, 6, 142), "access beyond struct tcp_sock at off 142 size 4"),
        (Asm.load(.word, 2, 6, 8), "cannot access ptr member"),
        (Asm.load(.double, 2, 6, 24), "no field at off 24 size 8"),
        (Asm.store(.word, 6, 28, 1), "no write support to tcp_sock at off 28"),
        (
            Asm.store(.double, 6, 24, 1),
            "write access at off 24 with size 8 beyond the member of tcp_sock ended at 28"
        ),
        (Asm.store(.half, 6, 26, 1), "no write support to tcp_sock at off 26"),
        (Asm.store(.double, 6, 132, 1), "beyond the member of tcp_sock ended at 136"),
        (Asm.atomic(Int32(Opcode.add), .word, 6, 24, reg: 0), "BPF_ATOMIC"),
    ])
    func refusesFieldAccess(_ insn: Instruction, _ expected: String) {
        let found = problem(kernel.verify([Self.first, Asm.mov(0, 0), insn, Asm.exit], as: kernel.avoid))
        #expect(found.contains(expected), "\(found)")
    }

    @Test func otherStructsAreReadOnly() {
        let insns = [Asm.load(.double, 2, 1, 16), Asm.store(.word, 2, 0, 1)] + Self.done
        #expect(problem(kernel.verify(insns, as: kernel.avoid)) == "only read is supported")
    }

    @Test func walkedPointersAreNotWritten() {
        let insns = [Self.first, Asm.load(.double, 2, 6, 8), Asm.store(.double, 2, 0, 1)] + Self.done
        #expect(problem(kernel.verify(insns, as: kernel.avoid)).contains("untrusted"))
    }

    @Test func indexInsideAnArrayMember() {
        func program(limit: Int32) -> [Instruction] {
            [
                Self.first, Asm.load(.double, 2, 1, 8), Asm.jump(Opcode.jgt, 2, limit, 4),
                Asm.alu(Opcode.lsh, 2, 3),
                Asm.add(6, reg: 2), Asm.load(.double, 3, 6, 32), Asm.store(.double, 6, 32, reg: 3),
            ] + Self.done
        }
        #expect(kernel.verify(program(limit: 12), as: kernel.avoid).program != nil)
        #expect(kernel.verify(program(limit: 13), as: kernel.avoid).program == nil)
    }

    @Test func uncoveredAccessNeedsOurLayout() throws {
        let insns = [Self.first, Asm.load(.word, 2, 6, 24)] + Self.done
        let same = try SmallKernel.objectBTF(sameLayout: true)
        let other = try SmallKernel.objectBTF(sameLayout: false)
        #expect(kernel.verify(insns, as: kernel.avoid, btf: same).program != nil)
        #expect(problem(kernel.verify(insns, as: kernel.avoid, btf: other)).contains("no CO-RE relocation"))
        #expect(kernel.verify(insns, as: kernel.avoid, btf: other, relocated: [1]).program != nil)
    }

    // MARK: Kfuncs

    @Test func kfuncTakesTrustedObject() {
        let call = Asm.call(kfunc: kernel.kfunc("tcp_slow_start"))
        let good = [Self.first, Asm.mov(1, reg: 6), Asm.mov(2, 3), call, Asm.exit]
        #expect(kernel.verify(good, as: kernel.ssthresh).program != nil)
        let walked = [Self.first, Asm.load(.double, 1, 6, 8), Asm.mov(2, 3), call, Asm.exit]
        #expect(problem(kernel.verify(walked, as: kernel.ssthresh)) == "R1 must be referenced or trusted")
        let null = [Asm.mov(1, 0), Asm.mov(2, 3), call, Asm.exit]
        #expect(problem(kernel.verify(null, as: kernel.ssthresh)).contains("Possibly NULL pointer"))
        let wrong = [Asm.load(.double, 1, 1, 16), Asm.mov(2, 3), call] + Self.done
        #expect(
            problem(kernel.verify(wrong, as: kernel.avoid)).contains("expected pointer to struct tcp_sock"))
        let number = [Self.first, Asm.mov(1, reg: 6), Asm.mov(2, reg: 6), call, Asm.exit]
        #expect(problem(kernel.verify(number, as: kernel.ssthresh)) == "R2 is not a scalar")
    }

    @Test func kfuncTakesPlainStructOnStack() throws {
        let call = Asm.call(kfunc: kernel.kfunc("take_sample"))
        let fill = [Asm.store(.double, 10, -16, 0), Asm.store(.double, 10, -8, 0)]
        let pass = [Asm.mov(1, reg: 10), Asm.add(1, -16), call, Asm.exit]
        #expect(kernel.verify(fill + pass, as: kernel.ssthresh).program != nil)
        let half = try #require(kernel.verify([fill[0]] + pass, as: kernel.ssthresh).program)
        #expect(half.frames[0].readsUninitialised)
    }

    // MARK: References

    private func acquired(_ rest: [Instruction]) -> [Instruction] {
        [Asm.mov(1, 5), Asm.call(kfunc: kernel.kfunc("sock_find"))] + rest
    }
    private var put: Instruction { Asm.call(kfunc: kernel.kfunc("sock_put")) }

    @Test func acquiredIsReleased() {
        let good = acquired([Asm.jump(Opcode.jeq, 0, 0, 2), Asm.mov(1, reg: 0), put]) + Self.done
        #expect(
            kernel.verify(good, as: kernel.avoid).program != nil,
            "\(problem(kernel.verify(good, as: kernel.avoid)))")
        let leak = acquired(Self.done)
        #expect(problem(kernel.verify(leak, as: kernel.avoid)).contains("Unreleased reference"))
        let untested = acquired([Asm.mov(1, reg: 0), put]) + Self.done
        #expect(problem(kernel.verify(untested, as: kernel.avoid)).contains("Possibly NULL"))
        let twice = acquired([
            Asm.jump(Opcode.jeq, 0, 0, 5), Asm.mov(6, reg: 0), Asm.mov(1, reg: 6), put, Asm.mov(1, reg: 6),
            put,
        ])
        #expect(
            problem(kernel.verify(twice + Self.done, as: kernel.avoid))
                == "arg#0 expected pointer to struct sock, got scalar")
        let after = acquired([
            Asm.jump(Opcode.jeq, 0, 0, 4), Asm.mov(6, reg: 0), Asm.mov(1, reg: 6), put,
            Asm.load(.word, 2, 6, 16),
        ])
        #expect(
            problem(kernel.verify(after + Self.done, as: kernel.avoid)) == "R6 invalid mem access 'scalar'")
    }

    @Test func ownedArgumentIsReleased() {
        let good = [Asm.load(.double, 1, 1, 0), put] + Self.done
        #expect(kernel.verify(good, as: kernel.owned).program != nil)
        #expect(problem(kernel.verify(Self.done, as: kernel.owned)).contains("Unreleased reference"))
        let plain = [Asm.load(.double, 1, 1, 0), put] + Self.done
        #expect(problem(kernel.verify(plain, as: kernel.avoid)).contains("expects refcounted pointer"))
    }

    // MARK: Iterators

    private func loop(body: [Instruction], destroys: Bool = true) -> [Instruction] {
        let it = [Asm.mov(1, reg: 10), Asm.add(1, -8)]
        var insns = it + [Asm.mov(2, 0), Asm.mov(3, 1000), Asm.call(kfunc: kernel.kfunc("bpf_iter_num_new"))]
        let head = insns.count
        insns +=
            it + [
                Asm.call(kfunc: kernel.kfunc("bpf_iter_num_next")),
                Asm.jump(Opcode.jeq, 0, 0, Int16(body.count + 1)),
            ]
        insns += body
        insns.append(Asm.goto(Int16(head - insns.count - 1)))
        if destroys { insns += it + [Asm.call(kfunc: kernel.kfunc("bpf_iter_num_destroy"))] }
        return insns + Self.done
    }

    @Test func iteratorTurnsAreVerifiedOnce() throws {
        let insns = [Asm.mov(7, 0)] + loop(body: [Asm.load(.word, 2, 0, 0), Asm.add(7, reg: 2)])
        let program = try #require(
            kernel.verify(insns, as: kernel.avoid).program,
            "\(problem(kernel.verify(insns, as: kernel.avoid)))")
        #expect(program.processed < 100)
        #expect(program.facts.contains { $0.isFuelled })
    }

    @Test func iteratorMistakesAreRefused() {
        let leak = loop(body: [], destroys: false)
        #expect(problem(kernel.verify(leak, as: kernel.avoid)).contains("Unreleased reference"))
        let overwritten = loop(body: [Asm.store(.double, 10, -8, 0)])
        #expect(problem(kernel.verify(overwritten, as: kernel.avoid)).contains("iterator"))
        let written = loop(body: [Asm.store(.word, 0, 0, 7)])
        #expect(problem(kernel.verify(written, as: kernel.avoid)).contains("rdonly_mem"))
        let unmade =
            [Asm.mov(1, reg: 10), Asm.add(1, -8), Asm.call(kfunc: kernel.kfunc("bpf_iter_num_next"))]
            + Self.done
        #expect(problem(kernel.verify(unmade, as: kernel.avoid)).contains("initialized"))
    }
}
