import Foundation
import Testing

@testable import BPF

@Suite("BTF as a C header", .enabled(if: Clang.isPresent, "no clang on PATH"))
struct BTFHeaderDumpTests {
    static let isLongRun: Bool = {
        #if DEBUG
            ProcessInfo.processInfo.environment["OPSD_LONG_TESTS"] != nil
        #else
            true
        #endif
    }()

    /// Layouts that natural alignment alone does not give, and orders that C is particular about.
    static let source = """
        typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long long u64;
        struct late; enum small { A, B = 200 } __attribute__((mode(byte)));
        typedef int (*visit_t)(struct late *, enum small, const struct never *, ...);
        struct late { visit_t visit; struct late *next; u32 rows[3][5]; };
        struct bits { u32 a : 3; u32 : 4; u32 b : 25; u8 c : 5; u64 d : 33; signed e : 2; enum small f : 7; };
        struct packed { u8 a; u64 b; struct bits bits; u32 c; } __attribute__((packed));
        struct packed_bits { u8 a : 3; u32 b : 30; u8 c; } __attribute__((packed));
        struct aligned { u32 a; u32 b __attribute__((aligned(64))); u8 c; };
        union wide { u8 a[40]; u64 b; } __attribute__((aligned(64)));
        struct outer {
            struct { int x; union { float f; u32 g; struct { u8 lo, hi; }; }; } named[2];
            union { u64 word; struct { u32 low, high; }; };
            enum { INNER = -5, OTHER } inline_enum; struct late late; struct aligned aligned; union wide wide;
            struct packed packed; struct packed_bits packed_bits; void (*const *table[4])(void);
            const volatile char *const name; visit_t (*factory)(u8 (*)[4]); u8 tail[];
        };
        typedef struct { u64 counter; } atomic64_t; typedef const atomic64_t catomic_t; typedef union wide wide_t[2];
        enum huge { HUGE = 0x100000000ULL, ONE = 1 }; enum negative { MINUS = -1 };
        struct uses { catomic_t c; wide_t w; enum huge h; enum negative n; _Bool on; __int128 big; double d; };
        struct empty {}; struct hole { u8 a; u64 : 0; struct empty e; u8 b; long long : 64; u8 c; };
        int keep(struct outer *a, struct uses *b, struct hole *c) { return 0; }
        """

    /// The text compiles, and every struct, union, enum and typedef it defines is laid out as it was.
    private func expectRoundTrip(_ btf: BTF, flags: [String] = []) throws {
        let text = btf.dumpC()
        let again = try compile(text, btf, flags: flags)
        var differences: [String] = []
        // One for all, so that what is nested in many is compared once.
        var comparison = BTFLayoutComparison(btf, again)
        for (id, type) in namedComposites(btf) {
            guard let other = again.composite(named: type.name) else {
                differences.append("\(type.name) is missing")
                continue
            }
            let difference = comparison.difference(id, other.id, path: type.name)
            if let difference { differences.append(difference) }
        }
        #expect(
            differences.isEmpty, "\(differences.count): \(differences.prefix(20).joined(separator: "\n"))")
    }

    /// Structs and unions whose name is the first of its kind among the tags, and so stays as it is.
    private func namedComposites(_ btf: BTF) -> [(TypeID, BTFComposite)] {
        var taken: Set<String> = []
        return (1..<btf.count).compactMap { index in
            switch btf[TypeID(index)] {
            case .composite(let type) where !type.name.isEmpty && taken.insert(type.name).inserted:
                return (TypeID(index), type)
            case .enumeration(let type):
                taken.insert(type.name)
                return nil
            default: return nil
            }
        }
    }

    /// Each named struct gets a variable, so that clang keeps all of them.
    private func compile(_ text: String, _ btf: BTF, flags: [String]) throws -> BTF {
        var source = text + "\n"
        for (id, type) in namedComposites(btf) {
            source += "\(type.isUnion ? "union" : "struct") \(type.name) *__keep_\(id.rawValue);\n"
        }
        return try Clang.btf(of: source, flags: ["-Wall", "-Werror", "-Wno-missing-declarations"] + flags)
    }

    @Test func layoutsSurviveCompilation() throws {
        try expectRoundTrip(Clang.btf(of: Self.source, flags: ["-Wno-everything"]))
    }

    @Test func preservesAccessesForCORE() throws {
        let header = try Clang.btf(of: Self.source, flags: ["-Wno-everything"]).dumpC()
        let sections = try Clang.sections(
            of: header + "int f(struct outer *o) { return o->late.rows[1][2]; }")
        let btf = try BTF(parsing: #require(sections[".BTF"]))
        let ext = try BTFExt(parsing: #require(sections[".BTF.ext"]), btf: btf)
        #expect(ext.coreRelocations.flatMap(\.records).map(\.kind) == [.fieldByteOffset])
        #expect(ext.funcInfo.map(\.name) == [".text"])
        let line = try #require(ext.lineInfo.first?.records.first)
        #expect(btf.string(at: line.textOffset).hasPrefix("int f(struct outer *o)"))
        #expect(line.line > 50 && btf.string(at: line.fileOffset).hasSuffix("in.c"))
    }

    @Test func taggedKfuncsAreDeclared() throws {
        let btf = try Clang.btf(
            of: """
                struct sock { int x; };
                __attribute__((btf_decl_tag("bpf_kfunc"))) unsigned f(struct sock *sk, int (*cb)(int)) { return 0; }
                """)
        #expect(
            btf.dumpC().contains("extern unsigned int f(struct sock *sk, int (*cb)(int)) __weak __ksym;\n"))
        try expectRoundTrip(btf)
    }

    @Test func typesOfOneNameAreKeptApart() throws {
        var builder = BTFBuilder()
        let u32 = builder.int("u32", byteCount: 4)
        let a = builder.structure("twin", byteCount: 4, [("x", u32, 0)])
        let b = builder.structure("twin", byteCount: 8, [("x", u32, 4)])
        _ = builder.structure("both", byteCount: 12, [("a", a, 0), ("b", b, 4)])
        _ = builder.enumeration("one", [("SAME", 1)])
        _ = builder.enumeration("two", [("SAME", 2), ("u32", 3)])
        let shared = builder.enumeration("", [("SHARED", 1)])
        _ = builder.structure("sharer", byteCount: 8, [("a", shared, 0), ("b", shared, 4)])
        _ = builder.add(.forward(name: "twin", isUnion: true))
        let btf = try builder.build()
        try expectRoundTrip(btf)
        let text = btf.dumpC()
        for part in ["typedef unsigned int u32;", "struct twin___2 b;", "SAME___2 = 2", "u32___2 = 3"] {
            #expect(text.contains(part), "\(part)")
        }
    }

    @Test func singleTypesPrintAsC() throws {
        let btf = try Clang.btf(of: Self.source, flags: ["-Wno-everything"])
        let hole = try #require(btf.composite(named: "packed")).id
        #expect(
            btf.declaration(of: hole)
                == """
                struct packed {
                \tu8 a;
                \tu64 b;
                \tstruct bits bits;
                \tu32 c;
                } __attribute__((packed));
                """)
    }

    /// A second in a release build, a minute in a debug build.
    @Test(
        .enabled(if: RunningKernel.bytes != nil, "the running kernel has no BTF"),
        .enabled(if: isLongRun, "takes minutes in a debug build; set OPSD_LONG_TESTS=1"),
        .timeLimit(.minutes(30)))
    func theRunningKernelSurvivesCompilation() throws {
        try expectRoundTrip(#require(RunningKernel.btf), flags: ["-Wno-everything"])
    }

    @Test func rawDumpReadsLikeBpftool() throws {
        let btf = try BTFParsingTests.allKinds().build()
        let text = btf.dumpRaw()
        for line in [
            "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED",
            "[3] ARRAY '(anon)' type_id=2 index_type_id=1 nr_elems=16",
            "[4] STRUCT 'node' size=40 vlen=4\n\t'next' type_id=5 bits_offset=0",
            "\t'low' type_id=1 bits_offset=192 bitfield_size=3",
            "encoding=SIGNED size=4 vlen=2\n\t'MINUS' val=-1\n\t'PLUS' val=1",
            "FUNC 'visit' type_id=13 linkage=global", "VAR 'root' type_id=9, linkage=global",
            "DATASEC '.data' size=40 vlen=1\n\ttype_id=15 offset=0 size=40 (VAR 'root')",
            "DECL_TAG 'arg:nullable' type_id=14 component_idx=0", "val=9223372036854775807ULL",
            "FWD 'elsewhere' fwd_kind=union",
        ] {
            #expect(text.contains(line), "\(line)")
        }
    }
}
