import BPF
import Verifier

/// What each uid may load and hold in a runtime. Kernel counterpart: rlimits and memory cgroups, and the grants of a BPF
/// token.
public struct UsageRules: Equatable, Sendable {
    /// What a uid may hold at a time.
    public struct Limits: Equatable, Sendable {
        public var objects: Int
        public var programs: Int
        public var maps: Int
        public var memoryBytes: Int

        public init(objects: Int, programs: Int, maps: Int, memoryBytes: Int) {
            self.objects = objects
            self.programs = programs
            self.maps = maps
            self.memoryBytes = memoryBytes
        }
    }

    /// What the objects of a uid may use, by name (`tcp_congestion_ops`, `bpf_ktime_get_ns`, `bbr_init`); nil:
    /// everything.
    public struct Grant: Equatable, Sendable {
        public var subsystems: Set<String>?
        public var helpers: Set<String>?
        public var kfuncs: Set<String>?

        public init(subsystems: Set<String>?, helpers: Set<String>?, kfuncs: Set<String>?) {
            self.subsystems = subsystems
            self.helpers = helpers
            self.kfuncs = kfuncs
        }

        /// What either allows.
        public func adding(_ other: Grant) -> Grant {
            func union(_ first: Set<String>?, _ second: Set<String>?) -> Set<String>? {
                guard let first, let second else { return nil }
                return first.union(second)
            }
            return Grant(
                subsystems: union(subsystems, other.subsystems), helpers: union(helpers, other.helpers),
                kfuncs: union(kfuncs, other.kfuncs))
        }
    }

    /// What one registration may take, whoever owns it.
    public struct Budget: Equatable, Sendable {
        /// Of its object, with maps and code; and of each world's copy of the data.
        public var memoryBytes = 1 << 30
        /// Turns of fuelled loops in one call.
        public var fuelPerCall: UInt64 = 1 << 23
        /// The longest path of one call, those turns included.
        public var instructionsPerCall: UInt64 = 1 << 40

        public init() {}
    }

    public var budget = Budget()
    /// nil: none but the runtime's own.
    public var limits: Limits?
    /// Uids without limits.
    public var unlimited: Set<UInt32>
    /// A uid that is not here may use everything.
    public var grants: [UInt32: Grant]

    public init(
        budget: Budget = Budget(), limits: Limits? = nil, unlimited: Set<UInt32> = [],
        grants: [UInt32: Grant] = [:]
    ) {
        self.budget = budget
        self.limits = limits
        self.unlimited = unlimited
        self.grants = grants
    }

    func limits(of uid: UInt32) -> Limits? { unlimited.contains(uid) ? nil : limits }
}

/// How much of what is counted a uid holds.
struct Holdings: Equatable, Sendable {
    var objects = 0
    var programs = 0
    var maps = 0

    static func + (a: Holdings, b: Holdings) -> Holdings {
        Holdings(objects: a.objects + b.objects, programs: a.programs + b.programs, maps: a.maps + b.maps)
    }

    static func - (a: Holdings, b: Holdings) -> Holdings {
        Holdings(objects: a.objects - b.objects, programs: a.programs - b.programs, maps: a.maps - b.maps)
    }

    /// - Throws: EDQUOT for the first limit that is exceeded.
    func check(_ limits: UsageRules.Limits, of uid: UInt32) throws(OpsError) {
        let all = [
            ("objects", objects, limits.objects), ("programs", programs, limits.programs),
            ("maps", maps, limits.maps),
        ]
        for (what, count, limit) in all where count > limit {
            throw OpsError(
                "limit", errno: OpsError.edquot, "uid \(uid) would hold \(count) \(what)",
                reason: "it may hold \(limit)", suggestion: "unregister what is not needed")
        }
    }
}

extension PreparedObject {
    var holdings: Holdings { Holdings(objects: 1, programs: programs.count, maps: maps.count) }

    /// - Throws: E2BIG for a program whose calls may take more instructions than the budget has.
    func check(_ budget: UsageRules.Budget) throws(OpsError) {
        for program in programs {
            let bound = program.cost.instructions(turns: budget.fuelPerCall)
            guard bound > budget.instructionsPerCall else { continue }
            throw OpsError(
                "budget", errno: OpsError.e2big, "one call may take \(bound) instructions",
                at: OpsError.Location(object: name, program: program.name),
                reason: "the budget of a registration is \(budget.instructionsPerCall)",
                suggestion: "make the bodies of loops shorter, or their turns fewer")
        }
    }

    /// - Throws: EPERM for what the grant does not allow: a subsystem, or a helper or kfunc that a program calls on any
    ///   path, with the program's name.
    func check(_ grant: UsageRules.Grant, uid: UInt32) throws(OpsError) {
        func check(
            _ kind: String, _ used: some Sequence<String>, _ allowed: Set<String>?, _ program: String? = nil
        ) throws(OpsError) {
            guard let allowed, let name = used.filter({ !allowed.contains($0) }).min() else { return }
            let list = allowed.isEmpty ? "none" : allowed.sorted().joined(separator: ", ")
            throw OpsError(
                "permission", errno: OpsError.eperm, "\(kind) \(name) is not allowed to uid \(uid)",
                at: OpsError.Location(object: self.name, program: program),
                reason: "the policy allows it: \(list)")
        }
        try check("subsystem", structOps.map(\.type.name), grant.subsystems)
        for program in programs {
            let uses = program.uses
            try check("helper", uses.helpers.map(HelperPrototype.name), grant.helpers, program.name)
            try check("kfunc", uses.kfuncs, grant.kfuncs, program.name)
        }
    }
}
