/// Why bytes are not an ELF file that we read.
package enum ELFError: Error, Equatable {
    /// `part` needs bytes that the file does not have. Offsets as the file states them.
    case truncated(part: String, offset: UInt64, needed: UInt64, available: Int)
    case notELF(magic: [UInt8])
    case wrongClass(UInt8)
    case wrongByteOrder(UInt8)
    case wrongType(UInt16)
    case wrongMachine(UInt16)
    case badEntrySize(part: String, size: UInt64, expected: Int)
    case tooMany(part: String, count: UInt64, limit: Int)
    case badSectionReference(from: String, to: UInt64, count: Int)
    case badSymbolReference(from: String, to: UInt64, count: Int)
    case badString(part: String, offset: UInt64)
    /// Together the sections claim more bytes than the file has: they overlap.
    case overlappingSections(claimed: UInt64, fileBytes: Int)
}

extension ELFError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let part, let offset, let needed, let available):
            "\(part) needs \(needed) bytes at offset \(offset), the file has \(available): truncated file?"
        case .notELF(let magic):
            "not an ELF file: starts with \(magic.map { hexByte($0) }.joined(separator: " ")), expected 7f 45 4c 46"
        case .wrongClass(let value): "ELF class \(value), expected 2 (64 bit)"
        case .wrongByteOrder(let value):
            "ELF byte order \(value), expected 1 (little endian); compile with -target bpfel"
        case .wrongType(let value):
            "ELF type \(value) (\(Self.typeName(value))), expected 1 (relocatable); compile with clang -c"
        case .wrongMachine(let value):
            "ELF machine \(value), expected 247 (BPF); compile with clang -target bpf"
        case .badEntrySize(let part, let size, let expected):
            "\(part): entry size \(size), expected \(expected)"
        case .tooMany(let part, let count, let limit): "\(count) \(part), at most \(limit) are read"
        case .badSectionReference(let from, let to, let count):
            "\(from) refers to section \(to), there are \(count)"
        case .badSymbolReference(let from, let to, let count):
            "\(from) refers to symbol \(to), there are \(count)"
        case .badString(let part, let offset): "\(part): no string at offset \(offset) of the string table"
        case .overlappingSections(let claimed, let fileBytes):
            "sections claim \(claimed) bytes in a file of \(fileBytes): they overlap"
        }
    }

    private static func typeName(_ value: UInt16) -> String {
        switch value {
        case 2: "executable"
        case 3: "shared object"
        case 4: "core dump"
        default: "unknown"
        }
    }
}

func hexByte(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
