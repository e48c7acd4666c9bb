/// Why a text is no value of a type.
package enum BTFValueParseError: Error, Equatable {
    /// What would be accepted.
    case expected(String)
    /// Structs, pointers, arrays of other than char: they have no notation here.
    case notASimpleType(String)
}

extension BTF {
    /// The little-endian bytes of a value of a simple type, from its text: integers (decimal or `0x…`), `true` and `false`,
    /// names of enumerators, decimal fractions for floats, text for arrays of char.
    ///
    /// - Parameter type: of a variable or anything behind it; typedefs and qualifiers are followed.
    package func bytes(of text: String, as type: TypeID) throws(BTFValueParseError) -> [UInt8] {
        switch resolved(type) {
        case .variable(let variable): return try bytes(of: text, as: variable.type)
        case .int(let int):
            guard int.bitOffset == 0, int.byteCount <= 8 else { throw .notASimpleType(int.name) }
            return try bytes(of: text, int)
        case .enumeration(let enumeration):
            if let named = enumeration.values.first(where: { $0.name == text }) {
                return Self.littleEndian(named.value, enumeration.byteCount)
            }
            let number = BTFInt(
                name: enumeration.name, byteCount: enumeration.byteCount,
                bitCount: 8 * enumeration.byteCount, isSigned: enumeration.isSigned)
            return try bytes(of: text, number)
        case .float(_, let byteCount):
            guard let value = Double(text), value.isFinite else { throw .expected("a number") }
            if byteCount == 4 { return Self.littleEndian(UInt64(Float(value).bitPattern), 4) }
            guard byteCount == 8 else { throw .notASimpleType("float of \(byteCount) bytes") }
            return Self.littleEndian(value.bitPattern, 8)
        case .array(let array):
            guard case .int(let int) = resolved(array.element), int.byteCount == 1 else {
                throw .notASimpleType("an array")
            }
            guard text.utf8.count < array.count else {
                throw .expected("at most \(max(array.count, 1) - 1) bytes of text")
            }
            return Array(text.utf8) + [UInt8](repeating: 0, count: array.count - text.utf8.count)
        case .pointer: throw .notASimpleType("a pointer")
        case let other: throw .notASimpleType(other.name ?? "its type")
        }
    }

    private func bytes(of text: String, _ int: BTFInt) throws(BTFValueParseError) -> [UInt8] {
        if int.isBool {
            switch text {
            case "true", "1": return [1]
            case "false", "0": return [0]
            default: throw .expected("true or false")
            }
        }
        let bits = UInt64(8 * int.byteCount)
        if int.isSigned {
            let low = Int64.min >> Int64(64 - bits)
            guard let value = Self.signed(text), value >= low, value <= ~low else {
                throw .expected("\(low) to \(~low)")
            }
            return Self.littleEndian(UInt64(bitPattern: value), int.byteCount)
        }
        let high = UInt64.max >> (64 - bits)
        guard let value = Self.unsigned(text[...]), value <= high else { throw .expected("0 to \(high)") }
        return Self.littleEndian(value, int.byteCount)
    }

    private static func unsigned(_ text: Substring) -> UInt64? {
        guard let first = text.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else {
            return nil
        }
        return text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    }

    private static func signed(_ text: String) -> Int64? {
        guard text.hasPrefix("-") else { return unsigned(text[...]).flatMap(Int64.init(exactly:)) }
        guard let magnitude = unsigned(text.dropFirst()), magnitude <= 1 << 63 else { return nil }
        return Int64(bitPattern: 0 &- magnitude)
    }

    private static func littleEndian(_ value: UInt64, _ byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}
