/// Why bytes are no BTF, with what is needed to find the place.
package enum BTFError: Error, Equatable, Sendable {
    /// `part` needs `needed` bytes from `offset` (counted from the start of the input), only `available` are there.
    case truncated(part: String, needed: Int, available: Int, offset: Int)
    case badMagic(UInt16)
    /// The magic number is there with its bytes swapped; objects for big-endian machines are not supported.
    case bigEndian
    case badVersion(UInt8)
    case badHeaderLength(Int)
    case misaligned(part: String, offset: Int)
    case tooLarge(part: String, count: Int, limit: Int)
    case badStringTable(reason: String)
    case badName(id: TypeID, offset: Int, reason: String)
    case badKind(raw: UInt32, id: TypeID)
    /// A number in a type record that its kind does not allow.
    case badField(id: TypeID, kind: String, field: String, value: Int)
    case danglingReference(from: TypeID, to: TypeID, count: Int)
    case wrongReference(from: TypeID, to: TypeID, expected: String, actual: String)
    /// A type contains itself by value, or a chain of pointers and qualifiers never reaches a struct.
    case cycle(id: TypeID)
    case nestingTooDeep(id: TypeID, limit: Int)
    /// A member ends at bit `end`, its struct or union at bit `limit`.
    case memberOutside(id: TypeID, member: String, end: Int, limit: Int)
}

extension BTFError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let part, let needed, let available, let offset):
            "BTF \(part) at byte \(offset) needs \(needed) bytes, \(available) are left"
        case .badMagic(let magic): "BTF magic is 0x\(hex(magic)), expected 0xeb9f"
        case .bigEndian: "BTF is big-endian, only little-endian is supported"
        case .badVersion(let version): "BTF version is \(version), expected 1"
        case .badHeaderLength(let length): "BTF header length is \(length), expected at least 24"
        case .misaligned(let part, let offset): "BTF \(part) at byte \(offset) is not 4-byte aligned"
        case .tooLarge(let part, let count, let limit):
            "BTF has \(count) \(part), at most \(limit) are accepted"
        case .badStringTable(let reason): "BTF string section \(reason)"
        case .badName(let id, let offset, let reason):
            "BTF type [\(id.rawValue)]: name at string offset \(offset) \(reason)"
        case .badKind(let raw, let id): "BTF type [\(id.rawValue)]: unknown kind \(raw)"
        case .badField(let id, let kind, let field, let value):
            "BTF type [\(id.rawValue)] \(kind): bad \(field) \(value)"
        case .danglingReference(let from, let to, let count):
            "BTF type [\(from.rawValue)] refers to type [\(to.rawValue)], there are \(count)"
        case .wrongReference(let from, let to, let expected, let actual):
            "BTF type [\(from.rawValue)] refers to [\(to.rawValue)], got \(actual), expected \(expected)"
        case .cycle(let id): "BTF type [\(id.rawValue)] contains itself"
        case .nestingTooDeep(let id, let limit):
            "BTF type [\(id.rawValue)] nests deeper than \(limit) levels"
        case .memberOutside(let id, let member, let end, let limit):
            "BTF type [\(id.rawValue)]: member '\(member)' ends at bit \(end), the type at bit \(limit)"
        }
    }

    private func hex(_ value: UInt16) -> String { String(value, radix: 16) }
}
