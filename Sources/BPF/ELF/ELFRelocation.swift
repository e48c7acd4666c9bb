/// One SHT_REL record: the addend stands in the bytes that it patches.
package struct ELFRelocation: Equatable, Sendable {
    /// Byte offset in the section that is patched.
    package var offset: UInt64
    package var type: RelocationType
    /// Index into `ELFFile.symbols`; checked.
    package var symbol: Int
}

/// Kinds of relocation that LLVM makes for BPF. Source: Linux `Documentation/bpf/llvm_reloc.rst`.
package struct RelocationType: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let none = RelocationType(rawValue: 0)
    /// A 64-bit immediate load.
    package static let ldImm64 = RelocationType(rawValue: 1)
    /// 8 bytes of data.
    package static let abs64 = RelocationType(rawValue: 2)
    /// 4 bytes of data.
    package static let abs32 = RelocationType(rawValue: 3)
    /// 4 bytes of `.BTF` or `.BTF.ext`.
    package static let noDylib32 = RelocationType(rawValue: 4)
    /// The `imm` of a call.
    package static let call = RelocationType(rawValue: 10)

    package var name: String {
        switch self {
        case .none: "R_BPF_NONE"
        case .ldImm64: "R_BPF_64_64"
        case .abs64: "R_BPF_64_ABS64"
        case .abs32: "R_BPF_64_ABS32"
        case .noDylib32: "R_BPF_64_NODYLD32"
        case .call: "R_BPF_64_32"
        default: "relocation type \(rawValue)"
        }
    }
}

extension ELFFile {
    /// The relocations of one SHT_REL section, in ascending order of offset.
    package func relocations(in section: ELFSection) throws(ELFError) -> [ELFRelocation] {
        guard section.entrySize == 16, section.fileRange.count % 16 == 0 else {
            throw .badEntrySize(part: "section '\(section.name)'", size: section.entrySize, expected: 16)
        }
        var records: [ELFRelocation] = []
        records.reserveCapacity(section.fileRange.count / 16)
        for offset in stride(from: section.fileRange.lowerBound, to: section.fileRange.upperBound, by: 16) {
            let info = reader.u64(offset + 8)
            let symbol = info >> 32
            guard symbol < UInt64(symbols.count) else {
                throw .badSymbolReference(
                    from: "a relocation in '\(section.name)'", to: symbol, count: symbols.count)
            }
            records.append(
                ELFRelocation(
                    offset: reader.u64(offset),
                    type: RelocationType(rawValue: UInt32(truncatingIfNeeded: info)),
                    symbol: Int(symbol)))
        }
        return records.sorted { $0.offset < $1.offset }
    }
}
