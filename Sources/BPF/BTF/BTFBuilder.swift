/// Makes a BTF type by type: for tests, and for types that a subsystem describes without a compiler.
///
/// Ids are given in order from 1 (or from the end of the base). A type may refer to ids that come later: reserve them
/// with `reserve()` and fill them with `set`.
package struct BTFBuilder {
    private let base: BTF?
    private var types: [BTFType] = []

    package init(base: BTF? = nil) { self.base = base }

    private var firstID: Int { base?.count ?? 1 }

    /// Adds any type and returns its id.
    package mutating func add(_ type: BTFType) -> TypeID {
        types.append(type)
        return TypeID(firstID + types.count - 1)
    }

    /// An id whose type is set later; `.void` until then, which `encoded` refuses.
    package mutating func reserve() -> TypeID { add(.void) }

    /// - Precondition: `id` came from this builder.
    package mutating func set(_ id: TypeID, to type: BTFType) { types[id.index - firstID] = type }

    /// The bytes of a `.BTF` section.
    /// - Throws: `badField` for a number that its field in a record cannot hold.
    package func encoded() throws(BTFError) -> [UInt8] {
        var encoder = BTFEncoder(stringOffset: base?.storage.strings.endOffset ?? 0)
        for (position, type) in types.enumerated() {
            try encoder.append(type, id: TypeID(firstID + position))
        }
        return encoder.bytes
    }

    /// The BTF, checked like any that comes from outside.
    package func build() throws(BTFError) -> BTF { try BTF(parsing: encoded(), base: base) }
}

extension BTFBuilder {
    package mutating func int(_ name: String, byteCount: Int, isSigned: Bool = false, isBool: Bool = false)
        -> TypeID
    {
        let type = BTFInt(
            name: name, byteCount: byteCount, bitCount: 8 * byteCount, isSigned: isSigned, isBool: isBool)
        return add(.int(type))
    }

    package mutating func pointer(to type: TypeID) -> TypeID { add(.pointer(to: type)) }
    package mutating func const(_ type: TypeID) -> TypeID { add(.const(of: type)) }
    package mutating func typedef(_ name: String, _ type: TypeID) -> TypeID {
        add(.typedef(name: name, of: type))
    }

    package mutating func array(of element: TypeID, count: Int, index: TypeID) -> TypeID {
        add(.array(BTFArray(element: element, index: index, count: count)))
    }

    /// A struct whose members stand at the given byte offsets.
    package mutating func structure(
        _ name: String, byteCount: Int, _ members: [(name: String, type: TypeID, byteOffset: Int)]
    ) -> TypeID {
        let members = members.map { BTFMember(name: $0.name, type: $0.type, bitOffset: 8 * $0.byteOffset) }
        return add(
            .composite(BTFComposite(name: name, isUnion: false, byteCount: byteCount, members: members)))
    }

    package mutating func union(_ name: String, byteCount: Int, _ members: [(name: String, type: TypeID)])
        -> TypeID
    {
        let members = members.map { BTFMember(name: $0.name, type: $0.type, bitOffset: 0) }
        return add(
            .composite(BTFComposite(name: name, isUnion: true, byteCount: byteCount, members: members)))
    }

    package mutating func enumeration(_ name: String, byteCount: Int = 4, _ values: [(String, Int)]) -> TypeID
    {
        let isSigned = values.contains { $0.1 < 0 }
        let values = values.map { BTFEnumerator(name: $0.0, value: UInt64(bitPattern: Int64($0.1))) }
        return add(
            .enumeration(
                BTFEnum(
                    name: name, byteCount: byteCount, isSigned: isSigned, is64: byteCount == 8, values: values
                )))
    }

    package mutating func prototype(
        result: TypeID, _ parameters: [(name: String, type: TypeID)], isVariadic: Bool = false
    ) -> TypeID {
        let parameters = parameters.map { BTFParameter(name: $0.name, type: $0.type) }
        return add(.prototype(BTFPrototype(result: result, parameters: parameters, isVariadic: isVariadic)))
    }

    package mutating func function(
        _ name: String, _ prototype: TypeID, linkage: BTFFunction.Linkage = .global
    ) -> TypeID {
        add(.function(BTFFunction(name: name, prototype: prototype, linkage: linkage)))
    }
}
