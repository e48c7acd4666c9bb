/// What a load depends on beside the object's bytes.
public struct LoadOptions: Sendable {
    /// nil: the subsystem's default.
    public var profile: String?
    /// Over the profile's values.
    public var kconfig: [String: String]
    /// Initial values of global variables, by name, in place of the object's; `.rodata` ones are constants for the
    /// verifier.
    public var globals: [String: [UInt8]]
    /// Only these struct_ops variables and the programs they name; nil: all that are not in a `?` section.
    public var maps: [String]?
    /// A program that is refused refuses only the maps that name it.
    public var keepGoing: Bool
    /// Who pays for the memory.
    public var uid: UInt32
    /// Seconds since 1970, for `ProgramInfo`.
    public var loadedAt: UInt64
    /// Asked now and then while programs are verified; true ends the load with ECANCELED.
    public var isCancelled: (@Sendable () -> Bool)?

    public init(
        profile: String? = nil, kconfig: [String: String] = [:], globals: [String: [UInt8]] = [:],
        maps: [String]? = nil, keepGoing: Bool = false, uid: UInt32 = 0, loadedAt: UInt64 = 0,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) {
        self.profile = profile
        self.kconfig = kconfig
        self.globals = globals
        self.maps = maps
        self.keepGoing = keepGoing
        self.uid = uid
        self.loadedAt = loadedAt
        self.isCancelled = isCancelled
    }

    /// What decides the code: nobody's load, and none that can be cancelled.
    var kept: LoadOptions {
        LoadOptions(profile: profile, kconfig: kconfig, globals: globals, maps: maps, keepGoing: keepGoing)
    }
}

/// The ids that a registration had, and gets again when it is restored.
public struct RestoredIDs: Equatable, Sendable {
    public var map: UInt32
    /// nil: it had no link, or the next id will do.
    public var link: UInt32?

    public init(map: UInt32, link: UInt32? = nil) {
        self.map = map
        self.link = link
    }
}

/// Selects a registration: `id N | name S`.
public enum RegistrationSelector: Equatable, Sendable {
    case id(UInt32)
    /// The C variable, cut to 15 bytes.
    case name(String)
}
