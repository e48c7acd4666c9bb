/// The attachment of a READY map, which can be moved to another map of the same type.
///
/// Kernel counterpart: `struct bpf_struct_ops_link`.
public final class StructOpsLink: Sendable {
    public let id: UInt32

    init(id: UInt32) { self.id = id }

    /// Kernel counterpart: EPOLLHUP on the link's descriptor.
    public var isDetached: Bool { true }
}
