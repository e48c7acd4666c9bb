import Testing

@testable import BPF

@Suite("ELFFile") struct ELFFileTests {
    static let object = Result { try CompiledObject.bytes(of: "Tests/Fixtures/objects/sections.bpf.c") }
    let bytes: [UInt8]

    init() throws { bytes = try Self.object.get() }

    @Test("sections, symbols and relocations of a compiled object")
    func reads() throws {
        let elf = try ELFFile(parsing: bytes)
        let code = try #require(elf.section(named: "struct_ops"))
        #expect(code.isExecutable && code.byteCount % 8 == 0)
        let symbol = try #require(try elf.symbols.first { try elf.name(of: $0) == "sections_init" })
        #expect(symbol.kind == .function && symbol.sectionIndex == code.index)
        let tables = elf.relocationSections(for: code)
        #expect(tables.count == 1)
        let kinds = Set(try elf.relocations(in: tables[0]).map(\.type))
        #expect(kinds == [.ldImm64, .call])
    }

    @Test("a file that is not ours is refused by what it is")
    func rejectsOthers() {
        func with(_ offset: Int, _ value: UInt8) -> [UInt8] {
            var copy = bytes
            copy[offset] = value
            return copy
        }
        #expect(throws: ELFError.notELF(magic: [])) { try ELFFile(parsing: []) }
        #expect(throws: ELFError.notELF(magic: [0x23, 0x21, 0x2f, 0x62])) {
            try ELFFile(parsing: Array("#!/bin/sh".utf8))
        }
        #expect(throws: ELFError.truncated(part: "file header", offset: 0, needed: 64, available: 63)) {
            try ELFFile(parsing: Array(bytes.prefix(63)))
        }
        #expect(throws: ELFError.wrongClass(1)) { try ELFFile(parsing: with(4, 1)) }
        #expect(throws: ELFError.wrongByteOrder(2)) { try ELFFile(parsing: with(5, 2)) }
        #expect(throws: ELFError.wrongType(2)) { try ELFFile(parsing: with(16, 2)) }
        #expect(throws: ELFError.wrongMachine(62)) { try ELFFile(parsing: with(18, 62)) }
        #expect(throws: ELFError.badEntrySize(part: "section table", size: 40, expected: 64)) {
            try ELFFile(parsing: with(58, 40))
        }
    }

    @Test("every truncation is refused")
    func rejectsTruncation() throws {
        for length in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: ELFError.self) { try ELFFile(parsing: Array(bytes.prefix(length))) }
        }
    }

    @Test("sections that claim the same bytes are refused")
    func rejectsOverlap() throws {
        var copy = bytes
        let table = Int(ELFReader(bytes: copy).u64(40))
        // Every section but the first becomes the whole file.
        let count = Int(ELFReader(bytes: copy).u16(60))
        for index in 1..<count {
            let record = table + index * 64
            for byte in 0..<8 {
                copy[record + 24 + byte] = 0
                copy[record + 32 + byte] = UInt8(truncatingIfNeeded: bytes.count >> (8 * byte))
            }
        }
        #expect(throws: ELFError.self) { try ELFFile(parsing: copy) }
    }
}
