/// All types of one BTF, immutable, with lookup by id and by name.
///
/// Every id that occurs in a stored type is in `0 ..< count`, and every chain of modifiers, typedefs, arrays and
/// by-value members ends: the parser checks that, so that code which walks types needs no guard against cycles
/// (pointers may be cyclic, as in C).
///
/// Source: Linux `Documentation/bpf/btf.rst`.
package struct BTF: Sendable {
    /// `types[0]` is `.void`.
    package let types: [BTFType]
    /// Ids by name, ascending, for named types of every kind.
    private let idsByName: [String: [TypeID]]

    /// - Parameter types: index = id, `.void` first; already checked as described above.
    init(checked types: [BTFType]) {
        self.types = types
        var index: [String: [TypeID]] = [:]
        for (id, type) in types.enumerated() {
            guard let name = type.name, !name.isEmpty else { continue }
            index[name, default: []].append(TypeID(id))
        }
        idsByName = index
    }

    package var count: Int { types.count }

    /// The type of an id; `.void` for an id that is not in this BTF.
    package subscript(id: TypeID) -> BTFType {
        id.index < types.count ? types[id.index] : .void
    }

    /// All types called `name`, of every kind, in ascending order.
    package func ids(named name: String) -> [TypeID] { idsByName[name] ?? [] }

    /// The first struct or union called `name`.
    package func composite(named name: String) -> (id: TypeID, type: BTFComposite)? {
        for id in ids(named: name) {
            if case .composite(let type) = self[id] { return (id, type) }
        }
        return nil
    }

    /// The first FUNC called `name`.
    package func function(named name: String) -> (id: TypeID, type: BTFFunction)? {
        for id in ids(named: name) {
            if case .function(let type) = self[id] { return (id, type) }
        }
        return nil
    }

    /// Follows typedefs, qualifiers and type tags.
    package func resolve(_ id: TypeID) -> TypeID {
        var id = id
        while true {
            switch self[id] {
            case .typedef(_, let of), .volatile(let of), .const(let of), .restrict(let of),
                .typeTag(_, let of):
                id = of
            default: return id
            }
        }
    }

    /// The type behind typedefs, qualifiers and type tags.
    package func resolved(_ id: TypeID) -> BTFType { self[resolve(id)] }

    /// What a pointer points to, typedefs and qualifiers followed on both sides; nil if `id` is no pointer.
    package func pointee(of id: TypeID) -> TypeID? {
        guard case .pointer(let target) = resolved(id) else { return nil }
        return resolve(target)
    }

    /// Bytes that a value of this type takes; nil for void, functions, forwards and what overflows.
    package func byteCount(of id: TypeID) -> Int? {
        switch resolved(id) {
        case .int(let int): int.byteCount
        case .pointer: 8
        case .array(let array):
            byteCount(of: array.element).flatMap { size in
                let (product, overflow) = size.multipliedReportingOverflow(by: array.count)
                return overflow ? nil : product
            }
        case .composite(let composite): composite.byteCount
        case .enumeration(let enumeration): enumeration.byteCount
        case .float(_, let byteCount): byteCount
        case .variable(let variable): byteCount(of: variable.type)
        case .dataSection(let section): section.byteCount
        default: nil
        }
    }
}

extension BTFType {
    /// The type's own name; nil for kinds that have none.
    package var name: String? {
        switch self {
        case .int(let type): type.name
        case .composite(let type): type.name
        case .enumeration(let type): type.name
        case .forward(let name, _), .typedef(let name, _), .float(let name, _), .declTag(let name, _, _),
            .typeTag(let name, _):
            name
        case .function(let type): type.name
        case .variable(let type): type.name
        case .dataSection(let type): type.name
        case .void, .pointer, .array, .volatile, .const, .restrict, .prototype: nil
        }
    }
}
