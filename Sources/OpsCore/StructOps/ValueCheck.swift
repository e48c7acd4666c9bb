import BPF

extension RegisteredType {
    /// A padding byte that is not zero, with the name of the struct it lies in. Kernel counterpart: `check_zero_holes`,
    /// which looks between members, not into them.
    func nonzeroPadding(in bytes: [UInt8]) -> (offset: Int, structure: String)? {
        let outer = btf.types[value.id]
        if case .composite(let type) = outer, let offset = hole(in: type, bytes[...]) {
            return (offset, type.name)
        }
        let data = bytes[value.dataOffset..<value.dataOffset + byteCount]
        guard case .composite(let type) = btf.types[structure], let offset = hole(in: type, data) else {
            return nil
        }
        return (value.dataOffset + offset, type.name)
    }

    private func hole(in type: BTFComposite, _ bytes: ArraySlice<UInt8>) -> Int? {
        var end = 0
        for member in type.members {
            if let offset = firstNonzero(in: bytes, from: end, to: member.byteOffset) { return offset }
            end = max(end, member.byteOffset + (btf.types.byteCount(of: member.type) ?? 0))
        }
        return firstNonzero(in: bytes, from: end, to: type.byteCount)
    }

    private func firstNonzero(in bytes: ArraySlice<UInt8>, from start: Int, to end: Int) -> Int? {
        guard start < end else { return nil }
        return (start..<end).first { bytes[bytes.startIndex + $0] != 0 }
    }
}

extension StructOpsType.FieldRule {
    /// The sentence that says what is wrong with a member's bytes, or nil.
    ///
    /// - Parameter mask: replaces that of `.flags`, if the profile has its own.
    func complaint(about bytes: [UInt8], mask profileMask: UInt64?) -> String? {
        switch self {
        case .any: return nil
        case .flags(let mask):
            let value = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let unknown = value & ~(profileMask ?? mask)
            return unknown == 0 ? nil : "has the unknown bits 0x\(String(unknown, radix: 16))"
        case .name:
            guard let end = bytes.firstIndex(of: 0) else {
                return "is not terminated within \(bytes.count) bytes"
            }
            guard end > 0 else { return "is empty" }
            let name = bytes[..<end]
            guard let bad = name.first(where: { !Self.isNameByte($0) }) else { return nil }
            let shown = (0x20..<0x7f).contains(bad) ? "'\(Character(UnicodeScalar(bad)))'" : "byte \(bad)"
            return "contains \(shown); letters, digits, '_' and '.' are allowed"
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
