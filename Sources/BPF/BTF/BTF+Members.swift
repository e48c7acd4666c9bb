/// A place inside a struct or union, with the way to it.
package struct BTFField: Equatable, Sendable {
    package enum Step: Equatable, Sendable {
        /// Anonymous members are steps too, with an empty name; they do not show in `path`.
        case member(structure: TypeID, index: Int, name: String)
        case element(Int)
    }
    package var steps: [Step]
    /// The type as declared, qualifiers included.
    package var type: TypeID
    /// Where it starts, from the start of the outermost struct. A multiple of 8 except for bit fields.
    package var bitOffset: Int
    /// 0 unless a bit field.
    package var bitFieldSize: Int
    /// Bytes of the type; of a bit field, those of its declared type.
    package var byteCount: Int

    /// Start in bytes; of a bit field, that of the byte with its first bit.
    package var byteOffset: Int { bitOffset / 8 }

    /// `inet_conn.icsk_inet.sk.sk_pacing_rate`, `icsk_ca_priv[3]`.
    package var path: String {
        var text = ""
        for step in steps {
            switch step {
            case .member(_, _, let name) where name.isEmpty: continue
            case .member(_, _, let name): text += (text.isEmpty ? "" : ".") + name
            case .element(let index): text += "[\(index)]"
            }
        }
        return text
    }
}

extension BTF {
    /// Most fields that one place of a union is reported to be.
    private static let candidateMax = 64

    /// The fields that contain the bytes `offset ..< offset + byteCount` of a struct or union, each followed down to a
    /// scalar, a pointer, or the innermost struct or array that contains all of them. Several only in unions; none if
    /// the bytes are padding or outside.
    ///
    /// An exact access is one whose `byteOffset` and `byteCount` are those asked for.
    package func fields(of structure: TypeID, at offset: Int, byteCount: Int) -> [BTFField] {
        var found: [BTFField] = []
        guard offset >= 0, byteCount >= 0, let size = self.byteCount(of: structure), offset <= size,
            byteCount <= size - offset
        else { return [] }
        let whole = BTFField(steps: [], type: structure, bitOffset: 0, bitFieldSize: 0, byteCount: size)
        descend(from: whole, to: 8 * offset..<8 * (offset + byteCount), into: &found)
        return found.filter { !$0.steps.isEmpty }
    }

    private func descend(from field: BTFField, to bits: Range<Int>, into found: inout [BTFField]) {
        guard found.count < Self.candidateMax else { return }
        let before = found.count
        switch resolved(field.type) {
        case .composite(let composite):
            for (index, member) in composite.members.enumerated() {
                guard let next = self.field(member, index, of: resolve(field.type), in: field) else {
                    continue
                }
                guard next.covers(bits) else { continue }
                descend(from: next, to: bits, into: &found)
            }
        case .array(let array):
            guard let size = byteCount(of: array.element), size > 0 else { break }
            let index = (bits.lowerBound - field.bitOffset) / (8 * size)
            let start = field.bitOffset + 8 * size * index
            guard index < array.count, bits.upperBound <= start + 8 * size else { break }
            var next = field
            next.steps.append(.element(index))
            next.type = array.element
            next.bitOffset = start
            next.byteCount = size
            descend(from: next, to: bits, into: &found)
        default: break
        }
        if found.count == before { found.append(field) }
    }

    private func field(_ member: BTFMember, _ index: Int, of structure: TypeID, in field: BTFField)
        -> BTFField?
    {
        guard let byteCount = byteCount(of: member.type) else { return nil }
        let step = BTFField.Step.member(structure: structure, index: index, name: member.name)
        return BTFField(
            steps: field.steps + [step], type: member.type, bitOffset: field.bitOffset + member.bitOffset,
            bitFieldSize: member.bitFieldSize, byteCount: byteCount)
    }

    /// What a place in a struct is called, for messages: `tcp_sock.inet_conn.icsk_inet.sk.sk_pacing_rate`, or
    /// `tcp_sock+1234` where no field is.
    package func memberPath(of structure: TypeID, at offset: Int, byteCount: Int = 1) -> String {
        let name = self[resolve(structure)].name ?? ""
        let all = fields(of: structure, at: offset, byteCount: byteCount)
        let exact = all.first { $0.byteOffset == offset && $0.byteCount == byteCount && $0.bitFieldSize == 0 }
        guard let field = exact ?? all.first else { return "\(name)+\(offset)" }
        return name.isEmpty ? field.path : name + "." + field.path
    }

    /// The member called `name`, directly or inside anonymous structs and unions.
    package func field(named name: String, in structure: TypeID) -> BTFField? {
        guard !name.isEmpty, let size = byteCount(of: structure) else { return nil }
        var budget = 10_000
        let whole = BTFField(steps: [], type: structure, bitOffset: 0, bitFieldSize: 0, byteCount: size)
        return field(named: name, in: whole, budget: &budget)
    }

    private func field(named name: String, in outer: BTFField, budget: inout Int) -> BTFField? {
        let structure = resolve(outer.type)
        guard budget > 0, case .composite(let composite) = self[structure] else { return nil }
        budget -= 1
        if let index = composite.members.firstIndex(where: { $0.name == name }) {
            return field(composite.members[index], index, of: structure, in: outer)
        }
        for (index, member) in composite.members.enumerated() where member.name.isEmpty {
            guard let inner = field(member, index, of: structure, in: outer) else { continue }
            if let found = field(named: name, in: inner, budget: &budget) { return found }
        }
        return nil
    }

    /// The field at a dotted path: `inet_conn.icsk_inet.sk`.
    package func field(path: String, in structure: TypeID) -> BTFField? {
        var result: BTFField?
        for name in path.split(separator: ".") {
            guard var next = field(named: String(name), in: result?.type ?? structure) else { return nil }
            if let outer = result {
                next.steps = outer.steps + next.steps
                next.bitOffset += outer.bitOffset
            }
            result = next
        }
        return result
    }
}

extension BTFField {
    fileprivate func covers(_ bits: Range<Int>) -> Bool {
        if bitFieldSize == 0 {
            return bits.lowerBound >= bitOffset && bits.upperBound <= bitOffset + 8 * byteCount
        }
        // An access to a bit field loads whole bytes around it: it is a candidate if they overlap.
        return bits.lowerBound < bitOffset + bitFieldSize && bits.upperBound > bitOffset
    }
}
