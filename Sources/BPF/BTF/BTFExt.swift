/// What `.BTF.ext` says about instructions: which function they belong to, which source line, which CO-RE relocation.
///
/// Grouped by ELF section, in the order of the file. Texts stay offsets into the BTF's strings (`BTF.string(at:)`),
/// because of thousands of lines few are ever shown.
///
/// Source: Linux `Documentation/bpf/btf.rst`, section 4.2.
package struct BTFExt: Equatable, Sendable {
    package var funcInfo: [Section<BTFFuncInfo>] = []
    package var lineInfo: [Section<BTFLineInfo>] = []
    package var coreRelocations: [Section<CORERelocation>] = []

    /// Records of one ELF section.
    package struct Section<Record: Equatable & Sendable>: Equatable, Sendable {
        /// The ELF section: `.text`, `struct_ops/init`.
        package var name: String
        /// In the order of the file, which is that of the instructions as compilers write it.
        package var records: [Record]
    }

    package init() {}
}

/// A function starts at an instruction.
package struct BTFFuncInfo: Equatable, Sendable {
    /// Slot in the ELF section.
    package var insn: Int
    /// A FUNC.
    package var function: TypeID
}

/// The instructions from here to the next record come from a line.
package struct BTFLineInfo: Equatable, Sendable {
    /// Slot in the ELF section.
    package var insn: Int
    package var fileOffset: UInt32
    package var textOffset: UInt32
    package var line: Int
    package var column: Int
}

/// Why bytes are no `.BTF.ext`.
package enum BTFExtError: Error, Equatable, Sendable {
    case truncated(part: String, needed: Int, available: Int, offset: Int)
    case badMagic(UInt16)
    case bigEndian
    case badVersion(UInt8)
    case badHeaderLength(Int)
    case misaligned(part: String, offset: Int)
    case badRecordSize(part: String, size: Int, minimum: Int)
    case emptySection(part: String, name: String)
    case badInsnOffset(part: String, offset: Int)
    case badString(part: String, offset: Int)
    case badType(part: String, id: TypeID, expected: String)
    case badRelocationKind(Int)
}

extension BTFExt {
    /// - Parameter btf: the BTF of the same object; holds the strings and types that records refer to.
    package init(parsing bytes: [UInt8], btf: BTF) throws(BTFExtError) {
        let parser = try BTFExtParser(bytes: bytes, btf: btf)
        funcInfo = try parser.sections("func_info", at: 2, recordWords: 2) { words throws(BTFExtError) in
            let id = TypeID(rawValue: words[1])
            guard case .function = btf[id] else {
                throw .badType(part: "func_info", id: id, expected: "FUNC")
            }
            return BTFFuncInfo(insn: try parser.insn(words[0], "func_info"), function: id)
        }
        lineInfo = try parser.sections("line_info", at: 4, recordWords: 4) { words throws(BTFExtError) in
            // The last word: line number in the upper 22 bits, column in the lower 10.
            BTFLineInfo(
                insn: try parser.insn(words[0], "line_info"),
                fileOffset: try parser.string(words[1], "line_info"),
                textOffset: try parser.string(words[2], "line_info"), line: Int(words[3] >> 10),
                column: Int(words[3] & 0x3ff))
        }
        coreRelocations = try parser.sections("core_relo", at: 6, recordWords: 4) {
            words throws(BTFExtError) in
            guard let kind = CORERelocation.Kind(rawValue: words[3]) else {
                throw .badRelocationKind(Int(words[3]))
            }
            let id = TypeID(rawValue: words[1])
            guard id.index < btf.count else { throw .badType(part: "core_relo", id: id, expected: "a type") }
            return CORERelocation(
                insn: try parser.insn(words[0], "core_relo"), type: id,
                access: btf.string(at: try parser.string(words[2], "core_relo")), kind: kind)
        }
    }
}

/// Reads the header and cuts the three parts into ELF sections and records.
private struct BTFExtParser {
    let words: [UInt32]
    let headerWords: Int
    let btf: BTF

    /// The words of one record, from 0.
    struct Words {
        let words: [UInt32]
        let start: Int
        subscript(index: Int) -> UInt32 { words[start + index] }
    }

    init(bytes: [UInt8], btf: BTF) throws(BTFExtError) {
        guard bytes.count >= 24 else {
            throw .truncated(part: "header", needed: 24, available: bytes.count, offset: 0)
        }
        words = littleEndianWords(of: bytes, in: 0..<bytes.count & ~3)
        let magic = UInt16(truncatingIfNeeded: words[0])
        guard magic != BTFHeader.magic.byteSwapped else { throw .bigEndian }
        guard magic == BTFHeader.magic else { throw .badMagic(magic) }
        guard bytes[2] == 1 else { throw .badVersion(bytes[2]) }
        let length = Int(words[1])
        guard length >= 24, length.isMultiple(of: 4) else { throw .badHeaderLength(length) }
        guard length <= bytes.count else {
            throw .truncated(part: "header", needed: length, available: bytes.count, offset: 0)
        }
        headerWords = length / 4
        self.btf = btf
    }

    /// A part: record size, then for each ELF section its name, the number of its records, the records.
    ///
    /// - Parameters:
    ///   - field: index of the part's offset in the header; its length follows. Absent from a shorter header.
    ///   - recordWords: words that we know; longer records are accepted, their rest is ignored.
    func sections<Record>(
        _ part: String, at field: Int, recordWords: Int,
        _ record: (Words) throws(BTFExtError) -> Record
    ) throws(BTFExtError) -> [BTFExt.Section<Record>] {
        guard field + 1 < headerWords, words[field + 1] > 0 else { return [] }
        let start = 4 * headerWords + Int(words[field])
        let length = Int(words[field + 1])
        guard start.isMultiple(of: 4), length.isMultiple(of: 4) else {
            throw .misaligned(part: part, offset: start)
        }
        let available = 4 * words.count - start
        guard length <= available else {
            throw .truncated(part: part, needed: length, available: max(available, 0), offset: start)
        }
        let end = (start + length) / 4
        var next = start / 4
        let size = Int(words[next])
        next += 1
        guard size >= 4 * recordWords, size.isMultiple(of: 4) else {
            throw .badRecordSize(part: part, size: size, minimum: 4 * recordWords)
        }
        var sections: [BTFExt.Section<Record>] = []
        while next < end {
            guard end - next >= 2 else {
                throw .truncated(part: part, needed: 8, available: 4 * (end - next), offset: 4 * next)
            }
            let name = btf.string(at: try string(words[next], part))
            let count = Int(words[next + 1])
            next += 2
            guard count > 0 else { throw .emptySection(part: part, name: name) }
            let available = 4 * (end - next)
            // Two 32-bit numbers may overflow 63 bits.
            let (needed, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, needed <= available else {
                let needed = overflow ? Int.max : needed
                throw .truncated(part: part, needed: needed, available: available, offset: 4 * next)
            }
            var records: [Record] = []
            records.reserveCapacity(count)
            for _ in 0..<count {
                records.append(try record(Words(words: words, start: next)))
                next += size / 4
            }
            sections.append(BTFExt.Section(name: name, records: records))
        }
        return sections
    }

    /// Offsets in bytes become slots.
    func insn(_ offset: UInt32, _ part: String) throws(BTFExtError) -> Int {
        guard offset.isMultiple(of: 8) else { throw .badInsnOffset(part: part, offset: Int(offset)) }
        return Int(offset / 8)
    }

    func string(_ offset: UInt32, _ part: String) throws(BTFExtError) -> UInt32 {
        guard Int(offset) < btf.storage.strings.endOffset else {
            throw .badString(part: part, offset: Int(offset))
        }
        return offset
    }
}

extension BTF {
    /// The text at an offset of the string section; empty if there is none.
    package func string(at offset: UInt32) -> String { storage.name(at: offset) }
}

extension BTFExtError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let part, let needed, let available, let offset):
            "BTF.ext \(part) at byte \(offset) needs \(needed) bytes, \(available) are left"
        case .badMagic(let magic): "BTF.ext magic is 0x\(String(magic, radix: 16)), expected 0xeb9f"
        case .bigEndian: "BTF.ext is big-endian, only little-endian is supported"
        case .badVersion(let version): "BTF.ext version is \(version), expected 1"
        case .badHeaderLength(let length):
            "BTF.ext header length is \(length), expected a multiple of 4 from 24"
        case .misaligned(let part, let offset): "BTF.ext \(part) at byte \(offset) is not 4-byte aligned"
        case .badRecordSize(let part, let size, let minimum):
            "BTF.ext \(part) has records of \(size) bytes, expected a multiple of 4 from \(minimum)"
        case .emptySection(let part, let name): "BTF.ext \(part) has no records for section '\(name)'"
        case .badInsnOffset(let part, let offset):
            "BTF.ext \(part) refers to byte \(offset), not an instruction"
        case .badString(let part, let offset):
            "BTF.ext \(part) refers to string offset \(offset), beyond the strings"
        case .badType(let part, let id, let expected):
            "BTF.ext \(part) refers to type [\(id.rawValue)], expected \(expected)"
        case .badRelocationKind(let kind): "BTF.ext core_relo has unknown kind \(kind)"
        }
    }
}
