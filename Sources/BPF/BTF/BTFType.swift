/// Number of a type inside one BTF; 0 is `void`. Meaningless without the BTF it belongs to: see `BTFRef`.
package struct TypeID: RawRepresentable, Hashable, Comparable, Sendable {
    package var rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable package init(_ value: Int) { self.rawValue = UInt32(truncatingIfNeeded: value) }

    package static let void = TypeID(rawValue: 0)
    @inlinable package var index: Int { Int(rawValue) }
    // Those that come with `RawRepresentable` go through its witnesses, some hundred thousand times a load.
    @inlinable package static func == (a: TypeID, b: TypeID) -> Bool { a.rawValue == b.rawValue }
    @inlinable package func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
    @inlinable package static func < (a: TypeID, b: TypeID) -> Bool { a.rawValue < b.rawValue }
}

/// A type, a kfunc or a variable anywhere: which BTF, which id in it. There is no global namespace of types.
package struct BTFRef: Hashable, Sendable {
    /// Identity of a loaded BTF, given by its owner (the runtime numbers them from 1; 0 is the object being loaded).
    package var btf: UInt32
    package var id: TypeID
    @inlinable package init(btf: UInt32, id: TypeID) {
        self.btf = btf
        self.id = id
    }
}

/// One BTF type. Source: Linux `Documentation/bpf/btf.rst`, section 2.
package enum BTFType: Equatable, Sendable {
    case void
    case int(BTFInt)
    case pointer(to: TypeID)
    case array(BTFArray)
    /// `struct` or `union`.
    case composite(BTFComposite)
    case enumeration(BTFEnum)
    case forward(name: String, isUnion: Bool)
    case typedef(name: String, of: TypeID)
    case volatile(of: TypeID)
    case const(of: TypeID)
    case restrict(of: TypeID)
    case function(BTFFunction)
    case prototype(BTFPrototype)
    case variable(BTFVariable)
    case dataSection(BTFDataSection)
    case float(name: String, byteCount: Int)
    /// `componentIndex` -1: the tag is on the type itself; else on that member or parameter.
    case declTag(name: String, of: TypeID, componentIndex: Int)
    case typeTag(name: String, of: TypeID)
}

package struct BTFInt: Equatable, Sendable {
    package var name: String
    package var byteCount: Int
    package var bitCount: Int
    package var bitOffset: Int
    package var isSigned: Bool
    package var isChar: Bool
    package var isBool: Bool

    package init(
        name: String, byteCount: Int, bitCount: Int, bitOffset: Int = 0, isSigned: Bool = false,
        isChar: Bool = false, isBool: Bool = false
    ) {
        self.name = name
        self.byteCount = byteCount
        self.bitCount = bitCount
        self.bitOffset = bitOffset
        self.isSigned = isSigned
        self.isChar = isChar
        self.isBool = isBool
    }
}

package struct BTFArray: Equatable, Sendable {
    package var element: TypeID
    package var index: TypeID
    package var count: Int

    package init(element: TypeID, index: TypeID, count: Int) {
        self.element = element
        self.index = index
        self.count = count
    }
}

package struct BTFComposite: Equatable, Sendable {
    package var name: String
    package var isUnion: Bool
    package var byteCount: Int
    package var members: [BTFMember]

    package init(name: String, isUnion: Bool, byteCount: Int, members: [BTFMember]) {
        self.name = name
        self.isUnion = isUnion
        self.byteCount = byteCount
        self.members = members
    }
}

package struct BTFMember: Equatable, Sendable {
    /// Empty for an anonymous struct or union.
    package var name: String
    package var type: TypeID
    package var bitOffset: Int
    /// Width of a bit field; 0 for an ordinary member.
    package var bitFieldSize: Int

    package init(name: String, type: TypeID, bitOffset: Int, bitFieldSize: Int = 0) {
        self.name = name
        self.type = type
        self.bitOffset = bitOffset
        self.bitFieldSize = bitFieldSize
    }

    /// Offset of an ordinary member in bytes.
    @inlinable package var byteOffset: Int { bitOffset / 8 }
}

/// ENUM or ENUM64.
package struct BTFEnum: Equatable, Sendable {
    package var name: String
    package var byteCount: Int
    package var isSigned: Bool
    package var is64: Bool
    package var values: [BTFEnumerator]

    package init(name: String, byteCount: Int, isSigned: Bool, is64: Bool, values: [BTFEnumerator]) {
        self.name = name
        self.byteCount = byteCount
        self.isSigned = isSigned
        self.is64 = is64
        self.values = values
    }
}

package struct BTFEnumerator: Equatable, Sendable {
    package var name: String
    /// Two's complement in 64 bits; sign-extended when the enum is signed.
    package var value: UInt64

    package init(name: String, value: UInt64) {
        self.name = name
        self.value = value
    }
}

package struct BTFFunction: Equatable, Sendable {
    package enum Linkage: UInt8, Sendable { case `static` = 0, global, extern }
    package var name: String
    package var prototype: TypeID
    package var linkage: Linkage

    package init(name: String, prototype: TypeID, linkage: Linkage) {
        self.name = name
        self.prototype = prototype
        self.linkage = linkage
    }
}

package struct BTFPrototype: Equatable, Sendable {
    package var result: TypeID
    package var parameters: [BTFParameter]
    package var isVariadic: Bool

    package init(result: TypeID, parameters: [BTFParameter], isVariadic: Bool = false) {
        self.result = result
        self.parameters = parameters
        self.isVariadic = isVariadic
    }
}

package struct BTFParameter: Equatable, Sendable {
    package var name: String
    package var type: TypeID

    package init(name: String, type: TypeID) {
        self.name = name
        self.type = type
    }
}

package struct BTFVariable: Equatable, Sendable {
    package enum Linkage: UInt32, Sendable { case `static` = 0, global, extern }
    package var name: String
    package var type: TypeID
    package var linkage: Linkage

    package init(name: String, type: TypeID, linkage: Linkage) {
        self.name = name
        self.type = type
        self.linkage = linkage
    }
}

package struct BTFDataSection: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var variable: TypeID
        package var offset: Int
        package var byteCount: Int

        package init(variable: TypeID, offset: Int, byteCount: Int) {
            self.variable = variable
            self.offset = offset
            self.byteCount = byteCount
        }
    }
    package var name: String
    package var byteCount: Int
    package var entries: [Entry]

    package init(name: String, byteCount: Int, entries: [Entry]) {
        self.name = name
        self.byteCount = byteCount
        self.entries = entries
    }
}
