import BPF
import CShim
import Foundation
import JIT
import Testing
import Verifier

@testable import OpsCore

/// C through clang, loader and verifier, run by the interpreter and as machine code on equal instances.
@Suite("Programs in C", .enabled(if: BPFCompiler.isPresent, "no clang on PATH")) struct CompiledProgramTests {
    struct Source: Sendable, CustomTestStringConvertible {
        var name: String
        var text: String
        var testDescription: String { name }
    }

    static let declarations = """
        #define lookup_percpu ((void * (*)(void *map, const void *key, __u32 cpu))195)
        #define strncmp_ ((long (*)(const char *s1, __u32 size, const char *s2))182)
        #define snprintf_ ((long (*)(char *str, __u32 size, const char *fmt, __u64 *data, __u32 len))165)
        #define spin_lock ((long (*)(void *lock))93)
        #define spin_unlock ((long (*)(void *lock))94)
        struct bpf_spin_lock { __u32 val; };
        struct region { __u64 a, b, c, d; __u8 text[32]; };
        char _license[] SEC("license") = "GPL";
        #define MAP(name_, type_, key_, value_, max_) \\
            struct { __uint(type, type_); __type(key, key_); __type(value, value_); __uint(max_entries, max_); } \\
            name_ SEC(".maps")

        """

    static let sources: [Source] = [
        Source(
            name: "hash: insert, count, delete while walking",
            text: """
                MAP(counts, 1, __u32, __u64, 64);
                struct sum { __u64 keys, values; };
                static long each(void *map, __u32 *key, __u64 *value, struct sum *sum) {
                    sum->keys += *key; sum->values += *value;
                    if (*value & 1) bpf_map_delete_elem(map, key);
                    return sum->keys > 5000;
                }
                SEC("test") long run(struct region *r) {
                    for (int i = 0; i < 40; i++) {
                        __u32 key = (r->a >> (i & 15)) & 63;
                        __u64 *seen = bpf_map_lookup_elem(&counts, &key), one = 1;
                        if (seen) __sync_fetch_and_add(seen, i); else bpf_map_update_elem(&counts, &key, &one, 1);
                    }
                    struct sum sum = {};
                    long n = bpf_for_each_map_elem(&counts, each, &sum, 0);
                    r->b = sum.keys; r->c = sum.values;
                    return n;
                }
                """),
        Source(
            name: "array: for_each, loop with a callback, global data",
            text: """
                MAP(cells, 2, __u32, __u64, 16);
                __u64 turns; static __u64 factor = 7; const __u32 step = 3;
                static long each(void *map, __u32 *key, __u64 *value, __u64 *sum) { *sum += *value * (*key + 1); return 0; }
                static long turn(__u32 i, struct region *r) {
                    __u32 key = i & 15;
                    __u64 *cell = bpf_map_lookup_elem(&cells, &key);
                    if (!cell) return 1;
                    *cell = *cell * factor + step + i;
                    turns++;
                    return *cell % 97 == 96;
                }
                SEC("test") long run(struct region *r) {
                    __u64 sum = 0, scratch = 0;
                    bpf_loop(100 + (r->a & 63), turn, &scratch, 0);
                    bpf_for_each_map_elem(&cells, each, &sum, 0);
                    r->b = turns;
                    return sum;
                }
                """),
        Source(
            name: "per-CPU array, clocks, random numbers",
            text: """
                MAP(percpu, 6, __u32, __u64, 4);
                SEC("test") long run(struct region *r) {
                    __u32 key = r->a & 7;
                    __u64 *mine = bpf_map_lookup_elem(&percpu, &key);
                    if (!mine) return -1;
                    *mine += bpf_get_prandom_u32() ^ bpf_ktime_get_ns() ^ bpf_jiffies64();
                    __u64 *other = lookup_percpu(&percpu, &key, bpf_get_smp_processor_id() ^ 1);
                    if (!other) return -2;
                    *other += 5;
                    __u64 value = *mine ^ *other;
                    bpf_map_update_elem(&percpu, &key, &value, 0);
                    return value;
                }
                """),
        Source(
            name: "strings: compare, print, format",
            text: """
                static const char hello[] = "cwnd %d of %05lld, %5x|%-4u|";
                static const char name[] = "cubic";
                SEC("test") long run(struct region *r) {
                    static const char line[] = "a=%llu b=%d\\n";
                    bpf_trace_printk(line, sizeof(line), r->a, (int)r->b, 0);
                    __u64 args[4] = { r->a, r->d, r->b, r->c };
                    long n = snprintf_((char *)r->text, sizeof(r->text), hello, args, sizeof(args));
                    char other[6] = "cubib";
                    return n * 100 + strncmp_(other, sizeof(other), name);
                }
                """),
        Source(
            name: "spin lock in a value, compare-and-swap",
            text: """
                struct guarded { __u64 sum; struct bpf_spin_lock lock; __u32 n; };
                MAP(guarded, 2, __u32, struct guarded, 2);
                SEC("test") long run(struct region *r) {
                    __u32 key = r->a & 1;
                    struct guarded *g = bpf_map_lookup_elem(&guarded, &key);
                    if (!g) return 1;
                    spin_lock(&g->lock);
                    g->sum += r->b; g->n++;
                    spin_unlock(&g->lock);
                    __u64 was = __sync_val_compare_and_swap(&g->sum, r->b, r->c);
                    return was + g->n + __sync_fetch_and_or(&r->d, 0x100);
                }
                """),
        Source(
            name: "subprograms, signed arithmetic, stack arrays",
            text: """
                static __noinline long mix(long a, long b) { return b ? a / b + a % b : a; }
                static __noinline __u64 fold(__u64 *v, int n) {
                    __u64 x = 0;
                    for (int i = 0; i < 8; i++) x = (x << 5 | x >> 59) ^ v[i & 7];
                    return x + mix((long)v[0], (int)v[1]);
                }
                SEC("test") long run(struct region *r) {
                    __u64 v[8] = { r->a, r->b, r->c, r->d, (signed char)r->a, (short)r->b, (int)r->c, -r->d };
                    return fold(v, 8) + mix((int)r->a, (signed char)r->d);
                }
                """),
    ]

    /// What a run leaves behind.
    private struct Outcome: Equatable {
        var r0: [UInt64] = []
        var memory: [UInt8] = []
        var maps: [[[UInt8]]] = []
        var trace: [String] = []
        var fuel: UInt64 = 0
        /// When timers were to be fired, as the clock was told.
        var alarms: [UInt64] = []
        var random: UInt64 = 0
    }

    @Test("interpreter and machine code agree", arguments: sources + mapSources)
    func agree(source: Source) throws {
        let linked = try Self.link(source)
        let program = try #require(linked.programs.first)
        let context = ProgramContext(
            name: "test", arguments: .memory(byteCount: 64), result: .scalar, helpers: HelperTable.base.ids)
        let verified: VerifiedProgram
        switch verify(program.image, in: context) {
        case .accepted(let accepted): verified = accepted
        case .rejected(let report), .unsupported(let report):
            Issue.record(
                "refused: \(report.problem): \(report.reason) at insn \(String(describing: report.at))")
            return
        }
        for seed in UInt64(1)...5 {
            for fuel in [UInt64(1) << 23, 50, 0] {
                let expected = try Self.interpret(verified, linked, seed, fuel)
                #expect(
                    try Self.execute(verified, linked, seed, fuel) == expected, "seed \(seed), fuel \(fuel)")
            }
        }
    }

    static func link(_ source: Source) throws -> LinkedObject {
        let bytes = try CompiledObject.bytes(compiling: declarations + source.text, cpu: "v4")
        let target = try BTFBuilder().build()
        return try OpsCore.link(
            try parseObject(bytes, name: "test.o"),
            options: LinkOptions(target: target, selection: .everything))
    }

    private static func instance(_ linked: LinkedObject, _ seed: UInt64, _ fuel: UInt64) throws -> Instance {
        var configuration = Instance.Configuration()
        configuration.cpus = 2
        configuration.seed = seed
        configuration.fuelPerCall = fuel
        var contents: [Int: [UInt8]] = [:]
        for (index, map) in linked.maps.enumerated() { contents[index] = map.contents }
        let instance = try Instance(
            maps: linked.maps.map(\.description), contents: contents, btf: linked.btf,
            configuration: configuration)
        instance.block.pointee.ktime_ns = seed &* 1_000_003
        instance.block.pointee.jiffies64 = seed
        return instance
    }

    /// Three runs in a row on the same memory and maps, and a few milliseconds after each.
    private static func outcome(
        _ instance: Instance, _ seed: UInt64, _ run: (UnsafeMutableRawBufferPointer) throws -> UInt64,
        fireTimers: () throws -> Void
    ) throws -> Outcome {
        let clock = TestClock()
        instance.timerHost = clock
        var outcome = Outcome()
        var state = seed
        var memory = (0..<64).map { _ in UInt8(truncatingIfNeeded: SplitMix64.next(&state)) }
        for _ in 0..<3 {
            outcome.r0.append(try memory.withUnsafeMutableBytes { try run($0) })
            for _ in 0..<4 {
                instance.block.pointee.ktime_ns += 1_000_000
                try fireTimers()
            }
            instance.quiesce()
        }
        outcome.memory = memory
        outcome.maps = try instance.maps.map { map in try map.elements().flatMap { [$0.key, $0.value] } }
        outcome.trace = instance.trace.snapshot.map(\.text)
        outcome.alarms = clock.alarms
        outcome.fuel = instance.block.pointee.fuel
        outcome.random = instance.block.pointee.prandom_state
        return outcome
    }

    private static func interpret(
        _ program: VerifiedProgram, _ linked: LinkedObject, _ seed: UInt64, _ fuel: UInt64
    ) throws -> Outcome {
        let instance = try instance(linked, seed, fuel)
        let interpreter = try Interpreter(program, on: instance)
        return try outcome(instance, seed) {
            try interpreter.run(region: $0)
        } fireTimers: {
            try interpreter.fireTimers()
        }
    }

    private static func execute(
        _ program: VerifiedProgram, _ linked: LinkedObject, _ seed: UInt64, _ fuel: UInt64
    ) throws -> Outcome {
        let instance = try instance(linked, seed, fuel)
        let compiled = try compile(
            CompileRequest(program: program, layout: instance.layout, helpers: HelperTable.base.addresses))
        let code = try CodeUnit([compiled], name: "test")
        let word = FuncModel.Value(byteCount: 8)
        let entries = try EntryUnit([
            EntryRequest(
                model: FuncModel(arguments: [word, word], result: word), body: code.body(0),
                block: UnsafeMutableRawPointer(instance.block), kind: .registers, needs: compiled.needs)
        ])
        let entry = unsafeBitCast(entries.pointer(0), to: (@convention(c) (UInt64, UInt64) -> UInt64).self)
        return try withExtendedLifetime((code, entries)) {
            try outcome(instance, seed) {
                entry(UInt64(UInt(bitPattern: $0.baseAddress)), UInt64($0.count))
            } fireTimers: {
                instance.fireTimers()
            }
        }
    }
}
