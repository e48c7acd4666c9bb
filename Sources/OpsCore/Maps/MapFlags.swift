/// `map_flags` of a map's creation. Kernel counterpart: `BPF_F_*` of `BPF_MAP_CREATE`, same bits.
package struct MapFlags: OptionSet, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noPrealloc = MapFlags(rawValue: 1 << 0)
    package static let noCommonLRU = MapFlags(rawValue: 1 << 1)
    package static let numaNode = MapFlags(rawValue: 1 << 2)
    /// User space may only read.
    package static let readOnly = MapFlags(rawValue: 1 << 3)
    /// User space may only write.
    package static let writeOnly = MapFlags(rawValue: 1 << 4)
    package static let zeroSeed = MapFlags(rawValue: 1 << 6)
    /// Programs may only read.
    package static let readOnlyProgram = MapFlags(rawValue: 1 << 7)
    /// Programs may only write.
    package static let writeOnlyProgram = MapFlags(rawValue: 1 << 8)
    package static let clone = MapFlags(rawValue: 1 << 9)
    package static let mmapable = MapFlags(rawValue: 1 << 10)
    package static let preserveElements = MapFlags(rawValue: 1 << 11)
    package static let innerMap = MapFlags(rawValue: 1 << 12)

    package static let access: MapFlags = [.readOnly, .writeOnly, .readOnlyProgram, .writeOnlyProgram]
}

/// `flags` of an update. Kernel counterpart: `BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST`, `BPF_F_LOCK`.
package enum UpdateFlag {
    package static let any: UInt64 = 0
    package static let noExist: UInt64 = 1
    package static let exist: UInt64 = 2
    /// Copy the value while holding its spin lock; only for values that contain one.
    package static let lock: UInt64 = 4
}
