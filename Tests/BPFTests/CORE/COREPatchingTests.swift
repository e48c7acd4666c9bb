import Testing

@testable import BPF

@Suite("CO-RE patching", .enabled(if: Clang.isPresent, "no clang on PATH"))
struct COREPatchingTests {
    static let local = """
        struct s { u32 count; u8 small; u64 wide; int sign; struct s *next; u32 list[4]; char name[8]; u32 gone; u32 kind; } CORE;
        enum big { LARGE = 1 };
        """
    static let target = """
        struct s { u64 first; u32 list[2]; struct s *next; u64 count; u16 small; u32 wide; long sign; char name[16]; float kind; };
        enum big { LARGE = 0x123456789abcULL };
        """

    private func sample(_ body: String) throws -> CORESample {
        try CORESample(
            local: Self.local + "SEC(\"p\") u64 f(struct s *s, int i) { \(body) }", target: Self.target,
            keep: "struct s g; enum big e;")
    }

    @Test func loadsChangeOffsetAndSize() throws {
        let (insns, outcome) = try sample("return s->count;").apply("p")
        #expect(insns[0].offset == 24 && insns[0].size == .double)
        #expect(outcome.relocated == [0])
        let narrower = try sample("return s->wide;").apply("p").insns
        #expect(narrower[0].offset == 36 && narrower[0].size == .word)
    }

    @Test func storesChangeOffsetAndSize() throws {
        let insns = try sample("s->small = i; return 0;").apply("p").insns
        #expect(insns[0].instructionClass == .stx && insns[0].offset == 32 && insns[0].size == .half)
    }

    @Test func addressesChangeTheirAddend() throws {
        let (insns, outcome) = try sample("return (u64)&s->name;").apply("p")
        let index = try #require(outcome.relocated.first)
        #expect(insns[index].imm == 48)
    }

    @Test func enumeratorsFillWideLoads() throws {
        let (insns, outcome) = try sample("return ENUM(enum big, LARGE, 1);").apply("p")
        #expect(outcome.relocated == [0])
        #expect(insns[0].imm == 0x5678_9abc && insns[1].imm == 0x1234)
    }

    @Test(arguments: [
        ("return s->gone;", "s.gone is not modelled by the target BTF"),
        ("return s->list[3];", "s.list[3] is not modelled by the target BTF: the array has 2 elements there"),
        ("return s->kind;", "s.kind is not modelled by the target BTF: it is 'float' there, 'u32' here"),
        (
            "return s->sign;",
            "s.sign cannot be accessed through its target: it has 8 bytes there, 4 here, and is signed"
        ),
    ])
    func whatCannotBeAccessedIsPoisoned(body: String, sentence: String) throws {
        let (insns, outcome) = try sample(body).apply("p")
        let poison = try #require(outcome.poisons.first)
        #expect(poison.value == sentence)
        #expect(insns[poison.key].isCall && insns[poison.key].imm == 195_896_080)
        #expect(outcome.relocated.isEmpty)
    }

    @Test func poisonedWideLoadsLoseBothSlots() throws {
        let program =
            Self.local + "enum gone { NEVER }; SEC(\"p\") u64 f(void) { return ENUM(enum gone, NEVER, 1); }"
        let sample = try CORESample(local: program, target: Self.target, keep: "struct s g;")
        #expect(try sample.apply("p").outcome.poisons.keys.sorted() == [0, 1])
    }

    @Test func wrongInstructionsAreRefused() throws {
        let sample = try sample("return s->count;")
        let record = try #require(sample.ext.coreRelocations[0].records.first)
        func apply(_ insn: Instruction) throws {
            var resolver = COREResolver(local: sample.local, target: sample.target)
            var insns = [insn]
            _ = try resolver.apply([record], to: &insns)
        }
        #expect(throws: COREError.unsupportedInstruction(insn: 0, opcode: Opcode.exit)) {
            try apply(Instruction(opcode: Opcode.exit))
        }
        #expect(throws: COREError.unsupportedInstruction(insn: 0, opcode: Opcode.loadImm64)) {
            try apply(Instruction(opcode: Opcode.loadImm64))
        }
        #expect(throws: COREError.valueMismatch(insn: 0, found: 7, expected: 0, subject: "s.count")) {
            try apply(Instruction(opcode: 0x61, offset: 7))
        }
    }

    @Test func recordsOutsideAreLeftOut() throws {
        let sample = try sample("return s->count;")
        var insns = try #require(sample.insns["p"])
        var resolver = COREResolver(local: sample.local, target: sample.target)
        let outcome = try resolver.apply(sample.ext.coreRelocations[0].records, to: &insns, sectionStart: 100)
        #expect(outcome == COREOutcome())
    }

    @Test(arguments: ["", ":", "0:", "a", "-1", "+1", "0:-1", "4294967296", "0:1:x", "0 1"])
    func badAccessStringsAreRefused(text: String) {
        #expect(throws: COREError.self) { try parseAccessString(text) }
    }

    @Test func accessStringsThatDoNotFitTheLocalTypeAreRefused() throws {
        let sample = try sample("return s->count;")
        let root = try #require(sample.local.composite(named: "s")).id
        var resolver = COREResolver(local: sample.local, target: sample.target)
        for (access, kind) in [
            ("0:99", CORERelocation.Kind.fieldByteOffset), ("0:0:0", .fieldExists), ("0:5:4", .fieldByteSize),
            ("1", .typeExists), ("0", .enumeratorValue), ("2147483647:0", .fieldByteOffset),
        ] {
            let record = CORERelocation(insn: 0, type: root, access: access, kind: kind)
            #expect(throws: COREError.self, "\(access)") { try resolver.resolve(record) }
        }
    }
}
