/// One entry of the symbol table. The name is looked up on demand (`ELFFile.name(of:)`), so that a table of many
/// symbols with one long name costs no memory.
package struct ELFSymbol: Equatable, Sendable {
    package enum Binding: UInt8, Sendable { case local = 0, global, weak, other }
    package enum Kind: UInt8, Sendable { case none = 0, object, function, section, file, common, other }

    package static let undefinedSection = 0
    package static let absoluteSection = 0xfff1
    package static let commonSection = 0xfff2

    package var index: Int
    package var nameOffset: UInt32
    package var binding: Binding
    package var kind: Kind
    /// `STV_HIDDEN` or `STV_INTERNAL`: libbpf treats such a global function as static.
    package var isHidden: Bool
    /// As in the file: a section's index, or one of the special values above.
    package var sectionIndex: Int
    package var value: UInt64
    package var byteCount: UInt64

    package var isUndefined: Bool { sectionIndex == Self.undefinedSection }
}

func parseSymbols(
    _ reader: ELFReader, _ table: ELFSection, _ sections: [ELFSection]
) throws(ELFError) -> [ELFSymbol] {
    guard table.entrySize == 24, table.fileRange.count % 24 == 0 else {
        throw .badEntrySize(part: "symbol table", size: table.entrySize, expected: 24)
    }
    guard Int(table.link) < sections.count else {
        throw .badSectionReference(from: "symbol table", to: UInt64(table.link), count: sections.count)
    }
    let count = table.fileRange.count / 24
    guard count <= ELFFile.symbolsMax else {
        throw .tooMany(part: "symbols", count: UInt64(count), limit: ELFFile.symbolsMax)
    }
    return (0..<count).map { index in
        let offset = table.fileRange.lowerBound + index * 24
        let info = reader.u8(offset + 4)
        return ELFSymbol(
            index: index, nameOffset: reader.u32(offset),
            binding: ELFSymbol.Binding(rawValue: info >> 4) ?? .other,
            kind: ELFSymbol.Kind(rawValue: info & 0xf) ?? .other,
            isHidden: [1, 2].contains(reader.u8(offset + 5) & 3),
            sectionIndex: Int(reader.u16(offset + 6)),
            value: reader.u64(offset + 8), byteCount: reader.u64(offset + 16))
    }
}

extension ELFFile {
    /// A section symbol has the name of its section.
    package func name(of symbol: ELFSymbol) throws(ELFError) -> String {
        if symbol.kind == .section, symbol.nameOffset == 0, let section = section(symbol.sectionIndex) {
            return section.name
        }
        guard let symbolTable, let strings = section(Int(sections[symbolTable].link)) else { return "" }
        return try string(reader, strings, at: symbol.nameOffset, part: "name of symbol \(symbol.index)")
    }
}
