/// A one-element map whose value is `{refcnt, state, data}`, `data` being a struct of function pointers.
///
/// Kernel counterpart: `struct bpf_struct_ops_map`.
public final class StructOpsMap: Sendable {
    public let id: UInt32
    /// C variable it came from, cut to 15 bytes.
    public let name: String
    public let typeName: String

    init(id: UInt32, name: String, typeName: String) {
        self.id = id
        self.name = name
        self.typeName = typeName
    }

    /// The kernel's copy of the struct: C function pointers, NULL where no program is set. Valid while a reference is
    /// held; never moves.
    public var kdata: UnsafeRawPointer? { unsafe nil }

    public var state: StructOpsState { .initial }

    /// Takes a reference unless the last one is gone. Kernel counterpart: `bpf_struct_ops_get`.
    public func get() -> Bool { false }

    /// Drops a reference; the last one frees the map after quiescence, so an op may drop its own.
    public func put() {}

    /// The string in the type's name member; nil for types without one.
    public var opsName: String? { nil }

    /// The target object's id; nil for types that do not attach by target.
    public var targetID: UInt64? { nil }

    /// The subsystem throws it out by itself: its registration ends as if it had been unregistered or its link
    /// detached, and the link's owner is told. May be called from anywhere, also from inside an op or a callback: it is
    /// then done as soon as the control plane is free.
    public func eject(kind: String, reason: String) {}
}
