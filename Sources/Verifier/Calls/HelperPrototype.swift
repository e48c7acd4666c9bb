package import BPF

/// What a helper takes and gives. Kernel counterpart: `struct bpf_func_proto`.
package struct HelperPrototype: Sendable {
    package enum Argument: Equatable, Sendable {
        /// Whatever the register holds, as long as it was written.
        case anything
        /// Not looked at: an argument that a format string may or may not name.
        case optional
        case scalar
        case map
        /// Readable key or value of the map in the first argument.
        case mapKey
        case mapValue
        case mapValueOrNull
        /// Room for a value of that map; need not be initialised.
        case mapValueOut
        /// Readable memory whose size is the next argument.
        case memory
        case memoryOrNull
        /// Memory to be written, whose size is the next argument; need not be initialised.
        case memoryOut
        /// Like `memoryOut`, or NULL.
        case memoryOutOrNull
        /// Memory of this many bytes to be read.
        case fixed(Int)
        /// The same, to be written.
        case fixedOut(Int)
        /// The same, to be read and written.
        case fixedInOut(Int)
        /// Size of the memory before: at least 1, or 0 too.
        case size
        case sizeOrZero
        /// A zero-terminated string in a read-only map.
        case constantString
        /// A trusted pointer to an object of one of these structs.
        case object([String])
        /// Like `object`, or NULL.
        case objectOrNull([String])
        /// A referenced object of one of these structs, which the helper takes over.
        case objectReleased([String])
        case spinLock
        /// The program's context.
        case context
        case contextOrNull
        /// The context, or for programs whose context is no such thing an object of one of these structs.
        case contextOr([String])
        /// Any socket, as programs see it or as the kernel has it.
        case socket
        case socketOrNull
        /// A referenced socket, which the helper takes over.
        case socketReleased
        /// Constant size, perhaps 0, of the memory that the result points to.
        case allocationSize
        /// Record of a ring buffer, which the helper takes over.
        case record
        /// Any dynptr that was made.
        case dynptr
        /// Room for a dynptr of this kind, which the helper makes.
        case dynptrOut(DynptrKind)
        /// A dynptr of this kind, which the helper takes over.
        case dynptrReleased(DynptrKind)
        /// The `struct bpf_timer` of a map value.
        case timer
        /// A `__kptr` field of a map value or allocated object.
        case kptrField
        /// A referenced object for the kptr field in the first argument, which the helper takes over; or NULL.
        case kptrValue
        /// Address of a variable that each CPU has a copy of.
        case percpuVariable
        case callback
        /// Pointer to stack or NULL, handed to the callback.
        case callbackContext
    }

    package enum Result: Equatable, Sendable {
        case void
        case scalar
        /// An error, or how many bytes were written: at most the size of the memory that was passed.
        case length
        /// Into a value of the map in the first argument.
        case mapValue
        /// The same, or NULL.
        case mapValueOrNull
        /// A socket, as programs see it, or NULL.
        case viewOrNull(StructViews.ID)
        /// A trusted object of this struct, or NULL.
        case objectOrNull(String)
        case object(String)
        /// As many bytes as the `allocationSize` argument says, or NULL; a ring buffer's record if so.
        case memoryOrNull(isRecord: Bool)
        /// What the kptr field in the first argument held.
        case kptr
        /// One CPU's copy of the variable in the first argument.
        case percpuCopy(maybeNull: Bool)
    }

    package struct Traits: OptionSet, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The result is a reference that the program must release.
        package static let acquires = Traits(rawValue: 1 << 0)
        /// It may wait.
        package static let mightSleep = Traits(rawValue: 1 << 1)
        /// Packet data may lie elsewhere afterwards.
        package static let changesPacket = Traits(rawValue: 1 << 2)
        /// Only for programs under a licence that is compatible with the GPL.
        package static let isForGPLOnly = Traits(rawValue: 1 << 3)
        /// The result is the first argument as something else, and lives as long.
        package static let casts = Traits(rawValue: 1 << 4)
    }

    package let id: Int32
    package let arguments: [Argument]
    package let result: Result
    /// Map types that the first argument may have; nil: it is no map, or any will do.
    package let maps: Set<MapType>?
    package let traits: Traits

    package var name: String { HelperPrototype.name(of: id) }

    /// `bpf_map_lookup_elem`, or `unknown#1234`. Kernel counterpart: `func_id_name`.
    package static func name(of id: Int32) -> String {
        id > 0 && id < HelperNames.all.count ? "bpf_" + HelperNames.all[Int(id)] : "unknown#\(id)"
    }

    package static func exists(_ id: Int32) -> Bool { id > 0 && id < HelperNames.all.count }

    /// The id of a helper by its name with or without `bpf_`.
    package static func id(named name: String) -> Int32? {
        let bare = name.hasPrefix("bpf_") ? String(name.dropFirst(4)) : name
        return HelperNames.all.firstIndex(of: bare).flatMap { $0 > 0 ? Int32($0) : nil }
    }

    /// Whether it turns a callback, and so draws on fuel.
    static func isLoop(_ id: Int32) -> Bool { loops.contains(id) }
    private static let loops = Set(
        ["loop", "for_each_map_elem", "find_vma", "user_ringbuf_drain"].compactMap { id(named: $0) })

    /// Every helper, by id.
    package static let known: [Int32: HelperPrototype] = {
        var table: [Int32: HelperPrototype] = [:]
        for entry in generic + resources + packets + sockets + tracing { table[entry.id] = entry }
        return table
    }()

    static func entry(
        _ name: String, _ arguments: [Argument], _ result: Result = .scalar, maps: Set<MapType>? = nil,
        _ traits: Traits = []
    ) -> HelperPrototype {
        HelperPrototype(
            id: listedID(named: name), arguments: arguments, result: result, maps: maps, traits: traits)
    }

    /// The id of a helper that one of our own tables names.
    static func listedID(named name: String) -> Int32 {
        guard let id = id(named: name) else { preconditionFailure("no helper \(name)") }
        return id
    }
}
