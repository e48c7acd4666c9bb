import BPF
import Testing
import Verifier

@testable import OpsCore

/// What helpers do is what the kernel's do: the same program on equal maps, here in the interpreter and there.
@Suite(
    "Programs in the running kernel",
    .enabled(if: KernelMap.isAllowed && BPFCompiler.isPresent, "needs bpf(2) and clang"))
struct KernelAgreementTests {
    typealias Source = CompiledProgramTests.Source

    static let sources: [Source] =
        CompiledProgramTests.mapSources.filter { $0.name.hasPrefix("queue") } + [
            Source(
                name: "ring buffer: reserve, submit, discard, output, query",
                text: """
                    #define output_ ((long (*)(void *map, void *data, __u64 size, __u64 flags))130)
                    #define reserve_ ((void *(*)(void *map, __u64 size, __u64 flags))131)
                    #define submit_ ((void (*)(void *record, __u64 flags))132)
                    #define discard_ ((void (*)(void *record, __u64 flags))133)
                    #define query_ ((__u64 (*)(void *map, __u64 what))134)
                    struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");
                    SEC("test") long run(struct region *r) {
                        long sum = 0;
                        char text[32] = {};
                        __builtin_memcpy(text, &r->text, 32);
                        for (int i = 0; i < 30; i++) {
                            __u64 *record = reserve_(&ring, 20, 0);
                            if (record) {
                                record[0] = i; record[1] = r->a;
                                ((__u32 *)record)[4] = 7;
                                if (r->b >> i & 1) submit_(record, r->c & 3); else discard_(record, 0);
                            } else {
                                r->c++;
                            }
                            sum = sum * 31 + output_(&ring, text, r->a >> i & 31, i == 3 ? 4 : i & 3);
                        }
                        void *big = reserve_(&ring, 4088, 0);
                        if (big) { discard_(big, 0); r->c += 1000; }
                        for (int i = 0; i < 6; i++) r->d = r->d * 5 + query_(&ring, i);
                        return sum;
                    }
                    """)
        ]

    static let helperSources: [Source] = [
        Source(
            name: "numbers from text",
            text: """
                #define strtol_ ((long (*)(const char *buf, __u64 size, __u64 flags, long *res))105)
                #define strtoul_ ((long (*)(const char *buf, __u64 size, __u64 flags, unsigned long *res))106)
                static const struct { char text[24]; __u32 base; } lines[] = {
                    {"12345", 0}, {" \\t\\n-42x", 10}, {"0x1fg", 0}, {"0X1F", 16}, {"0755", 0}, {"089", 0}, {"-", 0},
                    {"", 0}, {"0x", 0}, {"0x", 16}, {"zz", 10}, {"--5", 10}, {"+5", 10}, {"9223372036854775807", 10},
                    {"9223372036854775808", 10}, {"-9223372036854775808", 10}, {"-9223372036854775809", 0},
                    {"18446744073709551615", 0}, {"18446744073709551616", 0}, {"ffffffffffffffff", 16}, {"-0", 10},
                    {"12", 2}, {"12", 33}, {"12", 8}, {"0xg", 0}, {"00000000000000000000001", 10}, {"   ", 10},
                    {"07fff", 16}, {"\\v\\f\\r9", 0},
                };
                SEC("test") long run(struct region *r) {
                    for (int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                        __u64 value = 7;
                        long n = strtol_(lines[i].text, 1 + (r->a >> i & 15), lines[i].base, (long *)&value);
                        r->b = r->b * 31 + n; r->c = r->c * 31 + value;
                        n = strtoul_(lines[i].text, 24, lines[i].base, (unsigned long *)&value);
                        r->b = r->b * 31 + n; r->c = r->c * 31 + value;
                    }
                    return r->b;
                }
                """),
        Source(
            name: "dynptrs of map values and of records",
            text: """
                #define from_mem_ ((long (*)(void *data, __u64 size, __u64 flags, void *dynptr))197)
                #define reserve_dynptr_ ((long (*)(void *map, __u64 size, __u64 flags, void *dynptr))198)
                #define submit_dynptr_ ((void (*)(void *dynptr, __u64 flags))199)
                #define discard_dynptr_ ((void (*)(void *dynptr, __u64 flags))200)
                #define read_ ((long (*)(void *to, __u64 size, void *from, __u64 offset, __u64 flags))201)
                #define write_ ((long (*)(void *to, __u64 offset, void *from, __u64 size, __u64 flags))202)
                #define data_ ((void *(*)(void *dynptr, __u64 offset, __u64 size))203)
                struct dynptr { __u64 opaque[2]; } __attribute__((aligned(8)));
                struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");
                struct wide { char bytes[64]; };
                MAP(cells, 2, __u32, struct wide, 1);
                SEC("test") long run(struct region *r) {
                    __u32 key = 0;
                    char text[32] = {};
                    long sum = 0;
                    struct wide *cell = bpf_map_lookup_elem(&cells, &key);
                    if (!cell) return -1;
                    __builtin_memcpy(text, &r->text, 32);
                    for (int i = 0; i < 12; i++) {
                        struct dynptr local, record;
                        __u32 at = (r->a >> i) & 63, count = 1 + (r->b >> i & 15);
                        sum = sum * 31 + from_mem_(cell, 64, i == 7, &local);
                        sum = sum * 31 + write_(&local, at, text, count, i == 5);
                        sum = sum * 31 + read_(text, 8, &local, at / 2, i == 6);
                        sum = sum * 31 + reserve_dynptr_(&ring, i == 8 ? 1 << 25 : 16 + at * 3, i == 9, &record);
                        sum = sum * 31 + write_(&record, i, text, count, 0);
                        char *part = data_(&record, 8, 8);
                        if (part) part[i & 7] = i;
                        part = data_(&local, at, 4);
                        if (part) part[3] ^= 0x55;
                        sum = sum * 31 + !part;
                        if (r->c >> i & 1) submit_dynptr_(&record, 0); else discard_dynptr_(&record, 0);
                    }
                    __u64 word;
                    __builtin_memcpy(&word, text, 8);
                    r->d = r->d * 31 + word;
                    return sum;
                }
                """),
    ]

    @Test("the same results, memory and maps", arguments: sources + helperSources, [UInt64(1), 2, 3])
    func agree(source: Source, seed: UInt64) throws {
        let linked = try CompiledProgramTests.link(source)
        let image = try #require(linked.programs.first).image
        let kernel = try KernelProgram(image, maps: linked.maps)
        var configuration = Instance.Configuration()
        configuration.cpus = KernelMap.cpus
        var contents: [Int: [UInt8]] = [:]
        for (index, map) in linked.maps.enumerated() { contents[index] = map.contents }
        let instance = try Instance(
            maps: linked.maps.map(\.description), contents: contents, btf: linked.btf,
            configuration: configuration)
        let interpreter = try Interpreter(unverified: image, on: instance)

        var state = seed
        var ours = (0..<64).map { _ in UInt8(truncatingIfNeeded: SplitMix64.next(&state)) }
        var theirs = ours
        for round in 0..<4 {
            let r0 = try interpreter.run(data: &ours)
            #expect(try UInt32(truncatingIfNeeded: r0) == kernel.run(&theirs), "round \(round)")
            #expect(ours == theirs, "round \(round)")
        }
        for (index, map) in linked.maps.enumerated() where map.description.type == .ringbuf {
            let records = try instance.maps[index].elements().map(\.value)
            #expect(try records == kernel.maps[index].records())
            #expect(records.count > 10)
        }
    }
}
