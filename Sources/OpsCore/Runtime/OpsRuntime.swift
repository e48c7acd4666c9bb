/// The runtime: subsystems with their types, objects, programs, maps, registrations and links, in one process.
///
/// ```swift
/// let runtime = OpsRuntime()
/// try runtime.add(mySubsystem)
/// let object = try runtime.load(bytes, name: "my_policy.bpf.o")
/// let registered = try runtime.register(object: object.id)
/// ```
/// Every method may be called from any thread; those that change registrations run one at a time. Worlds run their ops
/// on threads of their own, without locks (`instantiate`).
public final class OpsRuntime: Sendable {
    public struct Configuration: Sendable {
        /// Bytes of maps, instances and code that one uid may hold.
        public var memoryLimitPerUID: Int
        /// Verified and compiled objects to keep for later loads.
        public var cachedObjectsMax: Int
        /// Told about every change of state, on the thread that made it. Must not call the runtime.
        public var onEvent: @Sendable (OpsEvent) -> Void

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

    /// Threads that call ops through `StructOpsMap.kdata` join here; worlds do so by themselves.
    public var quiescence: QuiescenceDomain { core.quiescence }

    /// What the `struct module *` member of a C struct holds that the runtime made: generic code tells by it that
    /// references are `StructOpsMap.get` and `put`. Kernel counterpart: `BPF_MODULE_OWNER`.
    public static let ownerMarker: UInt64 = 0xeb9f_0000_0000_0000

    // MARK: Subsystems

    /// Adds a subsystem and registers its types. A type that is refused is logged and takes nothing else down.
    /// - Returns: why each refused type was refused.
    /// - Throws: EINVAL for BTF that does not parse; EEXIST for a subsystem of the same name.
    @discardableResult
    public func add(_ subsystem: any Subsystem) throws(OpsError) -> [OpsError] {
        throw .notBuiltYet("add")
    }

    // MARK: Objects

    /// The struct_ops variables of an object, without loading anything.
    public func inspect(_ bytes: [UInt8], name: String) throws(OpsError) -> [ObjectInfo.StructOpsVariable] {
        throw .notBuiltYet("inspect")
    }

    /// Parses, links, verifies and compiles; makes the object's maps. The caller holds one handle on it: see
    /// `close(object:)`.
    public func load(
        _ bytes: [UInt8], name: String, options: LoadOptions = LoadOptions()
    ) throws(OpsError) -> ObjectInfo {
        throw .notBuiltYet("load")
    }

    /// Drops the handle that `load` gave. Registrations keep what they need.
    public func close(object id: UInt32) throws(OpsError) { throw .notBuiltYet("close") }

    /// Judges every program of an object on its own. Nothing is loaded.
    public func check(
        _ bytes: [UInt8], name: String, options: CheckOptions = CheckOptions()
    ) throws(OpsError) -> [CheckedProgram] {
        throw .notBuiltYet("check")
    }

    // MARK: Registrations

    /// Registers struct_ops variables of a loaded object (nil: all it was loaded with), all or nothing.
    /// - Parameter ids: ids to give the maps, by variable, when a registration is restored.
    public func register(
        object id: UInt32, maps: [String]? = nil, ids: [String: UInt32] = [:]
    ) throws(OpsError) -> [RegistrationInfo] {
        throw .notBuiltYet("register")
    }

    /// As `register`, but keeps what succeeded and says why the rest failed.
    public func registerKeepingGoing(
        object id: UInt32, maps: [String]? = nil
    ) throws(OpsError) -> (registered: [RegistrationInfo], failed: [OpsError]) {
        throw .notBuiltYet("registerKeepingGoing")
    }

    /// Ends a registration of either kind: deletes the element, or detaches the link and lets it go.
    /// - Returns: as it was before.
    /// - Throws: ENOENT; EINVAL for a name that matches several, with their ids; EINPROGRESS if already TOBEFREE.
    @discardableResult
    public func unregister(_ selector: RegistrationSelector) throws(OpsError) -> RegistrationInfo {
        throw .notBuiltYet("unregister")
    }

    /// Moves a registration's link to a map of another object.
    /// - Parameter map: the variable; nil if the object has one of the type.
    /// - Parameter expected: id that the current map must have, else EPERM.
    /// - Throws: EINVAL for a registration without link; what struct_ops.md §1.8 says about link update.
    public func update(
        _ selector: RegistrationSelector, object id: UInt32, map: String? = nil, expected: UInt32? = nil
    ) throws(OpsError) -> RegistrationInfo {
        throw .notBuiltYet("update")
    }

    /// All registrations by ascending id, or those selected (a name may match several).
    /// - Throws: ENOENT if a selector finds nothing.
    public func registrations(_ selector: RegistrationSelector? = nil) throws(OpsError) -> [RegistrationInfo]
    {
        throw .notBuiltYet("registrations")
    }

    /// Values printed through BTF: `bpf_struct_ops_<type>` as one structure each.
    public func dump(
        _ selector: RegistrationSelector? = nil
    ) throws(OpsError) -> [(registration: RegistrationInfo, value: DumpValue)] {
        throw .notBuiltYet("dump")
    }

    // MARK: Worlds

    /// Gives a world its own copy of the objects behind these maps, and per map a C struct with entries of that copy.
    /// - Parameters:
    ///   - world: what kfuncs and helpers of the subsystem find in the block; may be nil.
    ///   - cpus: at least 1.
    ///   - uid: who pays.
    public func instantiate(
        _ mapIDs: [UInt32], world: UnsafeMutableRawPointer?, cpus: Int = 1, uid: UInt32 = 0
    ) throws(OpsError) -> WorldInstance {
        throw .notBuiltYet("instantiate")
    }

    // MARK: Lists

    public func objects() -> [ObjectInfo] { [] }
    public func programs() -> [ProgramInfo] { [] }
    public func maps() -> [MapInfo] { [] }
    public func links() -> [LinkInfo] { [] }
    /// The latest ejections, oldest first, at most 64.
    public func ejections() -> [Ejection] { [] }
    /// Bytes charged to a uid.
    public func memoryCharged(to uid: UInt32) -> Int { 0 }

    /// No id up to this one will be given out: what a service calls before it restores registrations under their ids.
    public func reserveIDs(upTo id: UInt32) {}
}

extension OpsError {
    /// What is not built here says so.
    static func notBuiltYet(_ what: String) -> OpsError {
        OpsError("unsupported", errno: eopnotsupp, "\(what) is not built yet")
    }
}
