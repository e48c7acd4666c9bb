/// Second check of a parse: the types together. It keeps the promises that `BTF` makes to code which walks types.
///
/// - What contains itself by value is refused, and so is nesting by value deeper than `depthMax`.
/// - A cycle through pointers must pass through a struct or union (C has no other), so that printing a type ends.
/// - References go to kinds that make sense, and members lie inside their struct or union.
///
/// Kernel counterpart: `btf_resolve` and the `btf_*_resolve` functions.
struct BTFGraphCheck {
    /// Levels of by-value nesting, and of a chain of pointers, qualifiers and prototypes. The deepest in a kernel is 23.
    static let depthMax = 64

    private let storage: BTFStorage

    init(_ storage: BTFStorage) { self.storage = storage }

    func run() throws(BTFError) {
        try checkDepth(edges: Edges(followsPointers: false))
        try checkDepth(edges: Edges(followsPointers: true))
        for position in storage.starts.indices {
            let id = TypeID(storage.firstID + position)
            let record = BTFRecord(words: storage.words, start: Int(storage.starts[position]))
            try checkReferences(record, id)
        }
    }

    /// Which references count: all but those of pointers, or all but those of structs and unions.
    private struct Edges {
        let followsPointers: Bool

        /// Of the record at `start`.
        func count(_ words: [UInt32], _ start: Int) -> Int {
            let record = BTFRecord(words: words, start: start)
            return switch record.kind {
            case .int, .enumeration, .enum64, .float, .forward: 0
            case .pointer: followsPointers ? 1 : 0
            case .struct, .union, .dataSection: followsPointers ? 0 : record.vlen
            case .array: 2
            case .prototype: 1 + record.vlen
            case .typedef, .volatile, .const, .restrict, .function, .variable, .declTag, .typeTag: 1
            }
        }

        func target(_ words: [UInt32], _ start: Int, _ index: Int) -> TypeID {
            let record = BTFRecord(words: words, start: start)
            return switch record.kind {
            case .struct, .union: record.memberType(index)
            case .dataSection: TypeID(rawValue: record.word(3 * index))
            case .array: TypeID(rawValue: record.word(index))
            case .prototype: index == 0 ? record.referent : TypeID(rawValue: record.word(2 * index - 1))
            default: record.referent
            }
        }
    }

    private struct Visit {
        let position: Int
        /// Of its record. A record of its own would count a reference to the words for each of them.
        let start: Int
        let edgeCount: Int
        var next = 0
        var depth = 1
    }

    /// Depth-first over the own types, with an explicit stack. The types of a base cannot refer to own ones.
    private func checkDepth(edges: Edges) throws(BTFError) {
        let inProgress = UInt8.max
        var depths = [UInt8](repeating: 0, count: storage.starts.count)
        var stack: [Visit] = []
        func visit(_ position: Int) -> Visit? {
            let start = Int(storage.starts[position])
            let count = edges.count(storage.words, start)
            guard count > 0 else {
                depths[position] = 1
                return nil
            }
            depths[position] = inProgress
            return Visit(position: position, start: start, edgeCount: count)
        }
        for root in depths.indices where depths[root] == 0 {
            if let start = visit(root) { stack.append(start) }
            while let top = stack.indices.last {
                let id = TypeID(storage.firstID + stack[top].position)
                if stack[top].next == stack[top].edgeCount {
                    let done = stack.removeLast()
                    depths[done.position] = UInt8(done.depth)
                    if top > 0 { stack[top - 1].depth = max(stack[top - 1].depth, done.depth + 1) }
                } else {
                    let target =
                        edges.target(storage.words, stack[top].start, stack[top].next).index - storage.firstID
                    stack[top].next += 1
                    guard target >= 0 else { continue }
                    if depths[target] == inProgress { throw .cycle(id: id) }
                    if depths[target] == 0 {
                        if let deeper = visit(target) {
                            stack.append(deeper)
                            guard stack.count <= Self.depthMax else {
                                throw .nestingTooDeep(id: id, limit: Self.depthMax)
                            }
                            continue
                        }
                    }
                    stack[top].depth = max(stack[top].depth, Int(depths[target]) + 1)
                }
                guard stack.last?.depth ?? 0 <= Self.depthMax else {
                    throw .nestingTooDeep(id: id, limit: Self.depthMax)
                }
            }
        }
    }

    private func checkReferences(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        switch record.kind {
        case .struct, .union: try checkMembers(record, id)
        case .array:
            try checkSized(TypeID(rawValue: record.word(0)), id)
            let index = TypeID(rawValue: record.word(1))
            guard storage.kind(of: storage.resolve(index)) == .int else {
                throw wrong(id, index, "INT")
            }
        case .function:
            guard storage.kind(of: record.referent) == .prototype else {
                throw wrong(id, record.referent, "FUNC_PROTO")
            }
        case .dataSection:
            for index in 0..<record.vlen {
                let target = TypeID(rawValue: record.word(3 * index))
                switch storage.kind(of: target) {
                case .variable, .function: break
                default: throw wrong(id, target, "VAR or FUNC")
                }
            }
        case .declTag: try checkDeclTag(record, id)
        case .pointer, .typedef, .volatile, .const, .restrict, .typeTag, .variable:
            try checkIsType(record.referent, id)
        case .prototype:
            try checkIsType(record.referent, id)
            for index in 0..<record.vlen { try checkIsType(TypeID(rawValue: record.word(2 * index + 1)), id) }
        case .int, .enumeration, .enum64, .float, .forward: break
        }
    }

    private func checkMembers(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        let limit = 8 * record.size
        for index in 0..<record.vlen {
            let type = record.memberType(index)
            let resolved = storage.resolve(type)
            guard let byteCount = storage.byteCount(of: resolved) else {
                throw wrong(id, type, "a type with a size")
            }
            let (bitOffset, bitFieldSize) = storage.place(ofMember: index, in: record)
            if bitFieldSize == 0 {
                guard bitOffset.isMultiple(of: 8) else {
                    throw .badField(id: id, kind: record.kind.name, field: "member offset", value: bitOffset)
                }
            } else {
                switch storage.kind(of: resolved) {
                case .int, .enumeration, .enum64: break
                default: throw wrong(id, type, "INT or ENUM, as a bit field")
                }
                guard bitFieldSize <= 8 * byteCount else {
                    throw .badField(
                        id: id, kind: record.kind.name, field: "bit field size", value: bitFieldSize)
                }
            }
            let (bits, overflow) = byteCount.multipliedReportingOverflow(by: 8)
            let (end, overflow2) = bitOffset.addingReportingOverflow(bitFieldSize == 0 ? bits : bitFieldSize)
            guard !overflow, !overflow2, end <= limit else {
                let name = storage.name(at: record.memberName(index))
                throw .memberOutside(
                    id: id, member: name, end: overflow || overflow2 ? .max : end, limit: limit)
            }
        }
    }

    private func checkDeclTag(_ record: BTFRecord, _ id: TypeID) throws(BTFError) {
        let index = Int(Int32(bitPattern: record.word(0)))
        guard let target = storage.record(of: record.referent) else {
            throw wrong(id, record.referent, "a declaration")
        }
        let count: Int
        switch target.kind {
        case .struct, .union: count = target.vlen
        case .function: count = storage.record(of: target.referent)?.vlen ?? 0
        case .variable, .typedef: count = 0
        default: throw wrong(id, record.referent, "a declaration")
        }
        guard index >= -1, index < count else {
            throw .badField(id: id, kind: record.kind.name, field: "component index", value: index)
        }
    }

    /// What is declared rather than being a type cannot be referred to as one.
    private func checkIsType(_ type: TypeID, _ id: TypeID) throws(BTFError) {
        switch storage.kind(of: type) {
        case .function, .variable, .dataSection, .declTag: throw wrong(id, type, "a type")
        default: break
        }
    }

    private func checkSized(_ type: TypeID, _ id: TypeID) throws(BTFError) {
        guard storage.byteCount(of: type) != nil else { throw wrong(id, type, "a type with a size") }
    }

    private func wrong(_ from: TypeID, _ to: TypeID, _ expected: String) -> BTFError {
        let actual = storage.record(of: to)?.kind.name ?? "void"
        return .wrongReference(from: from, to: to, expected: expected, actual: actual)
    }
}
