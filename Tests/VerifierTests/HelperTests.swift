import BPF
import Testing

@testable import Verifier

/// The table of helpers, and what those of the kernel's program types do with sockets, packets and maps.
@Suite("Helpers") struct HelperTests {
    private func outcome(
        _ insns: [Instruction], _ section: String = "tc", maps: [MapDescription] = [], isGPL: Bool = true
    ) throws -> VerificationOutcome {
        verify(
            ProgramImage(name: "test", section: section, insns: insns, maps: maps, isGPLCompatible: isGPL),
            in: try .derived(fromSection: section))
    }

    private func problem(
        _ insns: [Instruction], _ section: String = "tc", maps: [MapDescription] = [], isGPL: Bool = true
    ) throws -> String {
        try outcome(insns, section, maps: maps, isGPL: isGPL).report?.problem ?? "accepted"
    }

    private static let done = [Asm.mov(0, 0), Asm.exit]

    @Test func everyHelperHasAPrototype() {
        let missing = (1..<Int32(HelperNames.all.count)).filter { HelperPrototype.known[$0] == nil }
        #expect(missing.map { HelperPrototype.name(of: $0) } == [])
        #expect(HelperPrototype.known.values.allSatisfy { $0.arguments.count <= 5 })
    }

    @Test func everyHelperIsForSomeProgram() {
        var offered: Set<Int32> = []
        for section in ProgramContext.sections {
            guard
                let definition = SectionDefinition(section: section.hasSuffix("/") ? section + "x" : section)
            else { continue }
            offered.formUnion(HelperAvailability.helpers(for: definition.type, definition.attach))
        }
        let missing = HelperAvailability.everywhere.subtracting(offered)
        // A struct_ops member's alone.
        #expect(missing.map { HelperPrototype.name(of: $0) } == ["bpf_tcp_send_ack"])
    }

    @Test func licencesAreAskedFor() throws {
        let insns = [
            Asm.mov(1, reg: 10), Asm.add(1, -8), Asm.mov(2, 8), Asm.mov(3, 0),
            Asm.call(helper: "probe_read_kernel"), Asm.exit,
        ]
        #expect(try outcome(insns).program != nil)
        #expect(try problem(insns, isGPL: false).hasPrefix("cannot call GPL-restricted function"))
    }

    // MARK: Sockets

    /// R0 = bpf_sk_lookup_tcp(…).
    private static let lookup: [Instruction] = [
        Asm.mov(6, reg: 1), Asm.store(.double, 10, -16, 0), Asm.store(.double, 10, -8, 0),
        Asm.mov(2, reg: 10),
        Asm.add(2, -16), Asm.mov(3, 12), Asm.mov(4, 0), Asm.mov(5, 0), Asm.call(helper: "sk_lookup_tcp"),
    ]

    @Test func foundSocketsAreReleased() throws {
        let release = [
            Asm.jump(Opcode.jeq, 0, 0, 2), Asm.mov(1, reg: 0), Asm.call(helper: "sk_release"),
        ]
        #expect(try outcome(Self.lookup + release + Self.done).program != nil)
        #expect(try problem(Self.lookup + Self.done).hasPrefix("Unreleased reference"))
        let untested = [Asm.mov(1, reg: 0), Asm.call(helper: "sk_release")]
        #expect(try problem(Self.lookup + untested + Self.done).contains("type=sock_or_null"))
    }

    @Test func castsLiveAsLongAsTheSocket() throws {
        // R7 = the socket, R0 = bpf_tcp_sock(it); release R7; read R0's field.
        let cast: [Instruction] = [
            Asm.jump(Opcode.jeq, 0, 0, 8), Asm.mov(7, reg: 0), Asm.mov(1, reg: 0),
            Asm.call(helper: "tcp_sock"),
            Asm.mov(8, reg: 0), Asm.mov(1, reg: 7), Asm.call(helper: "sk_release"),
            Asm.jump(Opcode.jeq, 8, 0, 1), Asm.load(.word, 2, 8, 0),
        ]
        #expect(try problem(Self.lookup + cast + Self.done) == "R8 invalid mem access 'scalar'")
        // A NULL cast is no reason to forget the socket.
        let unreleased: [Instruction] = [
            Asm.jump(Opcode.jeq, 0, 0, 2), Asm.mov(1, reg: 0), Asm.call(helper: "tcp_sock"),
        ]
        #expect(try problem(Self.lookup + unreleased + Self.done).hasPrefix("Unreleased reference"))
    }

    // MARK: Packets

    @Test func helpersThatMoveThePacketEndItsPointers() throws {
        let insns: [Instruction] = [
            Asm.mov(6, reg: 1), Asm.load(.word, 7, 1, 76), Asm.load(.word, 3, 1, 80), Asm.mov(4, reg: 7),
            Asm.add(4, 14), Asm.jump(Opcode.jgt, 4, reg: 3, 3), Asm.mov(1, reg: 6), Asm.mov(2, 0),
            Asm.call(helper: "skb_pull_data"), Asm.mov(0, 0), Asm.exit,
        ]
        #expect(try outcome(insns).program != nil)
        var later = insns
        later.insert(Asm.load(.byte, 0, 7, 0), at: 9)
        later[5].offset = 4
        #expect(try problem(later) == "R7 invalid mem access 'scalar'")
    }

    // MARK: Maps

    private func map(_ type: MapType, key: Int = 4, value: Int = 4) -> MapDescription {
        MapDescription(name: "m", type: type, keySize: key, valueSize: value, maxEntries: 8)
    }

    /// R0 = bpf_map_lookup_elem(&m, &0).
    private static let element: [Instruction] =
        [Asm.store(.double, 10, -8, 0)] + Asm.map(1, 0)
        + [Asm.mov(2, reg: 10), Asm.add(2, -8), Asm.call(helper: "map_lookup_elem")]

    @Test(arguments: [
        MapType.hash, .array, .percpuHash, .lruHash, .lpmTrie, .devmap, .devmapHash, .xskmap,
    ])
    func elementsAreLookedUp(_ type: MapType) throws {
        #expect(try outcome(Self.element + Self.done, maps: [map(type)]).program != nil)
    }

    @Test(arguments: [
        MapType.progArray, .perfEventArray, .stackTrace, .cgroupArray, .cpumap, .ringbuf, .queue, .skStorage,
        .bloomFilter, .userRingbuf, .reuseportSockArray,
    ])
    func otherMapsHaveNoElements(_ type: MapType) throws {
        let found = try problem(Self.element + Self.done, maps: [map(type)])
        #expect(found == "cannot pass map_type \(type.rawValue) into func bpf_map_lookup_elem")
    }

    @Test func socketsInMapsAreReleased() throws {
        let maps = [map(.sockmap)]
        #expect(try problem(Self.element + Self.done, maps: maps).hasPrefix("Unreleased reference"))
        let release = [Asm.jump(Opcode.jeq, 0, 0, 2), Asm.mov(1, reg: 0), Asm.call(helper: "sk_release")]
        #expect(try outcome(Self.element + release + Self.done, maps: maps).program != nil)
    }

    @Test func mapTypesHaveNames() {
        #expect((1...33).allSatisfy { !MapType(rawValue: $0).name.hasPrefix("type ") })
    }

    @Test func lengthsAreBoundedByTheMemory() throws {
        // n = bpf_probe_read_kernel_str(buf, 16, 0); if (n > 0) buf[n - 1] = 0;
        let insns: [Instruction] = [
            Asm.store(.double, 10, -16, 0), Asm.store(.double, 10, -8, 0), Asm.mov(1, reg: 10),
            Asm.add(1, -16), Asm.mov(2, 16), Asm.mov(3, 0), Asm.call(helper: "probe_read_kernel_str"),
            Asm.jump(Opcode.jsle, 0, 0, 4), Asm.add(0, -1), Asm.mov(1, reg: 10), Asm.add(1, reg: 0),
            Asm.store(.byte, 1, -16, 0), Asm.mov(0, 0), Asm.exit,
        ]
        #expect(try outcome(insns, "kprobe/x").program != nil)
        var longer = insns
        longer[4] = Asm.mov(2, 17)
        longer[3] = Asm.add(1, -17)
        #expect(try problem(longer, "kprobe/x") != "accepted")
    }
}
