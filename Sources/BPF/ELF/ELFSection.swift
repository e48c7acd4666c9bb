/// One section header. `fileRange` lies inside the file; it is empty for NOBITS, whose size is `byteCount` alone.
package struct ELFSection: Equatable, Sendable {
    package static let programBits: UInt32 = 1
    package static let symbolTableType: UInt32 = 2
    package static let stringTableType: UInt32 = 3
    package static let relocationsWithAddend: UInt32 = 4
    package static let noBits: UInt32 = 8
    package static let relocations: UInt32 = 9
    package static let executable: UInt64 = 4

    package var index: Int
    package var name: String
    package var type: UInt32
    package var flags: UInt64
    package var fileRange: Range<Int>
    /// As the header states it; may be anything for NOBITS.
    package var byteCount: UInt64
    package var link: UInt32
    package var info: UInt32
    package var alignment: UInt64
    package var entrySize: UInt64

    package var isExecutable: Bool { flags & Self.executable != 0 }
}

func parseSections(_ reader: ELFReader, _ header: ELFHeader) throws(ELFError) -> [ELFSection] {
    let table = try reader.range(
        "section table", at: header.sectionTable, count: UInt64(header.sectionCount) * 64)
    var sections: [ELFSection] = []
    sections.reserveCapacity(header.sectionCount)
    var claimed: UInt64 = 0
    for index in 0..<header.sectionCount {
        let section = try parseSection(reader, index: index, at: table.lowerBound + index * 64)
        // Each is at most the file's size and there are few, so the sum cannot overflow.
        claimed += UInt64(section.fileRange.count)
        sections.append(section)
    }
    guard claimed <= UInt64(reader.bytes.count) else {
        throw .overlappingSections(claimed: claimed, fileBytes: reader.bytes.count)
    }
    let names = sections[header.nameSection]
    for index in sections.indices where index > 0 {
        let nameOffset = reader.u32(table.lowerBound + index * 64)
        sections[index].name = try string(reader, names, at: nameOffset, part: "name of section \(index)")
    }
    return sections
}

private func parseSection(_ reader: ELFReader, index: Int, at offset: Int) throws(ELFError) -> ELFSection {
    let type = reader.u32(offset + 4)
    let byteCount = reader.u64(offset + 32)
    // Section 0 and NULL sections have no contents; NOBITS have a size but no bytes.
    let hasBytes = index > 0 && type != 0 && type != ELFSection.noBits
    let range =
        hasBytes ? try reader.range("section \(index)", at: reader.u64(offset + 24), count: byteCount) : 0..<0
    return ELFSection(
        index: index, name: "", type: type, flags: reader.u64(offset + 8), fileRange: range,
        byteCount: byteCount, link: reader.u32(offset + 40), info: reader.u32(offset + 44),
        alignment: reader.u64(offset + 48), entrySize: reader.u64(offset + 56))
}

/// A NUL-terminated string of a string table. Bytes that are no UTF-8 become U+FFFD.
func string(
    _ reader: ELFReader, _ table: ELFSection, at offset: UInt32, part: @autoclosure () -> String
) throws(ELFError) -> String {
    guard Int(offset) < table.fileRange.count else {
        if offset == 0 { return "" }
        throw .badString(part: part(), offset: UInt64(offset))
    }
    let start = table.fileRange.lowerBound + Int(offset)
    let window = reader.bytes[start..<table.fileRange.upperBound].prefix(ELFFile.nameBytesMax + 1)
    guard let end = window.firstIndex(of: 0) else { throw .badString(part: part(), offset: UInt64(offset)) }
    return String(decoding: window[..<end], as: UTF8.self)
}
