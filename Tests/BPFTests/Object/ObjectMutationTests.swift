import FuzzBodies
import Testing

@testable import BPF

/// Damaged objects: every mutation of a real one is read or refused, never trapped on.
@Suite("parseObject on damaged objects") struct ObjectMutationTests {
    static let sources = ["Tests/Fixtures/objects/sections.bpf.c", "Tests/Fixtures/objects/arithmetic.bpf.c"]

    /// splitmix64; deterministic, so that a failure can be repeated.
    struct Generator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
        mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    }

    /// Places worth damaging more often than their share of the file: headers, tables, BTF, relocations.
    static func hotRanges(_ bytes: [UInt8]) throws -> [Range<Int>] {
        let elf = try ELFFile(parsing: bytes)
        let table = Int(ELFReader(bytes: bytes).u64(40))
        let tables = elf.sections.filter { section in
            [ELFSection.symbolTableType, ELFSection.relocations].contains(section.type)
                || [".BTF", ".BTF.ext", ".struct_ops", ".maps", "struct_ops"].contains(section.name)
        }
        return [0..<64, table..<bytes.count] + tables.map(\.fileRange).filter { !$0.isEmpty }
    }

    static func damaged(_ bytes: [UInt8], _ hot: [Range<Int>], _ generator: inout Generator) -> [UInt8] {
        var copy = bytes
        for _ in 0...generator.below(4) {
            let range = generator.below(4) == 0 ? bytes.indices : hot[generator.below(hot.count)]
            let position = range.lowerBound + generator.below(range.count)
            switch generator.below(6) {
            case 0: copy[position] = 0
            case 1: copy[position] = 0xff
            case 2: copy[position] = copy[position] &+ 1
            case 3: copy[position] ^= 1 << UInt8(generator.below(8))
            case 4:
                for offset in 0..<8 where position + offset < copy.count { copy[position + offset] = 0xff }
            default: copy[position] = UInt8(truncatingIfNeeded: generator.next())
            }
        }
        if generator.below(50) == 0 { copy.removeLast(generator.below(copy.count)) }
        return copy
    }

    @Test("mutations are read or refused", arguments: sources)
    func survivesMutation(source: String) throws {
        let bytes = try CompiledObject.bytes(of: source)
        let hot = try Self.hotRanges(bytes)
        var generator = Generator(state: 1)
        var read = 0
        for _ in 0..<600 {
            let copy = Self.damaged(bytes, hot, &generator)
            checkELFInput(copy)
            if (try? parseObject(copy, name: "damaged.o")) != nil { read += 1 }
        }
        // Both outcomes must be common, or the mutations test nothing.
        #expect(read > 40 && read < 560, "\(read) of 600 were read")
    }

    @Test("random text as a hex program")
    func survivesHex() {
        var generator = Generator(state: 2)
        let alphabet = Array("0123456789abcdefABCDEF \n\tx\u{7f}".utf8)
        for length in 0..<400 {
            checkHexInput(
                (0..<length).map { _ in alphabet[generator.below(length % 2 == 0 ? 16 : alphabet.count)] })
        }
    }
}
