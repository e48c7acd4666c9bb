import BPF

/// A load's place in a BTF object, as a key for what was found there.
struct FieldKey: Hashable {
    var type: TypeID
    var low: Int
    var high: Int
    var byteCount: Int
}

/// A pointer among the members of a struct.
struct PointerField: Equatable {
    /// What its type is tagged with.
    enum Tag { case none, rcu, percpu, user }
    var tag = Tag.none
    /// The struct that declares it, and its name there.
    var structure = ""
    var name = ""
}

/// What a load of some bytes of a struct yields.
enum FieldAccess {
    case number
    case pointer(to: TypeID, PointerField)
    case refused(String)
}

extension BTF {
    /// What lies at bytes `low ..< high` of a struct or union, of which `byteCount` are loaded.
    ///
    /// With a constant offset `high - low == byteCount`; with a variable one the range is wider and must lie in one
    /// array of numbers. Kernel counterpart: `btf_struct_walk`.
    func field(of type: TypeID, low: Int, high: Int, byteCount: Int) -> FieldAccess {
        guard case .composite(let composite) = self[type] else {
            return .refused("type \(type.rawValue) is not a struct")
        }
        if high > composite.byteCount && isWeakened(.fieldsHaveNoEnd) { return .number }
        guard low >= 0, high <= composite.byteCount else {
            return .refused("access beyond struct \(composite.name) at off \(low) size \(high - low)")
        }
        var refusal: String?
        var overlapsOnlyNumbers = true
        var overlapsBitField = false
        for member in composite.members {
            if member.bitFieldSize > 0 {
                let first = member.bitOffset / 8
                let end = (member.bitOffset + member.bitFieldSize + 7) / 8
                if first < high && low < end { overlapsBitField = true }
                continue
            }
            let start = member.bitOffset / 8
            guard start < high, let size = self.byteCount(of: member.type), low < start + size else {
                continue
            }
            if !isNumber(member.type) { overlapsOnlyNumbers = false }
            guard start <= low, high <= start + size else { continue }
            switch value(of: member.type, low: low - start, high: high - start, byteCount: byteCount) {
            case .refused(let why): refusal = refusal ?? why
            case .pointer(let pointee, var field):
                if field.name.isEmpty { (field.structure, field.name) = (composite.name, member.name) }
                return .pointer(to: pointee, field)
            case .number: return .number
            }
        }
        // Bit fields are read with loads that may cover their neighbours.
        if overlapsBitField && overlapsOnlyNumbers && high - low == byteCount { return .number }
        return .refused(refusal ?? "struct \(composite.name) has no field at off \(low) size \(high - low)")
    }

    private func value(of type: TypeID, low: Int, high: Int, byteCount: Int) -> FieldAccess {
        switch resolved(type) {
        case .composite: return field(of: resolve(type), low: low, high: high, byteCount: byteCount)
        case .array(let array):
            if isNumber(type) { return .number }
            guard let size = self.byteCount(of: array.element), size > 0, high - low == byteCount else {
                return .refused("variable offset into an array that is not one of numbers")
            }
            let start = low / size * size
            guard high <= start + size else {
                return .refused("access across elements of an array at off \(low)")
            }
            return value(of: array.element, low: low - start, high: high - start, byteCount: byteCount)
        case .pointer(let target):
            guard low == 0, high == 8, byteCount == 8 else {
                return .refused("cannot access ptr member with off \(low) size \(byteCount)")
            }
            let pointee = resolve(target)
            if case .composite = self[pointee] {
                return .pointer(to: pointee, PointerField(tag: tag(ofPointee: target)))
            }
            return .number
        default:
            return high - low == byteCount
                ? .number : .refused("variable offset into a field that is not an array")
        }
    }

    /// Tag between a pointer and the struct it points to.
    private func tag(ofPointee pointee: TypeID) -> PointerField.Tag {
        var id = pointee
        while true {
            switch self[id] {
            case .typeTag("rcu", _): return .rcu
            case .typeTag("percpu", _): return .percpu
            case .typeTag("user", _): return .user
            case .typeTag(_, let of), .const(let of), .volatile(let of), .restrict(let of),
                .typedef(_, let of):
                id = of
            default: return .none
            }
        }
    }

    /// A number, or an array of nothing but numbers.
    private func isNumber(_ type: TypeID) -> Bool {
        switch resolvedKind(of: type) {
        case .int, .enumeration, .enum64, .float: return true
        case .array:
            guard case .array(let array) = resolved(type) else { return false }
            return isNumber(array.element)
        default: return false
        }
    }

    /// Whether an object of type `type`, `offset` bytes in, is (or starts with) an object of type `wanted`.
    ///
    /// A `struct tcp_sock` is a `struct sock` too, since its first member's first member is one.
    func embeds(_ wanted: TypeID, in type: TypeID, at offset: Int) -> Bool {
        if offset == 0 && type == wanted { return true }
        guard case .composite(let composite) = self[type], offset >= 0, offset < max(composite.byteCount, 1)
        else {
            return false
        }
        for member in composite.members where member.bitFieldSize == 0 {
            let start = member.bitOffset / 8
            guard start <= offset, let size = byteCount(of: member.type), offset < start + size else {
                continue
            }
            let inner = resolve(member.type)
            if case .composite = self[inner], embeds(wanted, in: inner, at: offset - start) { return true }
        }
        return false
    }

    func typeName(_ id: TypeID) -> String { self[resolve(id)].name ?? "type \(id.rawValue)" }
}
