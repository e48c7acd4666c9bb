/// First check of a parse: each record by itself. Numbers are ones that the kind allows, names are names, and every
/// id refers to a type that exists.
///
/// Rules are those of the kernel's `btf_*_check_meta` functions, observed through `Documentation/bpf/btf.rst`.
struct BTFRecordCheck {
    private let storage: BTFStorage
    private let names: BTFNameClasses

    init(_ storage: BTFStorage) {
        self.storage = storage
        names = BTFNameClasses(storage.strings)
    }

    func run() throws(BTFError) {
        for position in storage.starts.indices {
            let record = BTFRecord(words: storage.words, start: Int(storage.starts[position]))
            try check(record, TypeID(storage.firstID + position))
        }
    }

    private func check(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        let kind = record.kind
        guard !record.hasReservedBits else { throw bad(id, kind, "info", Int(record.info)) }
        try checkName(record.nameOffset, id, kind.nameRule)
        if !kind.usesVlen && record.vlen != 0 { throw bad(id, kind, "vlen", record.vlen) }
        if !kind.usesKindFlag && record.kindFlag { throw bad(id, kind, "kind_flag", 1) }
        switch kind {
        case .int: try checkInt(record, id)
        case .array: try checkArray(record, id)
        case .struct, .union: try checkMembers(record, id)
        case .enumeration, .enum64: try checkEnum(record, id)
        case .prototype: try checkPrototype(record, id)
        case .pointer, .typedef, .volatile, .const, .restrict, .typeTag:
            try checkReference(record.referent, id)
        case .function:
            try checkReference(record.referent, id)
            guard record.vlen <= 2 else { throw bad(id, kind, "linkage", record.vlen) }
        case .variable:
            try checkReference(record.referent, id)
            guard record.word(0) <= 2 else { throw bad(id, kind, "linkage", Int(record.word(0))) }
        case .dataSection:
            for index in 0..<record.vlen { try checkReference(TypeID(rawValue: record.word(3 * index)), id) }
        case .float:
            guard [2, 4, 8, 12, 16].contains(record.size) else { throw bad(id, kind, "size", record.size) }
        case .declTag: try checkReference(record.referent, id)
        case .forward: break
        }
    }

    private func checkInt(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        let raw = record.word(0)
        let bits = Int(raw & 0xff)
        let offset = Int(raw >> 16 & 0xff)
        guard raw & 0xf800_ff00 == 0 else { throw bad(id, .int, "encoding", Int(raw)) }
        guard [1, 2, 4, 8, 16].contains(record.size) else { throw bad(id, .int, "size", record.size) }
        guard bits > 0, bits + offset <= 8 * record.size else { throw bad(id, .int, "bits", bits) }
    }

    private func checkArray(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        guard record.size == 0 else { throw bad(id, .array, "size", record.size) }
        try checkReference(TypeID(rawValue: record.word(0)), id)
        try checkReference(TypeID(rawValue: record.word(1)), id)
    }

    private func checkMembers(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        for index in 0..<record.vlen {
            try checkName(record.memberName(index), id, .optionalIdentifier)
            try checkReference(record.memberType(index), id)
            if record.kind == .union && record.memberBitOffset(index) != 0 {
                throw bad(id, .union, "member offset", record.memberBitOffset(index))
            }
        }
    }

    private func checkEnum(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        guard [1, 2, 4, 8].contains(record.size) else { throw bad(id, record.kind, "size", record.size) }
        for index in 0..<record.vlen { try checkName(record.enumeratorName(index), id, .identifier) }
    }

    private func checkPrototype(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        try checkReference(record.referent, id)
        for index in 0..<record.vlen {
            try checkName(record.word(2 * index), id, .optionalIdentifier)
            let type = TypeID(rawValue: record.word(2 * index + 1))
            try checkReference(type, id)
            let isEllipsis = index == record.vlen - 1 && record.isVariadic
            guard type != .void || isEllipsis else { throw bad(id, .prototype, "type of parameter", index) }
        }
    }

    private func checkReference(_ target: TypeID, _ id: TypeID) throws(BTFError) {
        guard target.index < storage.count else {
            throw .danglingReference(from: id, to: target, count: storage.count)
        }
    }

    private func checkName(_ offset: UInt32, _ id: TypeID, _ rule: BTFNameClasses.Rule) throws(BTFError) {
        if offset == 0 && rule != .identifier && rule != .text { return }
        let reason =
            Int(offset) < storage.strings.firstOffset
            ? BTFNameClasses.complaint(of: storage.nameBytes(at: Int(offset)), rule: rule)
            : names.complaint(at: Int(offset), rule: rule)
        if let reason {
            throw .badName(id: id, offset: Int(offset), reason: reason)
        }
    }

    private func bad(_ id: TypeID, _ kind: BTFKind, _ field: String, _ value: Int) -> BTFError {
        .badField(id: id, kind: kind.name, field: field, value: value)
    }
}

extension BTFKind {
    fileprivate var nameRule: BTFNameClasses.Rule {
        switch self {
        case .pointer, .array, .volatile, .const, .restrict, .prototype: .none
        case .struct, .union, .enumeration, .enum64: .optionalIdentifier
        case .forward, .typedef, .function, .variable: .identifier
        case .int, .dataSection, .float, .declTag, .typeTag: .text
        }
    }

    fileprivate var usesVlen: Bool {
        switch self {
        case .struct, .union, .enumeration, .enum64, .prototype, .dataSection, .function: true
        default: false
        }
    }

    /// Of tags, kflag says that the name is a whole attribute rather than a `btf_type_tag`.
    fileprivate var usesKindFlag: Bool {
        switch self {
        case .struct, .union, .enumeration, .enum64, .forward, .declTag, .typeTag: true
        default: false
        }
    }
}
