/// Host code that owns struct_ops types and calls them. Kernel counterpart: `struct bpf_struct_ops` and the module
/// that registers it.
///
/// Control-plane calls come from any thread, one at a time over the whole runtime, and must not call back into
/// `OpsRuntime` methods that change registrations (EBUSY); `StructOpsMap.get`, `put` and `eject` are allowed anywhere.
/// Every method but `description` has a default, so that a small host implements only what it needs.
public protocol Subsystem: AnyObject, Sendable {
    /// Read once, when the subsystem is added to a runtime.
    var description: SubsystemDescription { get }

    /// What its kfuncs and helpers find as `world` when ops run through `StructOpsMap.kdata` rather than in a world. It must
    /// outlive the runtime.
    var primeWorld: UnsafeMutableRawPointer? { get }

    /// Last step of a type's registration (the kernel's `init`); an error refuses the type.
    func prepare(type: String) throws(OpsError)

    /// Takes one member of a value, before the default rule sees it. An error refuses the value.
    func initMember(_ member: StructOpsMember) throws(OpsError) -> StructOpsMember.Treatment

    /// Judges a complete value, after the type's `required` members have been found set.
    func validate(_ map: StructOpsMap) throws(OpsError)

    /// Starts to use a map. From its return on, the subsystem may call the members of `map.kdata`, NULL ones excepted.
    func register(_ map: StructOpsMap, link: StructOpsLink?) throws(OpsError)

    /// Stops to use it for new work. Users that hold a reference (`StructOpsMap.get`) may go on until they `put`.
    func unregister(_ map: StructOpsMap, link: StructOpsLink?)

    /// Replaces `old` by `new` at once, or throws and keeps `old`. Called only for types that say `supportsUpdate`.
    func update(from old: StructOpsMap, to new: StructOpsMap, link: StructOpsLink) throws(OpsError)
}

extension Subsystem {
    public var primeWorld: UnsafeMutableRawPointer? { nil }
    public func prepare(type: String) throws(OpsError) {}
    public func initMember(_ member: StructOpsMember) throws(OpsError) -> StructOpsMember.Treatment {
        .standard
    }
    public func validate(_ map: StructOpsMap) throws(OpsError) {}
    public func unregister(_ map: StructOpsMap, link: StructOpsLink?) {}
    public func update(from old: StructOpsMap, to new: StructOpsMap, link: StructOpsLink) throws(OpsError) {
        throw OpsError("unsupported", errno: OpsError.eopnotsupp, "\(new.typeName) has no update")
    }
}

/// What a subsystem brings along.
public struct SubsystemDescription: Sendable {
    /// Shown as the owner of its types: `netsim`.
    public var name: String
    /// BTF of its structs, value structs, stubs and kfuncs, as bytes. Its types are (this BTF, id) pairs: another
    /// subsystem may use the same names.
    public var btf: [UInt8]
    public var types: [StructOpsType]
    public var kfuncs: [Kfunc]
    public var helpers: [HelperImplementation]
    /// The first is the default.
    public var profiles: [KernelProfile]

    public init(
        name: String, btf: [UInt8], types: [StructOpsType], kfuncs: [Kfunc] = [],
        helpers: [HelperImplementation] = [], profiles: [KernelProfile] = [.linux6_12]
    ) {
        self.name = name
        self.btf = btf
        self.types = types
        self.kfuncs = kfuncs
        self.helpers = helpers
        self.profiles = profiles
    }
}

/// One member of a value that is being set.
public struct StructOpsMember: Sendable {
    /// How a member was dealt with.
    public enum Treatment: Equatable, Sendable {
        /// The default: function pointers are made from programs, data is judged by the type's `fields`, and what those
        /// do not name must be zero.
        case standard
        /// These bytes, as many as the member has, stand in the C struct.
        case handled([UInt8])
    }

    public var type: String
    public var name: String
    /// In the struct.
    public var byteOffset: Int
    /// The member's own bytes, as the user gave them.
    public var udata: [UInt8]
}
