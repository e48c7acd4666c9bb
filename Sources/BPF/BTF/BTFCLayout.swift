/// How a struct must be written in C so that the compiler lays it out as the BTF says: members with unnamed bit fields
/// between them where there are holes, and attributes where natural alignment would do something else.
///
/// Unnamed bit fields leave no trace in BTF and do not change the alignment, so that the layout survives a round trip.
///
/// Source: System V ABI, "Aggregates and Unions", "Bit-Fields"; clang's BPF target follows it.
struct BTFCLayout {
    enum Item: Equatable {
        case member(BTFMember)
        case padding(type: String, bits: Int)
        /// A hole too large for bit fields, which no compiler makes.
        case opaque(byteCount: Int)
    }

    private(set) var items: [Item] = []
    private(set) var attributes: [String] = []
    private let btf: BTF
    private let alignments: BTFCAlignments
    private static let paddingMax = 4096

    init(of id: TypeID, _ composite: BTFComposite, in btf: BTF, alignments: BTFCAlignments) {
        self.btf = btf
        self.alignments = alignments
        let alignment = alignments[id].byteCount
        let isPacked = alignments[id].isPacked
        if isPacked { attributes.append("packed") }
        if composite.isUnion {
            items = composite.members.map { .member($0) }
        } else {
            var end = 0
            for member in composite.members {
                fill(
                    from: naturalOffset(of: member, after: end, isPacked: isPacked), end: end,
                    to: member.bitOffset)
                items.append(.member(member))
                let bits =
                    member.bitFieldSize > 0 ? member.bitFieldSize : 8 * (btf.byteCount(of: member.type) ?? 0)
                end = max(end, member.bitOffset + bits)
            }
            let natural = roundUp((end + 7) / 8, alignment)
            if natural < composite.byteCount { fill(from: -1, end: end, to: 8 * composite.byteCount) }
        }
        if composite.isUnion { alignUnion(composite, alignment) }
    }

    /// A union that is larger than its largest member has an alignment attribute. The smallest that explains the size.
    private mutating func alignUnion(_ composite: BTFComposite, _ natural: Int) {
        let largest = composite.members.map { btf.byteCount(of: $0.type) ?? 0 }.max() ?? 0
        var alignment = natural
        guard roundUp(largest, alignment) < composite.byteCount else { return }
        while alignment < composite.byteCount && roundUp(largest, alignment) != composite.byteCount {
            alignment *= 2
        }
        if roundUp(largest, alignment) == composite.byteCount {
            attributes.append("aligned(\(alignment))")
        } else {
            items.append(.opaque(byteCount: composite.byteCount))
        }
    }

    /// Where the compiler puts a member by itself.
    private func naturalOffset(of member: BTFMember, after end: Int, isPacked: Bool) -> Int {
        if member.bitFieldSize > 0 {
            let unit = 8 * (btf.byteCount(of: member.type) ?? 1)
            let fits = isPacked || unit == 0 || end / unit == (end + member.bitFieldSize - 1) / unit
            return fits ? end : roundUp(end, unit)
        }
        return roundUp(end, isPacked ? 8 : 8 * alignments[member.type].byteCount)
    }

    private mutating func fill(from natural: Int, end: Int, to offset: Int) {
        guard natural != offset, end < offset else { return }
        guard offset - end <= 64 * Self.paddingMax else {
            items.append(.opaque(byteCount: (offset - end) / 8))
            return
        }
        var position = end
        while position < offset {
            if !position.isMultiple(of: 8) || offset - position < 8 {
                let bits = min(8 - position % 8, offset - position)
                items.append(.padding(type: "char", bits: bits))
                position += bits
                continue
            }
            let unit = [("long long", 64), ("int", 32), ("short", 16), ("char", 8)].first {
                position.isMultiple(of: $0.1) && position + $0.1 <= offset
            }
            items.append(.padding(type: unit?.0 ?? "char", bits: unit?.1 ?? 8))
            position += unit?.1 ?? 8
        }
    }
}

private func roundUp(_ value: Int, _ unit: Int) -> Int { unit > 1 ? (value + unit - 1) / unit * unit : value }

/// The alignment that the C written for each type has. Kept, since each struct asks for all it contains.
final class BTFCAlignments {
    private let btf: BTF
    private var known: [TypeID: Alignment] = [:]

    struct Alignment {
        /// At least 1; of a packed type, 1.
        var byteCount: Int
        /// Natural alignment contradicts the offsets or the size.
        var isPacked: Bool
    }

    init(_ btf: BTF) { self.btf = btf }

    subscript(id: TypeID) -> Alignment {
        switch btf.resolved(id) {
        case .pointer: Alignment(byteCount: 8, isPacked: false)
        case .int(let int): Alignment(byteCount: max(1, int.byteCount), isPacked: false)
        case .enumeration(let enumeration): Alignment(byteCount: enumeration.byteCount, isPacked: false)
        case .float(let name, let byteCount):
            Alignment(byteCount: alignment(ofFloat: name, byteCount), isPacked: false)
        case .array(let array): self[array.element]
        case .composite(let composite): alignment(of: composite, id: btf.resolve(id))
        default: Alignment(byteCount: 1, isPacked: false)
        }
    }

    /// clang's BPF target has a long double of 8 bytes; that of x86-64 is written all the same.
    private func alignment(ofFloat name: String, _ byteCount: Int) -> Int {
        byteCount == 12 ? 4 : min(byteCount, 8)
    }

    private func alignment(of composite: BTFComposite, id: TypeID) -> Alignment {
        if let known = known[id] { return known }
        var largest = 1
        var isPacked = false
        for member in composite.members {
            let alignment = self[member.type].byteCount
            largest = max(largest, alignment)
            if member.bitFieldSize == 0 {
                if !member.bitOffset.isMultiple(of: 8 * alignment) { isPacked = true }
            } else if let size = btf.byteCount(of: member.type), size > 0 {
                // A bit field does not cross a boundary of its declared type unless packed.
                let last = member.bitOffset + member.bitFieldSize - 1
                if member.bitOffset / (8 * size) != last / (8 * size) { isPacked = true }
            }
        }
        if !composite.byteCount.isMultiple(of: largest) { isPacked = true }
        let alignment = Alignment(byteCount: isPacked ? 1 : largest, isPacked: isPacked)
        known[id] = alignment
        return alignment
    }
}
