/// A relocatable BPF object file, taken apart into sections and symbols. Contents are not interpreted here.
///
/// Bounded: the records of a file take a small multiple of its size, names at most `nameBytesMax` each, and sections
/// together never claim more bytes than the file has, so that copying all of them stays linear.
///
/// Source: System V ABI, chapters 4 and 5 (ELF-64); Linux `Documentation/bpf/llvm_reloc.rst`.
package struct ELFFile: Sendable {
    package static let sectionsMax = 0xff00
    package static let symbolsMax = 1 << 20
    package static let nameBytesMax = 1024

    let reader: ELFReader
    package let sections: [ELFSection]
    /// Empty when there is no symbol table.
    package let symbols: [ELFSymbol]
    /// Index of the SHT_SYMTAB section; nil in a stripped file.
    package let symbolTable: Int?
    /// SHT_REL sections by the section that they patch, so that asking for each section's stays linear.
    private let relocationSections: [Int: [Int]]

    package var bytes: [UInt8] { reader.bytes }

    /// - Throws: `ELFError`; never traps, whatever the bytes.
    package init(parsing bytes: [UInt8]) throws(ELFError) {
        reader = ELFReader(bytes: bytes)
        let header = try ELFHeader(reader)
        let sections = try parseSections(reader, header)
        self.sections = sections
        relocationSections = Dictionary(
            grouping: sections.indices.filter { sections[$0].type == ELFSection.relocations },
            by: { Int(sections[$0].info) })
        symbolTable = sections.firstIndex { $0.type == ELFSection.symbolTableType }
        if let symbolTable {
            symbols = try parseSymbols(reader, sections[symbolTable], sections)
        } else {
            symbols = []
        }
    }

    /// The section of an index from the file; nil for 0 and for what does not exist.
    package func section(_ index: Int) -> ELFSection? {
        index > 0 && index < sections.count ? sections[index] : nil
    }

    package func section(named name: String) -> ELFSection? { sections.first { $0.name == name } }

    /// All SHT_REL sections that patch `target`.
    package func relocationSections(for target: ELFSection) -> [ELFSection] {
        (relocationSections[target.index] ?? []).map { sections[$0] }
    }

    /// Bytes of a section as they stand in the file; empty for NOBITS.
    package func contents(of section: ELFSection) -> ArraySlice<UInt8> { reader.bytes[section.fileRange] }
}

/// The file header's fields that matter here, checked.
struct ELFHeader {
    let sectionTable: UInt64
    let sectionCount: Int
    let nameSection: Int

    init(_ reader: ELFReader) throws(ELFError) {
        let magic = Array(reader.bytes.prefix(4))
        guard magic == [0x7f, 0x45, 0x4c, 0x46] else { throw .notELF(magic: magic) }
        _ = try reader.range("file header", at: 0, count: 64)
        guard reader.u8(4) == 2 else { throw .wrongClass(reader.u8(4)) }
        guard reader.u8(5) == 1 else { throw .wrongByteOrder(reader.u8(5)) }
        guard reader.u16(16) == 1 else { throw .wrongType(reader.u16(16)) }
        guard reader.u16(18) == 247 else { throw .wrongMachine(reader.u16(18)) }
        let entrySize = reader.u16(58)
        guard entrySize == 64 else {
            throw .badEntrySize(part: "section table", size: UInt64(entrySize), expected: 64)
        }
        sectionTable = reader.u64(40)
        // 0 here means "more than 65279, see section 0", far beyond what a compiler makes for one source file.
        sectionCount = Int(reader.u16(60))
        guard sectionCount > 0, sectionCount <= ELFFile.sectionsMax else {
            throw .tooMany(part: "sections", count: UInt64(sectionCount), limit: ELFFile.sectionsMax)
        }
        nameSection = Int(reader.u16(62))
        guard nameSection < sectionCount else {
            throw .badSectionReference(from: "file header", to: UInt64(nameSection), count: sectionCount)
        }
    }
}
