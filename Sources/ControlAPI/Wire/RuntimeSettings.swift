/// What the broker tells the runtime of its configuration: at the runtime's start, before anything is restored, and
/// whenever it changes.
package struct RuntimeSettings: Codable, Equatable, Sendable {
    /// What each uid may hold in the runtime.
    package struct Limits: Codable, Equatable, Sendable {
        package var objects: Int
        package var programs: Int
        package var maps: Int
        package var memoryBytes: Int

        package init(objects: Int, programs: Int, maps: Int, memoryBytes: Int) {
            self.objects = objects
            self.programs = programs
            self.maps = maps
            self.memoryBytes = memoryBytes
        }
    }
    /// What one registration may take.
    package struct Budgets: Codable, Equatable, Sendable {
        /// Of its object with code, and of each simulation's copy of the data.
        package var memoryBytes = 256 << 20
        /// Turns of fuelled loops, of one call and of one simulated second.
        package var fuelPerCall: UInt64 = 1 << 23
        package var fuelPerSecond: UInt64 = 1 << 32
        /// Of the longest path of one call; of what calls of one simulated second can have taken.
        package var instructionsPerCall: UInt64 = 1 << 40
        package var instructionsPerSecond: UInt64 = 1 << 38
        /// Calls of one run that ran out of fuel.
        package var faults: UInt64 = 16

        package init() {}
    }

    package var limits: Limits
    package var budgets: Budgets
    /// Uids without limits.
    package var unlimited: Set<UInt32>
    package var policy: [PolicyRule]
    /// For simulations that begin from now on.
    package var statistics: OpStatisticsMode
    /// No ids of registrations and links up to these are given out, whether or not there is anything to restore.
    package var lastID: UInt32
    package var lastLinkID: UInt32

    package init(
        limits: Limits, budgets: Budgets = Budgets(), unlimited: Set<UInt32>, policy: [PolicyRule],
        statistics: OpStatisticsMode, lastID: UInt32, lastLinkID: UInt32
    ) {
        self.lastID = lastID
        self.lastLinkID = lastLinkID
        self.statistics = statistics
        self.limits = limits
        self.budgets = budgets
        self.unlimited = unlimited
        self.policy = policy
    }
}

/// What objects of one uid may use. Several rules for one uid add up; a uid without a rule may use everything.
package struct PolicyRule: Codable, Equatable, Sendable {
    package var uid: UInt32
    /// By name, such as `tcp_congestion_ops`; nil: all.
    package var subsystems: Set<String>?
    /// By name, such as `bpf_ktime_get_ns`; nil: all.
    package var helpers: Set<String>?
    package var kfuncs: Set<String>?

    package init(
        uid: UInt32, subsystems: Set<String>? = nil, helpers: Set<String>? = nil, kfuncs: Set<String>? = nil
    ) {
        self.uid = uid
        self.subsystems = subsystems
        self.helpers = helpers
        self.kfuncs = kfuncs
    }
}
