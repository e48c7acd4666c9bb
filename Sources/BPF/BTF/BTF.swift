/// All types of one BTF, immutable, with lookup by id and by name.
///
/// Every id that occurs in a stored type is in `0 ..< count`, and every chain of modifiers, typedefs, arrays and
/// by-value members ends: the parser checks that, so that code which walks types needs no guard against cycles
/// (pointers may be cyclic, as in C).
///
/// Source: Linux `Documentation/bpf/btf.rst`.
package struct BTF: Sendable {
    let storage: BTFStorage

    init(checked storage: BTFStorage) { self.storage = storage }

    /// Ids are `0 ..< count`; 0 is `.void`.
    package var count: Int { storage.count }

    /// Of the records and names of its own types.
    package var byteCount: Int { 4 * storage.words.count + storage.strings.bytes.count }

    /// All types, index = id. Decodes everything: for printing, not for lookups.
    package var types: [BTFType] { (0..<count).map { storage.type(of: TypeID($0)) } }

    /// The ids of a kind, ascending, without decoding any type.
    package func ids(of kind: BTFKind) -> [TypeID] { storage.ids(of: kind) }

    /// A type's kind, without decoding it; nil for void and for what is not here.
    package func kind(of id: TypeID) -> BTFKind? { storage.kind(of: id) }

    /// The kind behind typedefs, qualifiers and type tags; nil for void.
    package func resolvedKind(of id: TypeID) -> BTFKind? { storage.kind(of: storage.resolve(id)) }

    /// The type of an id; `.void` for an id that is not in this BTF.
    package subscript(id: TypeID) -> BTFType { storage.type(of: id) }

    /// All types called `name`, of every kind, in ascending order.
    package func ids(named name: String) -> [TypeID] { storage.ids(named: name) }

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
    package func resolve(_ id: TypeID) -> TypeID { storage.resolve(id) }

    /// The type behind typedefs, qualifiers and type tags.
    package func resolved(_ id: TypeID) -> BTFType { self[resolve(id)] }

    /// What a pointer points to, typedefs and qualifiers followed on both sides; nil if `id` is no pointer.
    package func pointee(of id: TypeID) -> TypeID? {
        guard case .pointer(let target) = resolved(id) else { return nil }
        return resolve(target)
    }

    /// Bytes that a value of this type takes; nil for void, functions, forwards and what overflows.
    package func byteCount(of id: TypeID) -> Int? { storage.byteCount(of: id) }
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
