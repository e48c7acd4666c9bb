/// A map as the object defines it.
package struct MapSpec: Sendable {
    package enum Origin: Equatable, Sendable {
        /// A variable of `.maps`.
        case definition
        /// A data section: one value, global variables inside.
        case data(section: String)
        /// Made for `__kconfig` externs; contents come with the kernel's configuration.
        case kconfig
    }

    package enum Pinning: UInt32, Sendable { case none = 0, byName = 1 }

    /// As libbpf names it: the variable, or object prefix + section (`cubic.rodata`).
    package var name: String
    package var origin: Origin
    package var type: MapType
    package var keySize: Int = 0
    package var valueSize: Int = 0
    package var maxEntries: Int = 0
    package var flags: UInt32 = 0
    package var keyType: TypeID?
    package var valueType: TypeID?
    package var pinning: Pinning = .none
    /// First contents of a data section; nil means zeros.
    package var contents: [UInt8]?
    /// Global variables in a data section, ascending by offset.
    package var variables: [VariableSpec] = []
    /// Of a map of maps, the template of the maps in it; else empty. (An array, since a struct cannot hold itself.)
    package var inner: [MapSpec] = []
    /// Why it cannot be made here: "inner maps are not built here". Reaching an instruction that uses it is an error.
    package var unsupported: String?

    /// Programs may not write it.
    package var isReadOnly: Bool { flags & MapFlags.readOnlyForPrograms != 0 }

    init(name: String, origin: Origin, type: MapType) {
        self.name = name
        self.origin = origin
        self.type = type
    }
}

/// One variable of a data section or `.kconfig`.
package struct VariableSpec: Equatable, Sendable {
    package var name: String
    package var type: TypeID
    package var offset: Int
    package var byteCount: Int
    package var isGlobal: Bool
}

/// UAPI `BPF_F_*` of map creation that the loader itself uses.
package enum MapFlags {
    package static let readOnlyForPrograms: UInt32 = 1 << 7
    package static let mmapable: UInt32 = 1 << 10
}
