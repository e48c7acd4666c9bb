import Foundation
import Testing

@testable import BPF

@Suite("CO-RE kinds", .enabled(if: Clang.isPresent, "no clang on PATH"))
struct COREKindTests {
    static let types = """
        enum event { FIRST, SECOND = 5, GONE };
        struct rack { u32 reo_wnd; u32 steps; } CORE;
        struct sock { u32 hash; u32 flags : 3, state : 7; int wide : 20; u16 port; } CORE;
        struct tcp_sock___mine { struct sock sk; u32 cwnd; u64 rtt[4]; int delta; struct rack rack; struct sock *peer; } CORE;
        struct vanished { int x; } CORE;
        typedef int (*callback_t)(struct sock *, u32);
        """
    static let changed = """
        enum event { ZERO, FIRST, SECOND = 9 };
        struct sock { u64 pad; union { u16 port; u16 other; }; u32 extra : 5, state : 9; int wide : 20; u32 flags : 3; u16 hash; };
        struct tcp_sock { struct sock *peer; struct { u64 cwnd; u32 rtt[8]; }; long delta; struct sock sk; };
        typedef int (*callback_t)(struct sock *, int);
        """
    static let program = """
        SEC("probe") u64 run(struct tcp_sock___mine *p) {
            u64 sum = 0;
            sum += FIELD(p->cwnd, 0) + FIELD(p->cwnd, 1) * 3 + FIELD(p->delta, 3) + FIELD(p->sk.port, 0);
            sum += FIELD(p->rtt[2], 0) + FIELD(p->sk.state, 0) + FIELD(p->sk.state, 1) + FIELD(p->sk.state, 4);
            sum += FIELD(p->sk.state, 5) + FIELD(p->sk.wide, 3) + FIELD(p->rack.reo_wnd, 2) + FIELD(p->peer, 2);
            sum += FIELD(p->rack.reo_wnd, 0) + FIELD(p->rtt[9 - 6], 1);
            sum += TYPE(struct tcp_sock___mine, 1) + TYPE(struct tcp_sock___mine, 0) + TYPE(struct vanished, 0);
            sum += TYPE(struct vanished, 1) + TYPE(callback_t, 0) + TYPE(callback_t, 2) + TYPE(struct sock, 2);
            sum += ENUM(enum event, SECOND, 0) + ENUM(enum event, SECOND, 1) + ENUM(enum event, GONE, 0);
            sum += ENUM(enum event, GONE, 1) + TYPE_ID(struct sock, 0) + TYPE_ID(struct sock, 1);
            return sum + TYPE_ID(struct vanished, 1);
        }
        """
    static let keep = "int keep(enum event *e, struct tcp_sock *t, callback_t c) { return 0; }"

    @Test func everyKindIsResolved() throws {
        let sample = try CORESample(local: Self.types + Self.program, target: Self.changed, keep: Self.keep)
        let all = try sample.resolveAll()
        let target = sample.target
        let tcp = try #require(target.composite(named: "tcp_sock")).id
        func offset(_ path: String) throws -> Int {
            try #require(target.field(path: path, in: tcp)).byteOffset
        }
        let state = try #require(target.field(path: "sk.state", in: tcp))
        let word = state.bitOffset / 32 * 4

        #expect(all["byte_off tcp_sock.cwnd"]?.number == 8)
        #expect(all["byte_sz tcp_sock.cwnd"]?.number == 8)
        #expect(all["signed tcp_sock.delta"]?.number == 1)
        #expect(all["byte_off tcp_sock.sk.port"]?.number == (try offset("sk.port")))
        #expect(all["byte_off tcp_sock.rtt[2]"]?.number == 16 + 8)
        #expect(all["byte_sz tcp_sock.rtt[3]"]?.number == 4)
        #expect(all["byte_off tcp_sock.sk.state"]?.number == word)
        #expect(all["byte_sz tcp_sock.sk.state"]?.number == 4)
        #expect(all["lshift_u64 tcp_sock.sk.state"]?.number == 64 - (state.bitOffset - 8 * word) - 9)
        #expect(all["rshift_u64 tcp_sock.sk.state"]?.number == 64 - 9)
        #expect(all["signed tcp_sock.sk.wide"]?.number == 1)
        #expect(all["field_exists tcp_sock.rack.reo_wnd"]?.number == 0)
        #expect(all["field_exists tcp_sock.peer"]?.number == 1)
        #expect(
            all["byte_off tcp_sock.rack.reo_wnd"]?.sentence
                == "tcp_sock.rack.reo_wnd is not modelled by the target BTF")
        #expect(all["type_exists struct tcp_sock"]?.number == 1)
        #expect(all["type_size struct tcp_sock"]?.number == target.byteCount(of: tcp))
        #expect(all["type_exists struct vanished"]?.number == 0)
        #expect(all["type_size struct vanished"]?.number == 0)
        #expect(all["type_exists callback_t"]?.number == 1)
        #expect(all["type_matches callback_t"]?.number == 0)
        #expect(all["type_matches struct sock"]?.number == 0)
        #expect(all["enumval_exists enum event.SECOND"]?.number == 1)
        #expect(all["enumval_value enum event.SECOND"]?.number == 9)
        #expect(all["enumval_exists enum event.GONE"]?.number == 0)
        #expect(
            all["enumval_value enum event.GONE"]?.sentence
                == "enum event.GONE is not modelled by the target BTF")
        #expect(all["local_type_id"]?.number == sample.local.composite(named: "sock")?.id.index)
        #expect(all["target_type_id struct sock"]?.number == target.composite(named: "sock")?.id.index)
        #expect(all["target_type_id struct vanished"]?.number == 0)
        let kinds = Set(sample.ext.coreRelocations.flatMap(\.records).map(\.kind))
        #expect(kinds == Set(CORERelocation.Kind.allCases))
    }

    @Test func anObjectMatchesItself() throws {
        let types = Self.types.replacingOccurrences(of: "___mine", with: "")
        let program = Self.program.replacingOccurrences(of: "___mine", with: "")
        let sample = try CORESample(
            local: types + program, target: types, keep: Self.keep + "struct vanished v;")
        for (name, resolution) in try sample.resolveAll()
        where name.contains("exists") || name.contains("matches") {
            #expect(resolution.number == 1, "\(name)")
        }
        let (patched, outcome) = try sample.apply("probe")
        #expect(outcome.poisons.isEmpty)
        let ids = Set(sample.ext.coreRelocations[0].records.filter { $0.kind == .typeIDTarget }.map(\.insn))
        for (index, insn) in patched.enumerated() where !ids.contains(index) {
            #expect(insn == sample.insns["probe"]?[index])
        }
    }

    @Test func ambiguityIsAnError() throws {
        let program = "struct sock { u32 a; u32 b; } CORE; SEC(\"p\") int f(struct sock *s) { return s->b; }"
        let sample = try CORESample(local: program, target: "struct sock { u32 b; };", keep: "struct sock s;")
        var builder = BTFBuilder(base: sample.target)
        let int = builder.int("unsigned int", byteCount: 4)
        _ = builder.structure("sock", byteCount: 8, [("a", int, 0)])
        let record = try #require(sample.ext.coreRelocations[0].records.first)
        var resolver = COREResolver(local: sample.local, target: try builder.build())
        #expect(try resolver.resolve(record).number == 0)  // the second sock has no b
        let second = builder.structure("sock", byteCount: 8, [("b", int, 4)])
        resolver = COREResolver(local: sample.local, target: try builder.build())
        let first = try #require(sample.target.composite(named: "sock")).id
        #expect(
            throws: COREError.ambiguous(subject: "sock.b", kind: "byte_off", candidates: [first, second])
        ) { try resolver.resolve(record) }
    }
}
