/// The string section of a BTF: NUL-terminated names, addressed by byte offset, any of which may be the tail of another.
///
/// Offsets of a split BTF go on where those of its base end.
struct BTFStrings: Sendable {
    /// Ends with NUL unless empty.
    let bytes: [UInt8]
    /// Offset of `bytes[0]` in the numbering that type records use.
    let firstOffset: Int

    init(parsing bytes: [UInt8], following base: BTFStrings?) throws(BTFError) {
        self.bytes = bytes
        firstOffset = base?.endOffset ?? 0
        if base == nil {
            guard !bytes.isEmpty else { throw .badStringTable(reason: "is empty") }
            guard bytes[0] == 0 else { throw .badStringTable(reason: "does not start with an empty string") }
        }
        guard bytes.last ?? 0 == 0 else { throw .badStringTable(reason: "does not end with a NUL byte") }
    }

    var endOffset: Int { firstOffset + bytes.count }

    /// The bytes from `offset` to the next NUL; empty if the offset is not in this section.
    func nameBytes(at offset: Int) -> ArraySlice<UInt8> {
        let start = offset - firstOffset
        guard start >= 0, start < bytes.count else { return [] }
        var end = start
        while bytes[end] != 0 { end += 1 }  // ends: the last byte is NUL
        return bytes[start..<end]
    }
}

/// What the characters of a name are, for every offset of a string section at once.
///
/// Filled backwards in one pass, so that checking the hundreds of thousands of names in a kernel's BTF is one lookup
/// each, although they overlap.
struct BTFNameClasses {
    enum Rule { case none, optionalIdentifier, identifier, text }

    private static let isIdentifierTail: UInt8 = 1
    private static let isPrintable: UInt8 = 2
    private let strings: BTFStrings
    private var classes: [UInt8]

    init(_ strings: BTFStrings) {
        self.strings = strings
        let both = Self.isIdentifierTail | Self.isPrintable
        let byteClasses = Self.byteClasses
        var tail: UInt8 = both
        classes = [UInt8](unsafeUninitializedCapacity: strings.bytes.count) { classes, count in
            for index in strings.bytes.indices.reversed() {
                let byte = strings.bytes[index]
                tail = byte == 0 ? both : tail & byteClasses[Int(byte)]
                classes[index] = tail
            }
            count = strings.bytes.count
        }
    }

    /// By byte: what a name that has it can still be.
    private static let byteClasses = (UInt8(0)...255).map { byte -> UInt8 in
        (isIdentifierByte(byte) ? isIdentifierTail : 0) | ((0x20...0x7e).contains(byte) ? isPrintable : 0)
    }

    /// nil if the name is as the rule wants it, else what is wrong with it.
    func complaint(at offset: Int, rule: Rule) -> String? {
        let index = offset - strings.firstOffset
        guard index >= 0, index < classes.count else { return "is outside the string section" }
        let first = strings.bytes[index]
        let wanted = rule == .text ? Self.isPrintable : Self.isIdentifierTail
        let isPlain = classes[index] & wanted != 0 && first != 0 && rule != .none
        if isPlain && (rule == .text || !Self.isDigit(first)) { return nil }
        return Self.complaint(of: strings.nameBytes(at: offset), rule: rule)
    }

    /// The same for one name by itself.
    ///
    /// Identifiers may contain dots: compilers make `function.isra.0`. Kernel counterpart: `btf_name_valid_identifier`.
    static func complaint(of name: ArraySlice<UInt8>, rule: Rule) -> String? {
        guard let first = name.first else { return rule == .identifier || rule == .text ? "is empty" : nil }
        switch rule {
        case .none: return "is set, expected none"
        case .identifier, .optionalIdentifier:
            return name.allSatisfy(isIdentifierByte) && !isDigit(first) ? nil : "is no identifier"
        case .text:
            let isText =
                !name.contains { $0 < 0x20 || $0 == 0x7f } && String(validating: name, as: UTF8.self) != nil
            return isText ? nil : "is not printable"
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func isIdentifierByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x2e: true
        default: false
        }
    }
}
