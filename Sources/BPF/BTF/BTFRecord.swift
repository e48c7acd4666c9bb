/// One type record in the type section: name offset, info, size or type, then what the kind adds.
///
/// Info: bits 0–15 vlen, 24–28 kind, 31 kflag; the others are 0.
/// Source: Linux `Documentation/bpf/btf.rst`, section 2.2.
struct BTFRecord {
    static let headerWords = 3

    let words: [UInt32]
    let start: Int

    var nameOffset: UInt32 { words[start] }
    var info: UInt32 { words[start + 1] }
    var vlen: Int { Int(info & 0xffff) }
    var kindFlag: Bool { info >> 31 != 0 }
    var rawKind: UInt32 { info >> 24 & 0x1f }
    /// Only after the check: every stored record has a known kind.
    var kind: BTFKind { BTFKind(rawValue: UInt8(rawKind)).unsafelyUnwrapped }
    var hasReservedBits: Bool { info & 0x60ff_0000 != 0 }
    /// The size of a sized kind.
    var size: Int { Int(words[start + 2]) }
    /// The type that a referring kind refers to.
    var referent: TypeID { TypeID(rawValue: words[start + 2]) }

    /// The `index`-th word after the three common ones.
    func word(_ index: Int) -> UInt32 { words[start + Self.headerWords + index] }

    // Members of structs and unions: name, type, offset.

    func memberName(_ index: Int) -> UInt32 { word(3 * index) }
    func memberType(_ index: Int) -> TypeID { TypeID(rawValue: word(3 * index + 1)) }
    /// With kflag the upper 8 bits are the width of a bit field.
    func memberBitOffset(_ index: Int) -> Int {
        let raw = word(3 * index + 2)
        return Int(kindFlag ? raw & 0xff_ffff : raw)
    }
    func memberBitFieldSize(_ index: Int) -> Int {
        kindFlag ? Int(word(3 * index + 2) >> 24) : 0
    }

    /// Whether decoding costs more than looking it up.
    var isWorthKeeping: Bool {
        switch kind {
        case .struct, .union, .enumeration, .enum64, .prototype, .dataSection: true
        default: false
        }
    }
}

extension BTFStorage {
    /// Makes the value of a checked record.
    func decode(_ record: BTFRecord) -> BTFType {
        let name = name(at: record.nameOffset)
        switch record.kind {
        case .int: return .int(decodeInt(record, name))
        case .pointer: return .pointer(to: record.referent)
        case .array:
            return .array(
                BTFArray(
                    element: TypeID(rawValue: record.word(0)), index: TypeID(rawValue: record.word(1)),
                    count: Int(record.word(2))))
        case .struct, .union:
            return .composite(
                BTFComposite(
                    name: name, isUnion: record.kind == .union, byteCount: record.size,
                    members: decodeMembers(record)))
        case .enumeration, .enum64:
            return .enumeration(
                BTFEnum(
                    name: name, byteCount: record.size, isSigned: record.kindFlag,
                    is64: record.kind == .enum64, values: decodeEnumerators(record)))
        case .forward: return .forward(name: name, isUnion: record.kindFlag)
        case .typedef: return .typedef(name: name, of: record.referent)
        case .volatile: return .volatile(of: record.referent)
        case .const: return .const(of: record.referent)
        case .restrict: return .restrict(of: record.referent)
        case .function:
            let linkage = BTFFunction.Linkage(rawValue: UInt8(truncatingIfNeeded: record.vlen)) ?? .static
            return .function(BTFFunction(name: name, prototype: record.referent, linkage: linkage))
        case .prototype: return .prototype(decodePrototype(record))
        case .variable:
            let linkage = BTFVariable.Linkage(rawValue: record.word(0)) ?? .static
            return .variable(BTFVariable(name: name, type: record.referent, linkage: linkage))
        case .dataSection:
            let entries = (0..<record.vlen).map { index in
                BTFDataSection.Entry(
                    variable: TypeID(rawValue: record.word(3 * index)),
                    offset: Int(record.word(3 * index + 1)), byteCount: Int(record.word(3 * index + 2)))
            }
            return .dataSection(BTFDataSection(name: name, byteCount: record.size, entries: entries))
        case .float: return .float(name: name, byteCount: record.size)
        case .declTag:
            return .declTag(
                name: name, of: record.referent, componentIndex: Int(Int32(bitPattern: record.word(0))))
        case .typeTag: return .typeTag(name: name, of: record.referent)
        }
    }

    private func decodeInt(_ record: BTFRecord, _ name: String) -> BTFInt {
        let encoding = record.word(0)
        return BTFInt(
            name: name, byteCount: record.size, bitCount: Int(encoding & 0xff),
            bitOffset: Int(encoding >> 16 & 0xff),
            isSigned: encoding & 1 << 24 != 0, isChar: encoding & 1 << 25 != 0,
            isBool: encoding & 1 << 26 != 0)
    }

    private func decodeMembers(_ record: BTFRecord) -> [BTFMember] {
        (0..<record.vlen).map { decodeMember($0, of: record) }
    }

    func decodeMember(_ index: Int, of record: BTFRecord) -> BTFMember {
        let place = place(ofMember: index, in: record)
        return BTFMember(
            name: name(at: record.memberName(index)), type: record.memberType(index),
            bitOffset: place.bitOffset, bitFieldSize: place.bitFieldSize)
    }

    private func decodeEnumerators(_ record: BTFRecord) -> [BTFEnumerator] {
        (0..<record.vlen).map { index in
            BTFEnumerator(name: name(at: record.enumeratorName(index)), value: record.enumeratorValue(index))
        }
    }

    /// Where a member lies. Without kflag a bit field is told by its type: an INT with fewer bits than its bytes have,
    /// as compilers wrote before 2019.
    func place(ofMember index: Int, in record: BTFRecord) -> (bitOffset: Int, bitFieldSize: Int) {
        let offset = record.memberBitOffset(index)
        if record.kindFlag { return (offset, record.memberBitFieldSize(index)) }
        guard let int = integer(resolve(record.memberType(index))) else { return (offset, 0) }
        let bits = Int(int.encoding & 0xff)
        return bits == 8 * int.size ? (offset, 0) : (offset + Int(int.encoding >> 16 & 0xff), bits)
    }

    /// The last parameter without name and type stands for `...`.
    private func decodePrototype(_ record: BTFRecord) -> BTFPrototype {
        let isVariadic = record.isVariadic
        let parameters = (0..<record.vlen - (isVariadic ? 1 : 0)).map { index in
            BTFParameter(
                name: name(at: record.word(2 * index)), type: TypeID(rawValue: record.word(2 * index + 1)))
        }
        return BTFPrototype(result: record.referent, parameters: parameters, isVariadic: isVariadic)
    }
}

extension BTFRecord {
    var isVariadic: Bool { vlen > 0 && word(2 * vlen - 2) == 0 && word(2 * vlen - 1) == 0 }

    func enumeratorName(_ index: Int) -> UInt32 { word((kind == .enum64 ? 3 : 2) * index) }

    func enumeratorValue(_ index: Int) -> UInt64 {
        if kind == .enum64 { return UInt64(word(3 * index + 1)) | UInt64(word(3 * index + 2)) << 32 }
        let value = word(2 * index + 1)
        return kindFlag ? UInt64(bitPattern: Int64(Int32(bitPattern: value))) : UInt64(value)
    }
}
