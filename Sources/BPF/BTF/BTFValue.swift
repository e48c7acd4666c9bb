/// A value in memory as its type describes it: a tree that callers turn into JSON or text.
package indirect enum BTFValue: Equatable, Sendable {
    package struct Field: Equatable, Sendable {
        /// Empty for an anonymous struct or union.
        package var name: String
        package var value: BTFValue

        package init(name: String, value: BTFValue) {
            self.name = name
            self.value = value
        }
    }

    case signed(Int64)
    case unsigned(UInt64)
    /// Integers of 128 bits, floats, and what could not be interpreted: its bytes.
    case bytes([UInt8])
    case bool(Bool)
    case float(Double)
    /// The name of the enumerator; a value without a name is `.signed` or `.unsigned`.
    case enumerator(String)
    /// A printable, NUL-terminated char array.
    case string(String)
    case pointer(UInt64)
    case array([BTFValue])
    /// Struct or union, members in the order of the BTF.
    case structure([Field])
    /// What a caller's `pointer` closure wants to be shown, and what is left out of hostile nests of types.
    case text(String)
}

extension BTF {
    /// Reads a value of `type` from the start of `bytes`, as `bpftool map dump` and `struct_ops dump` show it.
    ///
    /// - Parameters:
    ///   - bytes: little endian; at least as many as the type has.
    ///   - pointer: may replace a pointer by something better, given its pointee type and value: a function's prototype
    ///     and name, for example. nil leaves it a number.
    /// - Returns: nil if the type has no size or `bytes` are too few.
    package func value(
        of type: TypeID, in bytes: [UInt8], pointer: (TypeID, UInt64) -> BTFValue? = { _, _ in nil }
    ) -> BTFValue? {
        guard let byteCount = byteCount(of: type), byteCount <= bytes.count else { return nil }
        return withoutActuallyEscaping(pointer) { pointer in
            var reader = BTFValueReader(btf: self, bytes: bytes, pointer: pointer)
            return reader.read(type, at: 0)
        }
    }
}

private struct BTFValueReader {
    let btf: BTF
    let bytes: [UInt8]
    let pointer: (TypeID, UInt64) -> BTFValue?
    /// Values that may still be made. Members may overlap, so hostile types describe more values than there are bytes.
    var budget = 1 << 18

    mutating func read(_ type: TypeID, at offset: Int) -> BTFValue {
        guard budget > 0 else { return .text("...") }
        budget -= 1
        guard let byteCount = btf.byteCount(of: type), offset >= 0, byteCount <= bytes.count - offset else {
            return .text("...")
        }
        let here = offset..<offset + byteCount
        switch btf.resolved(type) {
        case .int(let int): return value(of: int, at: here)
        case .enumeration(let enumeration): return value(of: enumeration, raw: number(here))
        case .pointer(let target): return pointer(target, number(here)) ?? .pointer(number(here))
        case .array(let array): return value(of: array, at: here)
        case .composite(let composite): return value(of: composite, at: offset)
        case .float where byteCount == 8: return .float(Double(bitPattern: number(here)))
        case .float where byteCount == 4:
            return .float(Double(Float(bitPattern: UInt32(truncatingIfNeeded: number(here)))))
        case .dataSection(let section):
            return .structure(
                section.entries.map { entry in
                    BTFValue.Field(
                        name: btf[entry.variable].name ?? "",
                        value: read(entry.variable, at: offset + entry.offset))
                })
        case .variable(let variable): return read(variable.type, at: offset)
        default: return .bytes(Array(bytes[here]))
        }
    }

    private mutating func value(of composite: BTFComposite, at offset: Int) -> BTFValue {
        var fields: [BTFValue.Field] = []
        for member in composite.members {
            let value =
                member.bitFieldSize == 0
                ? read(member.type, at: offset + member.byteOffset) : bitField(member, at: offset)
            fields.append(BTFValue.Field(name: member.name, value: value))
            if budget == 0 { break }
        }
        return .structure(fields)
    }

    private mutating func value(of array: BTFArray, at range: Range<Int>) -> BTFValue {
        if case .int(let int) = btf.resolved(array.element), int.byteCount == 1, isText(int),
            let text = string(in: range)
        {
            return .string(text)
        }
        guard let size = btf.byteCount(of: array.element), size > 0 else { return .array([]) }
        var elements: [BTFValue] = []
        for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
            elements.append(read(array.element, at: start))
            if budget == 0 { break }
        }
        return .array(elements)
    }

    /// `char`, by its name where the producer does not say so in the encoding.
    private func isText(_ int: BTFInt) -> Bool { int.isChar || int.name == "char" }

    /// The text before the first NUL; nil if there is none, or if it is not printable, as bpftool decides it.
    private func string(in range: Range<Int>) -> String? {
        guard let end = bytes[range].firstIndex(of: 0) else { return nil }
        let text = bytes[range.lowerBound..<end]
        return text.allSatisfy { $0 >= 0x20 && $0 < 0x7f } ? String(decoding: text, as: UTF8.self) : nil
    }

    private func value(of int: BTFInt, at range: Range<Int>) -> BTFValue {
        guard int.byteCount <= 8 else { return .bytes(Array(bytes[range])) }
        let shift = min(max(int.bitOffset, 0), 63)
        return value(of: int, raw: number(range) >> shift, bits: int.bitCount)
    }

    private func value(of int: BTFInt, raw: UInt64, bits: Int) -> BTFValue {
        let value = raw & mask(bits)
        if int.isBool { return .bool(value != 0) }
        return int.isSigned ? .signed(signExtended(value, bits)) : .unsigned(value)
    }

    private func value(of enumeration: BTFEnum, raw: UInt64) -> BTFValue {
        let bits = 8 * enumeration.byteCount
        let value = enumeration.isSigned ? UInt64(bitPattern: signExtended(raw, bits)) : raw
        if let named = enumeration.values.first(where: { $0.value == value }) {
            return .enumerator(named.name)
        }
        return enumeration.isSigned ? .signed(Int64(bitPattern: value)) : .unsigned(value)
    }

    /// Bits may span 9 bytes: 64 bits that start inside a byte.
    private func bitField(_ member: BTFMember, at offset: Int) -> BTFValue {
        let first = offset + member.bitOffset / 8
        let shift = member.bitOffset % 8
        let byteCount = (shift + member.bitFieldSize + 7) / 8
        guard first >= 0, byteCount <= bytes.count - first, member.bitFieldSize <= 64 else {
            return .text("...")
        }
        var raw = number(first..<first + min(byteCount, 8)) >> shift
        if byteCount > 8 { raw |= UInt64(bytes[first + 8]) << (64 - shift) }
        raw &= mask(member.bitFieldSize)
        switch btf.resolved(member.type) {
        case .int(let int): return value(of: int, raw: raw, bits: member.bitFieldSize)
        case .enumeration(let enumeration): return value(of: enumeration, raw: raw)
        default: return .unsigned(raw)
        }
    }

    private func number(_ range: Range<Int>) -> UInt64 {
        bytes[range].prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func mask(_ bits: Int) -> UInt64 { bits >= 64 ? .max : (1 << UInt64(max(bits, 0))) - 1 }

    private func signExtended(_ value: UInt64, _ bits: Int) -> Int64 {
        let shift = UInt64(64 - min(max(bits, 1), 64))
        return Int64(bitPattern: value << shift) >> Int64(shift)
    }
}
