/// One registration as `show` lists it: a struct_ops map, and the link it is attached through, if any.
public struct RegistrationInfo: Equatable, Sendable {
    /// The map's id, never reused. An update through a link makes a new map, and so a new id.
    public var id: UInt32
    /// C variable, cut to 15 bytes.
    public var name: String
    /// All of it.
    public var variable: String
    /// `tcp_congestion_ops`.
    public var type: String
    /// The struct's own name member; nil for a type that has none.
    public var opsName: String?
    public var state: StructOpsState
    /// Users: references beyond the open handles, flows of live worlds included.
    public var refs: Int
    public var linkID: UInt32?
    public var objectID: UInt32
    /// Lower-case hex of the object file.
    public var objectSHA256: String
    public var uid: UInt32
    /// Bytes charged for it.
    public var memoryBytes: Int
    public var entryBytes: Int
}

/// One who holds references to a registration.
public struct RegistrationUser: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// The subsystem, by the value being set.
        case registration
        case link(id: UInt32)
        /// A link whose present map is on trial keeps it, to go back to it.
        case fallback(link: UInt32)
        /// A world, as whoever made it calls it, with its connections.
        case world(WorldLabel?, flows: Int)
        /// Open handles and calls under way.
        case other(references: Int)
    }
    public var kind: Kind
    public var uid: UInt32?
}

/// What a world's maker calls it.
public struct WorldLabel: Equatable, Sendable {
    public var id: UInt32
    public var name: String

    public init(id: UInt32, name: String) {
        self.id = id
        self.name = name
    }
}

/// A loaded program. Kernel counterpart: `struct bpf_prog_info`.
public struct ProgramInfo: Equatable, Sendable {
    public var id: UInt32
    /// Cut to 15 bytes.
    public var name: String
    public var fullName: String
    /// 16 hex digits over its instructions, map references left out.
    public var tag: String
    public var section: String
    /// `tcp_congestion_ops`, and the member it was verified for.
    public var type: String?
    public var member: String?
    public var insnCount: Int
    public var jitedBytes: Int
    /// Longest path, in instructions.
    public var bound: UInt64
    /// Instructions the verifier processed.
    public var processed: Int
    public var mapIDs: [UInt32]
    public var btfID: UInt32
    public var objectID: UInt32
    public var uid: UInt32
    /// Seconds since 1970, as the caller of `load` gave them.
    public var loadedAt: UInt64
    public var isGPLCompatible: Bool
}

/// A map of a loaded object, or a struct_ops map. Kernel counterpart: `struct bpf_map_info`.
public struct MapInfo: Equatable, Sendable {
    public var id: UInt32
    /// Cut to 15 bytes.
    public var name: String
    public var fullName: String
    /// Raw value of `enum bpf_map_type`, and its bpftool name.
    public var type: UInt32
    public var typeName: String
    public var keySize: Int
    public var valueSize: Int
    public var maxEntries: Int
    public var flags: UInt32
    public var isFrozen: Bool
    public var memoryBytes: Int
    /// 0 for a struct_ops map that has not been given programs.
    public var objectID: UInt32
    public var uid: UInt32
}

public struct LinkInfo: Equatable, Sendable {
    public var id: UInt32
    /// 0 once detached.
    public var mapID: UInt32
    public var type: String
    public var isDetached: Bool
    /// Set if the subsystem threw it out.
    public var ejection: Ejection?
    public var uid: UInt32
}

public struct ObjectInfo: Equatable, Sendable {
    public var id: UInt32
    public var name: String
    public var sha256: String
    public var profile: String
    public var license: String
    public var programIDs: [UInt32]
    public var mapIDs: [UInt32]
    /// Its struct_ops variables.
    public var structOps: [StructOpsVariable]
    public var uid: UInt32
    public var loadedAt: UInt64
    public var codeBytes: Int

    /// One struct_ops variable of an object file.
    public struct StructOpsVariable: Equatable, Sendable {
        public var name: String
        public var type: String
        /// The struct's own name member.
        public var opsName: String?
        public var isLink: Bool
        /// False in a `?` section: made only when asked for by name.
        public var autocreate: Bool
    }
}

/// A subsystem detached a registration by itself. Kernel counterpart: sched_ext's exit record.
public struct Ejection: Equatable, Sendable {
    /// For programs: `error`, `watchdog`, `unregistered`; the subsystem's word.
    public var kind: String
    public var reason: String
    public var mapID: UInt32
    public var linkID: UInt32?
    public var type: String
    public var name: String
    /// What it had replaced on trial, and is in its place again.
    public var restoredID: UInt32?
    /// What the subsystem's objects looked like, in its own words.
    public var details: String?
}

/// What happened, for the journal: one per state change.
public struct OpsEvent: Sendable {
    public enum Kind: String, Sendable {
        case load, unload, register, update, unregister, eject, refuse
        /// What an ejected map had replaced on trial is in its place again.
        case rollback
        /// A type that a subsystem offers was refused.
        case typeRefused = "type-refused"
    }
    public var kind: Kind
    public var id: UInt32?
    public var name: String?
    public var type: String?
    public var objectSHA256: String?
    public var error: OpsError?
    public var reason: String?
    /// Of an ejection: `Ejection.restoredID` and `details`.
    public var restored: UInt32?
    public var details: String?
}

/// A value printed through BTF, in declaration order.
public indirect enum DumpValue: Equatable, Sendable {
    case int(Int64)
    case uint(UInt64)
    case bool(Bool)
    /// An enumerator's name, a string in a char array, a member's `<prototype> <function>/prog_id:<n>`.
    case string(String)
    case pointer(UInt64)
    case array([DumpValue])
    case structure([(name: String, value: DumpValue)])

    public static func == (a: DumpValue, b: DumpValue) -> Bool {
        switch (a, b) {
        case (.int(let x), .int(let y)): x == y
        case (.uint(let x), .uint(let y)): x == y
        case (.bool(let x), .bool(let y)): x == y
        case (.string(let x), .string(let y)): x == y
        case (.pointer(let x), .pointer(let y)): x == y
        case (.array(let x), .array(let y)): x == y
        case (.structure(let x), .structure(let y)):
            x.count == y.count && zip(x, y).allSatisfy { $0.name == $1.name && $0.value == $1.value }
        default: false
        }
    }
}
