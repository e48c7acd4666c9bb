import Synchronization

/// The records and names of one BTF as they stand in its bytes, already checked; types are decoded when asked for.
///
/// A kernel's BTF has 130,000 types and a loader wants a few hundred of them, so decoding all (and making all their
/// strings) would be most of the time of a load.
final class BTFStorage: Sendable {
    let base: BTFStorage?
    /// Id of the first own type; 1 unless there is a base.
    let firstID: Int
    /// The type section.
    let words: [UInt32]
    /// Index in `words` of each own type.
    let starts: [UInt32]
    let strings: BTFStrings
    /// What has been asked for so far. The mutex makes the class `Sendable`; it is never held while calling out.
    private let cache = Mutex(Cache())

    private struct Cache {
        var types: [Int: BTFType] = [:]
        var names: BTFNameIndex?
    }

    init(base: BTFStorage?, words: [UInt32], starts: [UInt32], strings: BTFStrings) {
        self.base = base
        self.firstID = base?.count ?? 1
        self.words = words
        self.starts = starts
        self.strings = strings
    }

    /// Ids are `0 ..< count`, those of the base and void included.
    var count: Int { firstID + starts.count }

    /// The record of an own or base type; nil for void and for what is not here.
    func record(of id: TypeID) -> BTFRecord? {
        let index = id.index - firstID
        guard index >= 0 else { return base?.record(of: id) }
        guard index < starts.count else { return nil }
        return BTFRecord(words: words, start: Int(starts[index]))
    }

    func type(of id: TypeID) -> BTFType {
        if id.index < firstID { return base?.type(of: id) ?? .void }
        guard let record = record(of: id) else { return .void }
        if !record.isWorthKeeping { return decode(record) }
        if let known = cache.withLock({ $0.types[id.index] }) { return known }
        let type = decode(record)
        cache.withLock { $0.types[id.index] = type }
        return type
    }

    // What follows is asked tens of thousands of times in a load. It reads `words` in place: a `BTFRecord` would count
    // a reference to them each time. Types of a base refer to the base alone.

    /// nil for void and for what is not here.
    func kind(of id: TypeID) -> BTFKind? {
        let index = id.index - firstID
        guard index >= 0 else { return base?.kind(of: id) }
        return index < starts.count ? kind(at: Int(starts[index])) : nil
    }

    /// Only after the check: every stored record has a known kind.
    private func kind(at start: Int) -> BTFKind {
        BTFKind(rawValue: UInt8(words[start + 1] >> 24 & 0x1f)).unsafelyUnwrapped
    }

    /// What an INT says of itself; nil for anything else.
    func integer(_ id: TypeID) -> (size: Int, encoding: UInt32)? {
        let index = id.index - firstID
        guard index >= 0 else { return base?.integer(id) }
        guard index < starts.count else { return nil }
        let start = Int(starts[index])
        return kind(at: start) == .int ? (Int(words[start + 2]), words[start + 3]) : nil
    }

    /// Follows typedefs, qualifiers and type tags.
    func resolve(_ id: TypeID) -> TypeID {
        var id = id
        while true {
            let index = id.index - firstID
            guard index >= 0 else { return base?.resolve(id) ?? id }
            guard index < starts.count else { return id }
            let start = Int(starts[index])
            guard kind(at: start).isModifier else { return id }
            id = TypeID(rawValue: words[start + 2])
        }
    }

    /// See `BTF.byteCount(of:)`.
    func byteCount(of id: TypeID) -> Int? {
        let resolved = resolve(id), index = resolved.index - firstID
        guard index >= 0 else { return base?.byteCount(of: resolved) }
        guard index < starts.count else { return nil }
        let start = Int(starts[index])
        switch kind(at: start) {
        case .int, .struct, .union, .enumeration, .enum64, .float, .dataSection: return Int(words[start + 2])
        case .pointer: return 8
        case .variable: return byteCount(of: TypeID(rawValue: words[start + 2]))
        case .array:
            // Element, index, count.
            guard let size = byteCount(of: TypeID(rawValue: words[start + 3])) else { return nil }
            let (product, overflow) = size.multipliedReportingOverflow(by: Int(words[start + 5]))
            return overflow ? nil : product
        default: return nil
        }
    }

    func nameBytes(at offset: Int) -> ArraySlice<UInt8> {
        if let base, offset < strings.firstOffset { return base.nameBytes(at: offset) }
        return strings.nameBytes(at: offset)
    }

    func name(at offset: UInt32) -> String {
        String(decoding: nameBytes(at: Int(offset)), as: UTF8.self)
    }

    /// A type's own name, without decoding the rest; empty for void and where there is none.
    func ownName(of id: TypeID) -> String {
        let index = id.index - firstID
        guard index >= 0 else { return base?.ownName(of: id) ?? "" }
        guard index < starts.count else { return "" }
        return name(at: words[Int(starts[index])])
    }

    /// One member of a struct or union, without decoding the others; nil if there is none.
    func member(_ number: Int, of id: TypeID) -> BTFMember? {
        guard let record = record(of: id), record.kind == .struct || record.kind == .union,
            number >= 0, number < record.vlen
        else { return nil }
        return decodeMember(number, of: record)
    }

    /// Ids of own and base types of a kind, ascending.
    func ids(of kind: BTFKind) -> [TypeID] {
        var ids = base?.ids(of: kind) ?? []
        for (position, start) in starts.enumerated() where words[Int(start) + 1] >> 24 & 0x1f == kind.rawValue
        {
            ids.append(TypeID(firstID + position))
        }
        return ids
    }

    /// Ids of own and base types with this name, ascending.
    func ids(named name: String) -> [TypeID] {
        guard !name.isEmpty else { return [] }
        return (base?.ids(named: name) ?? []) + nameIndex.ids(named: name, in: self)
    }

    private var nameIndex: BTFNameIndex {
        if let index = cache.withLock({ $0.names }) { return index }
        let index = BTFNameIndex(of: self)
        cache.withLock { $0.names = index }
        return index
    }
}

/// Chained hash table from a name to the ids of the own types that bear it.
struct BTFNameIndex: Sendable {
    /// Position of the first type of each bucket plus one; 0 ends a chain.
    private var heads: [UInt32]
    private var next: [UInt32]
    private let mask: Int

    init(of storage: BTFStorage) {
        var bucketCount = 16
        while bucketCount < storage.starts.count { bucketCount *= 2 }
        mask = bucketCount - 1
        heads = [UInt32](repeating: 0, count: bucketCount)
        next = [UInt32](repeating: 0, count: storage.starts.count)
        // Backwards, so that each chain ascends.
        for position in storage.starts.indices.reversed() {
            let offset = storage.words[Int(storage.starts[position])]
            guard offset != 0 else { continue }
            let bucket = Self.hash(storage.nameBytes(at: Int(offset))) & mask
            next[position] = heads[bucket]
            heads[bucket] = UInt32(position + 1)
        }
    }

    func ids(named name: String, in storage: BTFStorage) -> [TypeID] {
        let wanted = Array(name.utf8)
        var found: [TypeID] = []
        var link = heads[Self.hash(wanted[...]) & mask]
        while link != 0 {
            let position = Int(link) - 1
            let offset = Int(storage.words[Int(storage.starts[position])])
            if storage.nameBytes(at: offset).elementsEqual(wanted) {
                found.append(TypeID(storage.firstID + position))
            }
            link = next[position]
        }
        return found
    }

    /// Seeded per process, so that nobody can choose names that all collide.
    private static func hash(_ bytes: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
