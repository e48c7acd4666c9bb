import Foundation
import Testing

@testable import BPF

@Suite("BTF names, members, values", .enabled(if: Clang.isPresent, "no clang on PATH"))
struct BTFLookupTests {
    static let source = """
        typedef unsigned int u32; typedef unsigned char u8; typedef _Bool bool;
        enum state { CLOSED, OPEN = 7 };
        struct common { u32 hash; union { u32 daddr; struct { unsigned short port, num; }; }; };
        struct sock { struct common common; u8 flags[4]; u32 low : 3, high : 13; const char *name; };
        struct ops {
            struct sock sk; enum state state; char title[8]; int table[2][3]; bool on; signed char minus;
            u32 (*ssthresh)(struct sock *, u8); void (*init)(void); const char *const *(*names[2])(int, ...);
            enum state bits : 4;
        };
        struct ops g;
        int f(const struct ops *o, u8 (*rows)[4]) { return 0; }
        """
    let btf: BTF
    let ops: TypeID

    init() throws {
        btf = try Clang.btf(of: Self.source)
        ops = try #require(btf.composite(named: "ops")).id
    }

    @Test func typesAreNamedAsInC() throws {
        let names = try #require(btf.composite(named: "ops")).type.members.map { btf.name(of: $0.type) }
        #expect(
            names == [
                "struct sock", "enum state", "char[8]", "int[2][3]", "bool", "signed char",
                "u32 (*)(struct sock *, u8)", "void (*)(void)", "const char *const *(*[2])(int, ...)",
                "enum state",
            ])
        let function = try #require(btf.function(named: "f"))
        #expect(btf.name(of: function.id) == "int (const struct ops *, u8 (*)[4])")
        #expect(btf.declaration(of: "x", type: ops) == "struct ops x")
        let ssthresh = try #require(btf.field(named: "ssthresh", in: ops))
        #expect(btf.declaration(of: "ssthresh", type: ssthresh.type) == "u32 (*ssthresh)(struct sock *, u8)")
        #expect(btf.name(of: try #require(btf.pointee(of: ssthresh.type))) == "u32 (struct sock *, u8)")
    }

    @Test(arguments: [
        (0, 4, "ops.sk.common.hash"), (4, 4, "ops.sk.common.daddr"), (6, 2, "ops.sk.common.num"),
        (10, 1, "ops.sk.flags[2]"), (12, 1, "ops.sk.low"), (16, 8, "ops.sk.name"), (24, 4, "ops.state"),
        (28, 8, "ops.title"), (36 + 16, 4, "ops.table[1][1]"), (0, 8, "ops.sk.common"), (9999, 4, "ops+9999"),
        (62, 2, "ops+62"),
    ])
    func placesHaveAPath(offset: Int, byteCount: Int, path: String) {
        #expect(btf.memberPath(of: ops, at: offset, byteCount: byteCount) == path)
    }

    @Test func unionsGiveSeveralCandidates() {
        let fields = btf.fields(of: ops, at: 4, byteCount: 2)
        #expect(fields.map(\.path) == ["sk.common.daddr", "sk.common.port"])
        #expect(fields.map(\.byteCount) == [4, 2])
    }

    @Test func membersAreFoundInsideAnonymousOnes() throws {
        let common = try #require(btf.composite(named: "common")).id
        #expect(btf.field(named: "num", in: common)?.byteOffset == 6)
        #expect(btf.field(path: "sk.common.num", in: ops)?.byteOffset == 6)
        #expect(btf.field(named: "nothing", in: ops) == nil)
        #expect(btf.field(path: "sk.nothing", in: ops) == nil)
    }

    @Test func valuesArePrintedByType() throws {
        var bytes = [UInt8](repeating: 0, count: try #require(btf.byteCount(of: ops)))
        bytes[12] = 0b1111_1101
        bytes[13] = 0xff
        bytes[24] = 7
        bytes.replaceSubrange(28..<31, with: Array("bbr".utf8))
        bytes[60] = 1
        bytes[61] = 0xff
        bytes[64] = 0x10
        let offset = try #require(btf.field(named: "bits", in: ops)).byteOffset
        bytes[offset] = 0xf7
        let value = btf.value(of: ops, in: bytes) { type, value in
            value == 0 ? nil : .text(btf.name(of: type))
        }
        guard case .structure(let fields) = value, case .structure(let sock) = fields[0].value else {
            return #expect(Bool(false))
        }
        #expect(fields.map(\.name).prefix(3) == ["sk", "state", "title"])
        #expect(sock[2].value == .unsigned(5))
        #expect(sock[3].value == .unsigned(0x1fff))
        #expect(fields[1].value == .enumerator("OPEN"))
        #expect(fields[2].value == .string("bbr"))
        #expect(fields[4].value == .bool(true))
        #expect(fields[5].value == .signed(-1))
        #expect(fields[6].value == .text("u32 (struct sock *, u8)"))
        #expect(fields[7].value == .pointer(0))
        #expect(fields[9].value == .enumerator("OPEN"))
        #expect(btf.value(of: ops, in: [1, 2, 3]) == nil)
    }

    @Test func layoutsAreComparedDeeply() throws {
        let other = try Clang.btf(of: Self.source)
        let otherOps = try #require(other.composite(named: "ops")).id
        #expect(btf.layoutDifference(ops, from: otherOps, in: other) == nil)
        let changed = try Clang.btf(
            of: Self.source.replacingOccurrences(
                of: "unsigned short port, num", with: "unsigned short num, port"))
        let changedOps = try #require(changed.composite(named: "ops")).id
        #expect(
            btf.layoutDifference(ops, from: changedOps, in: changed)
                == "ops.sk.common has 'port', expected 'num'")
        #expect(btf.isSameField(in: ops, at: 0, byteCount: 4, as: changedOps, of: changed))
        #expect(!btf.isSameField(in: ops, at: 6, byteCount: 2, as: changedOps, of: changed))
    }

    @Test(arguments: [
        ("sock___v2", "sock"), ("sock", "sock"), ("a___b___c", "a___b"), ("___x", "___x"), ("x___", "x___"),
        ("x____y", "x____y"), ("__x", "__x"),
    ])
    func flavoursAreStripped(name: String, expected: String) {
        #expect(name.withoutFlavour == expected)
    }
}
