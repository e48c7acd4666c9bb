import Synchronization
import Verifier

/// What the parts of one runtime share: the tables of everything that has an id, and the services around them.
///
/// The table lock is held for look-ups only, never while a subsystem or a program runs; what changes registrations is
/// serialised by `attach`.
final class RuntimeCore: Sendable {
    let configuration: OpsRuntime.Configuration
    let quiescence = QuiescenceDomain()
    let attach = AttachLock()
    let memory: MemoryAccounts
    let usage = Mutex(UsageRules())
    let types = Mutex(TypeTable())
    let ids = IDSource()
    let cache: ObjectCache
    let codes: CodeCache
    let records = RecordHub()
    /// The programs of the object that was looked at last: whoever looks at one looks at the next.
    private let looked = Mutex(Looked())
    private let tables = Mutex(Tables())

    init(configuration: OpsRuntime.Configuration) {
        self.configuration = configuration
        memory = MemoryAccounts(limit: configuration.memoryLimitPerUID)
        cache = ObjectCache(countMax: configuration.cachedObjectsMax)
        codes = CodeCache(countMax: configuration.cachedCodesMax)
    }

    /// Everything alive, by id. What has been freed is not here.
    struct Tables: Sendable {
        var objects: [UInt32: LoadedObject] = [:]
        /// Of the objects, by uid.
        var holdings: [UInt32: Holdings] = [:]
        var programs: [UInt32: LoadedProgram] = [:]
        /// Maps of objects, other than struct_ops maps.
        var dataMaps: [UInt32: DataMap] = [:]
        var structOps: [UInt32: StructOpsMap] = [:]
        var links: [UInt32: StructOpsLink] = [:]
        /// What live worlds use, by map.
        var worldOps: [UInt32: [WorldInstance.Ops]] = [:]
        var ejections: [Ejection] = []
    }
    static let ejectionCountMax = 64

    func withTables<Result: Sendable, Failure>(
        _ body: (inout Tables) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try tables.withLock { tables throws(Failure) in try body(&tables) }
    }

    func map(_ id: UInt32) -> StructOpsMap? { withTables { $0.structOps[id] } }
    func link(_ id: UInt32) -> StructOpsLink? { withTables { $0.links[id] } }
    func program(_ id: UInt32) -> LoadedProgram? { withTables { $0.programs[id] } }

    private struct Looked: Sendable {
        weak var object: PreparedObject?
        var programs: [VerifiedProgram] = []
    }

    /// By index in `object.programs`.
    func verified(_ object: PreparedObject) throws(OpsError) -> [VerifiedProgram] {
        let known = looked.withLock { $0.object === object ? $0.programs : nil }
        if let known { return known }
        let preparation = Preparation(
            core: self, bytes: object.image, name: object.name, options: object.options)
        let programs = try preparation.verified()
        looked.withLock { $0 = Looked(object: object, programs: programs) }
        return programs
    }

    func report(_ event: OpsEvent) { configuration.onEvent(event) }
}

/// Ids from 1, never given twice in the life of a runtime.
final class IDSource: Sendable {
    enum Kind: Int, CaseIterable { case btf, object, program, map, link }
    private let last = Mutex([UInt32](repeating: 0, count: Kind.allCases.count))

    /// - Throws: ENOSPC when all 2^32 have been used.
    func next(_ kind: Kind) throws(OpsError) -> UInt32 {
        try last.withLock { last throws(OpsError) in
            guard last[kind.rawValue] < UInt32.max else {
                throw OpsError("memory", errno: OpsError.enospc, "no \(kind) id is left")
            }
            last[kind.rawValue] += 1
            return last[kind.rawValue]
        }
    }

    /// No id up to this one will be given out by `next`.
    func reserve(_ kind: Kind, upTo id: UInt32) {
        last.withLock { $0[kind.rawValue] = max($0[kind.rawValue], id) }
    }

    func latest(_ kind: Kind) -> UInt32 { last.withLock { $0[kind.rawValue] } }
}
