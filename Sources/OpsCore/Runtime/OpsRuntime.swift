import Synchronization

/// The runtime: subsystems with their types, objects, programs, maps, registrations and links, in one process.
///
/// ```swift
/// let runtime = OpsRuntime()
/// try runtime.add(mySubsystem)
/// let registered = try runtime.register(bytes, name: "my_policy.bpf.o")
/// ```
/// Every method may be called from any thread; those that change registrations run one at a time. Worlds run their ops
/// on threads of their own, without locks (`instantiate`).
public final class OpsRuntime: Sendable {
    public struct Configuration: Sendable {
        /// Bytes of maps, instances and code that one uid may hold.
        public var memoryLimitPerUID: Int
        /// Verified and compiled objects to keep for later loads.
        public var cachedObjectsMax: Int
        /// Of these, how many to keep for loads of other objects with the same programs.
        package var cachedCodesMax: Int { min(cachedObjectsMax, 4) }
        /// Bytes of entry pages that one map may take. Kernel counterpart: `MAX_TRAMP_IMAGE_PAGES`.
        package var entryBytesMax = 8 * 4096
        /// Told about every change of state, on the thread that made it. Must not call the runtime.
        public var onEvent: @Sendable (OpsEvent) -> Void
        /// Told how long each step of a load took, for benchmarks.
        package var onStep: (@Sendable (LoadStep, Duration) -> Void)?

        public init(
            memoryLimitPerUID: Int = 1 << 30, cachedObjectsMax: Int = 32,
            onEvent: @escaping @Sendable (OpsEvent) -> Void = { _ in }
        ) {
            self.memoryLimitPerUID = memoryLimitPerUID
            self.cachedObjectsMax = cachedObjectsMax
            self.onEvent = onEvent
        }
    }

    let core: RuntimeCore

    public init(configuration: Configuration = Configuration()) {
        core = RuntimeCore(configuration: configuration)
    }

    /// Tables and maps refer to each other. Worlds and hosts that still hold a map keep what they use.
    deinit { core.withTables { $0 = RuntimeCore.Tables() } }

    /// Threads that call ops through `StructOpsMap.kdata` join here; worlds do so by themselves.
    public var quiescence: QuiescenceDomain { core.quiescence }

    /// What the `struct module *` member of a C struct holds that the runtime made: generic code tells by it that
    /// references are `StructOpsMap.get` and `put`. Kernel counterpart: `BPF_MODULE_OWNER`.
    public static let ownerMarker: UInt64 = 0xeb9f_0000_0000_0000

    /// Helpers that every program may call, by id.
    public static var baseHelpers: Set<Int32> { HelperTable.base.ids }

    /// Adds a subsystem and registers its types. A type that is refused is reported and takes nothing else down.
    /// - Returns: why each refused type was refused.
    /// - Throws: EEXIST for a subsystem of the same name; EINVAL for BTF that does not parse or a bad kernel profile;
    ///   ENOENT for a kfunc that the BTF does not have.
    @discardableResult
    public func add(_ subsystem: any Subsystem) throws(OpsError) -> [OpsError] {
        try core.attach.run { () throws(OpsError) in
            let name = subsystem.description.name
            guard !core.types.withLock({ $0.subsystems.contains { $0.description.name == name } }) else {
                throw OpsError("exists", errno: OpsError.eexist, "subsystem '\(name)' is registered already")
            }
            var refused: [OpsError] = []
            let registered = try RegisteredSubsystem(
                subsystem, nextBTF: { () throws(OpsError) in try core.ids.next(.btf) },
                report: { refused.append($0) })
            core.types.withLock { $0.append(registered) }
            for error in refused {
                core.report(OpsEvent(kind: .typeRefused, name: name, error: error, reason: error.reason))
            }
            return refused
        }
    }

    /// The struct_ops types that programs can implement, by name, with the subsystem that owns each.
    public func types() -> [(type: String, subsystem: String)] {
        core.types.withLock { table in
            table.subsystems.flatMap { subsystem in
                subsystem.profiles[0].types.map { ($0.name, subsystem.description.name) }
            }
        }
    }

    /// Names of the kernel profiles of the subsystem that owns a type; the first is the default.
    public func profiles(ofType type: String) -> [String] {
        let owner = core.types.withLock { table in
            table.subsystems.first { $0.profiles.contains { $0.types.contains { $0.name == type } } }
        }
        return owner?.profiles.map(\.btf.profile.name) ?? []
    }

    /// No id of a map or registration, or of a link, up to these will be given out: what a service calls before it restores
    /// registrations under their ids.
    public func reserveIDs(upTo id: UInt32, link: UInt32 = 0) {
        core.ids.reserve(.map, upTo: id)
        core.ids.reserve(.link, upTo: link)
    }

    /// The highest id that any map or registration has had; a service keeps it for `reserveIDs`.
    public var latestID: UInt32 { core.ids.latest(.map) }

    /// Bytes charged to a uid.
    public func memoryCharged(to uid: UInt32) -> Int { core.memory.held(by: uid) }

    /// What uids may load and hold from now on. What they hold already stays.
    public func setUsage(_ rules: UsageRules) {
        core.memory.setRules(rules)
        core.usage.withLock { $0 = rules }
    }

    /// Forgets verified code that no loaded object uses.
    public func dropCache() {
        core.cache.removeAll()
        core.codes.removeAll()
    }
}
