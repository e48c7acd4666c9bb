/// Writes types as the bytes of a `.BTF` section: the inverse of parsing, up to the order of names.
struct BTFEncoder {
    private var records: [UInt32] = []
    private var strings: [UInt8]
    private var stringOffsets: [String: UInt32] = [:]
    private let stringOffset: Int

    /// - Parameter stringOffset: where the strings of a base end; 0 without one.
    init(stringOffset: Int) {
        self.stringOffset = stringOffset
        strings = stringOffset == 0 ? [0] : []
    }

    var bytes: [UInt8] { Self.blob(records: records, strings: strings) }

    /// Header, type section, string section.
    static func blob(records: [UInt32], strings: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(BTFHeader.byteCount + 4 * records.count + strings.count)
        func put(_ word: UInt32) {
            for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(word >> shift & 0xff)) }
        }
        put(UInt32(BTFHeader.magic) | 1 << 16)
        let typeBytes = UInt32(truncatingIfNeeded: 4 * records.count)
        for word in [UInt32(BTFHeader.byteCount), 0, typeBytes, typeBytes] { put(word) }
        put(UInt32(truncatingIfNeeded: strings.count))
        for word in records { put(word) }
        return bytes + strings
    }

    mutating func append(_ type: BTFType, id: TypeID) throws(BTFError) {
        guard let kind = type.kind else { throw .badKind(raw: 0, id: id) }
        let name = offset(of: type.name ?? "")
        func narrow(_ value: Int, _ field: String, limit: Int = Int(UInt32.max)) throws(BTFError) -> UInt32 {
            guard value >= 0, value <= limit else {
                throw .badField(id: id, kind: kind.name, field: field, value: value)
            }
            return UInt32(value)
        }
        func begin(vlen: Int = 0, kindFlag: Bool = false, last: UInt32) throws(BTFError) {
            let vlen = try narrow(vlen, "vlen", limit: 0xffff)
            records += [name, UInt32(kind.rawValue) << 24 | vlen | (kindFlag ? 1 << 31 : 0), last]
        }
        switch type {
        case .void: break
        case .int(let int):
            try begin(last: narrow(int.byteCount, "size"))
            let flags: UInt32 = (int.isSigned ? 1 : 0) | (int.isChar ? 2 : 0) | (int.isBool ? 4 : 0)
            let offset = try narrow(int.bitOffset, "offset", limit: 0xff)
            try records.append(flags << 24 | offset << 16 | narrow(int.bitCount, "bits", limit: 0xff))
        case .pointer(let to): try begin(last: to.rawValue)
        case .volatile(let of), .const(let of), .restrict(let of), .typedef(_, let of), .typeTag(_, let of):
            try begin(last: of.rawValue)
        case .array(let array):
            try begin(last: 0)
            try records += [array.element.rawValue, array.index.rawValue, narrow(array.count, "count")]
        case .composite(let composite):
            let hasBitFields = composite.members.contains { $0.bitFieldSize != 0 }
            try begin(
                vlen: composite.members.count, kindFlag: hasBitFields,
                last: narrow(composite.byteCount, "size"))
            for member in composite.members {
                let limit = hasBitFields ? 0xff_ffff : Int(UInt32.max)
                let offset = try narrow(member.bitOffset, "member offset", limit: limit)
                let width = try narrow(member.bitFieldSize, "bit field size", limit: 0xff)
                records += [self.offset(of: member.name), member.type.rawValue, width << 24 | offset]
            }
        case .enumeration(let enumeration):
            try begin(
                vlen: enumeration.values.count, kindFlag: enumeration.isSigned,
                last: narrow(enumeration.byteCount, "size"))
            for item in enumeration.values {
                records += [offset(of: item.name), UInt32(truncatingIfNeeded: item.value)]
                if enumeration.is64 { records.append(UInt32(truncatingIfNeeded: item.value >> 32)) }
            }
        case .forward(_, let isUnion): try begin(kindFlag: isUnion, last: 0)
        case .function(let function):
            try begin(vlen: Int(function.linkage.rawValue), last: function.prototype.rawValue)
        case .prototype(let prototype):
            try begin(
                vlen: prototype.parameters.count + (prototype.isVariadic ? 1 : 0),
                last: prototype.result.rawValue)
            for parameter in prototype.parameters {
                records += [offset(of: parameter.name), parameter.type.rawValue]
            }
            if prototype.isVariadic { records += [0, 0] }
        case .variable(let variable):
            try begin(last: variable.type.rawValue)
            records.append(variable.linkage.rawValue)
        case .dataSection(let section):
            try begin(vlen: section.entries.count, last: narrow(section.byteCount, "size"))
            for entry in section.entries {
                records.append(entry.variable.rawValue)
                try records += [narrow(entry.offset, "offset"), narrow(entry.byteCount, "entry size")]
            }
        case .float(_, let byteCount): try begin(last: narrow(byteCount, "size"))
        case .declTag(_, let of, let componentIndex):
            try begin(last: of.rawValue)
            records.append(UInt32(truncatingIfNeeded: componentIndex))
        }
    }

    private mutating func offset(of name: String) -> UInt32 {
        if name.isEmpty { return 0 }
        if let known = stringOffsets[name] { return known }
        let offset = UInt32(truncatingIfNeeded: stringOffset + strings.count)
        strings += Array(name.utf8) + [0]
        stringOffsets[name] = offset
        return offset
    }
}

extension BTF {
    /// The bytes of a `.BTF` section with these types; those of a base are left out, as in a split BTF.
    package func encoded() -> [UInt8] {
        BTFEncoder.blob(records: storage.words, strings: storage.strings.bytes)
    }

    /// The same BTF in which DATASECs have the sizes and offsets that only the linked ELF file knows.
    ///
    /// clang leaves 0 in them for a relocation to fill.
    /// - Parameter change: gets each own DATASEC with its id; may change sizes and offsets, not the list of variables.
    package func mappingDataSections(_ change: (TypeID, inout BTFDataSection) -> Void) -> BTF {
        var words = storage.words
        for (position, start) in storage.starts.enumerated() {
            let record = BTFRecord(words: storage.words, start: Int(start))
            let id = TypeID(storage.firstID + position)
            guard record.kind == .dataSection, case .dataSection(var section) = self[id] else { continue }
            change(id, &section)
            words[Int(start) + 2] = UInt32(truncatingIfNeeded: section.byteCount)
            for (index, entry) in section.entries.prefix(record.vlen).enumerated() {
                let at = Int(start) + BTFRecord.headerWords + 3 * index
                words[at + 1] = UInt32(truncatingIfNeeded: entry.offset)
                words[at + 2] = UInt32(truncatingIfNeeded: entry.byteCount)
            }
        }
        return BTF(
            checked: BTFStorage(
                base: storage.base, words: words, starts: storage.starts, strings: storage.strings))
    }
}
