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

    @Test("the same results, memory and maps", arguments: sources, [UInt64(1), 2, 3])
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
