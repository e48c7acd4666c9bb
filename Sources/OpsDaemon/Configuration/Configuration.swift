import ControlAPI
import Glibc

/// What an operator can set, with what holds where nothing is said. opsd.yaml(5) explains each key.
struct Configuration: Equatable, Sendable {
    /// Its members may change things, beside root and the daemon's own user.
    var group = "opsd"
    /// A request that takes more of the runtime's CPU time counts as hung.
    var hangTimeoutSeconds = 120
    /// Of each uid but 0 and the daemon's own.
    var limits = Limits()
    /// Of each registration.
    var budgets = RuntimeSettings.Budgets()
    var jobs = Jobs()
    /// Objects without a valid signature are refused.
    var requiresSignature = false
    var trustStore = "/etc/opsd/trusted.d"
    /// Whether calls of ops are counted and timed.
    var statistics = OpStatisticsMode.off
    /// What uids may use, in the order of the files.
    var policy: [PolicyRule] = []

    struct Limits: Equatable, Sendable {
        var objects = 256
        var programs = 4096
        var maps = 4096
        var memoryBytes = 64 << 20
        var simulations = 16
        /// The highest that one may have.
        var priority = 100
        var connections = 64
        var requestsPerSecond = 200
    }
}

extension Configuration {
    /// How simulations are run, and which finished ones are kept.
    struct Jobs: Equatable, Sendable {
        /// That go on at once; as many as there are processors: more would only share them.
        var workers = max(1, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))))
        /// That wait.
        var queue = 4096
        /// How long one may take; nil: as long as it needs.
        var wallTimeSeconds: Int?
        /// Finished ones; the oldest goes first.
        var keep = 128
        var keepSeconds = 24 * 3600
        /// Of all results together.
        var keepBytes = 256 << 20
    }

    private enum Key: String, CaseIterable {
        case group, limits, budgets, jobs, policy, statistics
        case hangTimeout = "hang-timeout"
        case requireSignature = "require-signature"
        case trustStore = "trust-store"
    }

    /// Takes over what a file says: single values replace, rules of the policy are added.
    mutating func apply(_ file: ConfigurationNode) throws(ConfigurationError) {
        for (key, value) in try file.members(Key.self) {
            switch key {
            case .budgets: try budgets.apply(value)
            case .group: group = try value.name()
            case .hangTimeout: hangTimeoutSeconds = try value.seconds(1...86400)
            case .jobs: try jobs.apply(value)
            case .limits: try limits.apply(value)
            case .requireSignature: requiresSignature = try value.boolean()
            case .trustStore: trustStore = try value.absolutePath()
            case .statistics: statistics = try value.choice()
            case .policy:
                for rule in try value.list() { policy.append(try PolicyRule(reading: rule)) }
            }
        }
    }
}

extension Configuration.Limits {
    private enum Key: String, CaseIterable {
        case objects, programs, maps, memory, simulations, priority, connections
        case requestsPerSecond = "requests-per-second"
    }

    mutating func apply(_ node: ConfigurationNode) throws(ConfigurationError) {
        for (key, value) in try node.members(Key.self) {
            switch key {
            case .objects: objects = try value.integer(0...1_000_000)
            case .programs: programs = try value.integer(0...1_000_000)
            case .maps: maps = try value.integer(0...1_000_000)
            case .memory: memoryBytes = try value.size()
            case .simulations: simulations = try value.integer(0...1_000_000)
            case .priority: priority = try value.integer(-1_000_000...1_000_000)
            case .connections: connections = try value.integer(1...4096)
            case .requestsPerSecond: requestsPerSecond = try value.integer(1...1_000_000)
            }
        }
    }
}

extension Configuration.Jobs {
    private enum Key: String, CaseIterable {
        case workers, queue, keep
        case wallTime = "wall-time"
        case keepFor = "keep-for"
        case keepBytes = "keep-bytes"
    }

    mutating func apply(_ node: ConfigurationNode) throws(ConfigurationError) {
        for (key, value) in try node.members(Key.self) {
            switch key {
            case .workers: workers = try value.integer(1...1024)
            case .queue: queue = try value.integer(0...1_000_000)
            case .wallTime: wallTimeSeconds = try value.secondsOrNone(1...31_536_000)
            case .keep: keep = try value.integer(1...100_000)
            case .keepFor: keepSeconds = try value.seconds(1...31_536_000)
            case .keepBytes: keepBytes = try value.size()
            }
        }
    }
}

extension RuntimeSettings.Budgets {
    private enum Key: String, CaseIterable {
        case memory, faults
        case fuelPerCall = "fuel-per-call"
        case fuelPerSecond = "fuel-per-second"
        case instructionsPerCall = "instructions-per-call"
        case instructionsPerSecond = "instructions-per-second"
    }

    mutating func apply(_ node: ConfigurationNode) throws(ConfigurationError) {
        for (key, value) in try node.members(Key.self) {
            switch key {
            case .memory: memoryBytes = try value.size()
            // The verifier's bound counts on no more.
            case .fuelPerCall: fuelPerCall = try value.count(1...(1 << 23))
            case .fuelPerSecond: fuelPerSecond = try value.count(1...(1 << 50))
            case .instructionsPerCall: instructionsPerCall = try value.count(1...(1 << 40))
            case .instructionsPerSecond: instructionsPerSecond = try value.count(1...(1 << 50))
            case .faults: faults = try value.count(1...1_000_000_000)
            }
        }
    }
}

extension PolicyRule {
    private enum Key: String, CaseIterable {
        case user, subsystems, helpers, kfuncs
    }

    init(reading node: ConfigurationNode) throws(ConfigurationError) {
        var uid: UInt32?
        self.init(uid: 0)
        for (key, value) in try node.members(Key.self) {
            switch key {
            case .user: uid = try value.read("the name or the number of a user") { UserDatabase.uid($0) }
            case .subsystems: subsystems = try value.names()
            case .helpers: helpers = try value.names()
            case .kfuncs: kfuncs = try value.names()
            }
        }
        guard let uid else { throw node.refuse("'user' is missing", accepted: "{user: NAME, …}") }
        self.uid = uid
    }
}
