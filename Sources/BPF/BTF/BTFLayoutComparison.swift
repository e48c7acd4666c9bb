/// Compares how two BTFs lay out a type: sizes, members by name and order, offsets, bit fields, everything by value.
///
/// Pointers are followed only to the name of what they point to. Typedefs and qualifiers do not count, an enum is as
/// good as an integer of its size, and a flavour suffix (`tcp_sock___old`) is no part of a name.
struct BTFLayoutComparison {
    private let left: BTF
    private let right: BTF
    /// Pairs of structs that are equal or being compared.
    private var seen: Set<Pair> = []

    private struct Pair: Hashable {
        var left: TypeID
        var right: TypeID
    }

    init(_ left: BTF, _ right: BTF) {
        self.left = left
        self.right = right
    }

    /// nil if equal; else a sentence with the first difference. `path` names what is compared.
    mutating func difference(_ leftID: TypeID, _ rightID: TypeID, path: String) -> String? {
        let leftID = left.resolve(leftID)
        let rightID = right.resolve(rightID)
        switch (left[leftID], right[rightID]) {
        case (.composite(let a), .composite(let b)):
            guard seen.insert(Pair(left: leftID, right: rightID)).inserted else { return nil }
            return difference(a, b, path: path)
        case (.array(let a), .array(let b)):
            guard a.count == b.count else { return "\(path) has \(a.count) elements, expected \(b.count)" }
            return difference(a.element, b.element, path: path + "[0]")
        case (.pointer(let a), .pointer(let b)): return pointeeDifference(a, b, path: path)
        case (.int(let a), .int(let b)):
            // Kernels are built with -funsigned-char, programs are not: `char` is `char`.
            if a.byteCount == b.byteCount && a.isSigned != b.isSigned && a.name != b.name {
                return "\(path) is \(a.isSigned ? "signed" : "unsigned"), expected the opposite"
            }
            return sizeDifference(a.byteCount, b.byteCount, path: path)
        case (.int(let a), .enumeration(let b)): return sizeDifference(a.byteCount, b.byteCount, path: path)
        case (.enumeration(let a), .int(let b)): return sizeDifference(a.byteCount, b.byteCount, path: path)
        case (.enumeration(let a), .enumeration(let b)):
            return sizeDifference(a.byteCount, b.byteCount, path: path)
        case (.float(_, let a), .float(_, let b)): return sizeDifference(a, b, path: path)
        case (.void, .void), (.forward, .forward), (.prototype, .prototype): return nil
        case (let a, let b):
            return "\(path) is \(a.kind?.name ?? "void"), expected \(b.kind?.name ?? "void")"
        }
    }

    private mutating func difference(_ a: BTFComposite, _ b: BTFComposite, path: String) -> String? {
        if a.isUnion != b.isUnion {
            return "\(path) is a \(a.isUnion ? "union" : "struct"), expected the other"
        }
        if a.name.withoutFlavour != b.name.withoutFlavour {
            return "\(path) is '\(a.name)', expected '\(b.name)'"
        }
        if let difference = sizeDifference(a.byteCount, b.byteCount, path: path) { return difference }
        for (mine, other) in zip(a.members, b.members) {
            let inner = mine.name.isEmpty ? path : path + "." + mine.name
            if mine.name != other.name { return "\(path) has '\(mine.name)', expected '\(other.name)'" }
            if mine.bitOffset != other.bitOffset {
                return "\(inner) is at bit \(mine.bitOffset), expected \(other.bitOffset)"
            }
            if mine.bitFieldSize != other.bitFieldSize {
                return "\(inner) has \(mine.bitFieldSize) bits, expected \(other.bitFieldSize)"
            }
            if let difference = difference(mine.type, other.type, path: inner) { return difference }
        }
        return a.members.count == b.members.count
            ? nil : "\(path) has \(a.members.count) members, expected \(b.members.count)"
    }

    private func pointeeDifference(_ a: TypeID, _ b: TypeID, path: String) -> String? {
        let mine = left.resolved(a).tagName
        let other = right.resolved(b).tagName
        guard let mine, let other, mine != other else { return nil }
        return "\(path) points to '\(mine)', expected '\(other)'"
    }

    private func sizeDifference(_ a: Int, _ b: Int, path: String) -> String? {
        a == b ? nil : "\(path) has \(a) bytes, expected \(b)"
    }
}

extension BTFType {
    /// Name of a struct, union or forward declaration without its flavour; nil for others and for anonymous ones.
    fileprivate var tagName: String? {
        switch self {
        case .composite(let type): type.name.isEmpty ? nil : type.name.withoutFlavour
        case .forward(let name, _): name.withoutFlavour
        default: nil
        }
    }
}

extension String {
    /// The name without what follows its last `___`: `sock___v2` is a local view of `sock`.
    ///
    /// Source: BPF CO-RE reference guide, "Handling incompatible field and type changes".
    package var withoutFlavour: String {
        let bytes = Array(utf8)
        guard bytes.count > 4 else { return self }
        // Neither side may be empty, and the suffix starts at the last run of three underscores.
        for start in stride(from: bytes.count - 4, through: 1, by: -1)
        where bytes[start..<start + 3].allSatisfy({ $0 == UInt8(ascii: "_") })
            && bytes[start - 1] != UInt8(ascii: "_") && bytes[start + 3] != UInt8(ascii: "_")
        {
            return String(decoding: bytes[..<start], as: UTF8.self)
        }
        return self
    }
}

extension BTF {
    /// nil if `type` here and `otherType` in `other` are laid out alike, deeply and by name; else the first difference
    /// as a sentence: `sock.sk_rcvbuf is at bit 320, expected 256`.
    package func layoutDifference(_ type: TypeID, from otherType: TypeID, in other: BTF) -> String? {
        var comparison = BTFLayoutComparison(self, other)
        return comparison.difference(type, otherType, path: self[resolve(type)].name ?? "")
    }

    /// Whether an access to these bytes of `structure` means the same field in `otherStructure` of `other`: same path,
    /// same place, same type. Then code compiled against one layout reads what it meant through the other.
    ///
    /// In a union the access may mean several fields: then all of them, or all that it covers exactly, must agree.
    package func isSameField(
        in structure: TypeID, at offset: Int, byteCount: Int, as otherStructure: TypeID, of other: BTF
    ) -> Bool {
        let candidates = fields(of: structure, at: offset, byteCount: byteCount)
        let exact = candidates.filter {
            $0.byteOffset == offset && $0.byteCount == byteCount && $0.bitFieldSize == 0
        }
        let meant = exact.isEmpty ? candidates : exact
        let there = other.fields(of: otherStructure, at: offset, byteCount: byteCount)
        return !meant.isEmpty
            && meant.allSatisfy { mine in
                there.contains { field in
                    mine.path == field.path && mine.bitOffset == field.bitOffset
                        && mine.bitFieldSize == field.bitFieldSize
                        && layoutDifference(mine.type, from: field.type, in: other) == nil
                }
            }
    }
}
