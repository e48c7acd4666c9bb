public import CShim
import Synchronization

/// The registrations that one world uses, each with the world's own data and its own C struct of entries.
///
/// Maps of one object share one private copy of the object's data (its *instance*). Used by the world's thread alone;
/// only the flow counts are read by others.
public final class WorldInstance: @unchecked Sendable {  // Confined to the world's thread; see above.
    /// One registration as this world calls it.
    @safe public final class Ops: @unchecked Sendable {  // Confined like its world, but for `flows`.
        public let mapID: UInt32
        /// The C struct (`tcp_congestion_ops`), whose function members are this instance's entries or NULL. Valid until
        /// the world closes.
        public let kdata: UnsafeRawPointer
        /// Head of the instance's data: clocks, CPU, random state, the subsystem's pointer.
        public let block: UnsafeMutablePointer<ops_block>
        let flows = Atomic<Int>(0)

        init(mapID: UInt32, kdata: UnsafeRawPointer, block: UnsafeMutablePointer<ops_block>) {
            self.mapID = mapID
            unsafe self.kdata = kdata
            unsafe self.block = block
        }

        /// One more flow uses it. Plain load and store: only the world's thread writes.
        public func get() { flows.store(flows.load(ordering: .relaxed) + 1, ordering: .relaxed) }
        public func put() { flows.store(flows.load(ordering: .relaxed) - 1, ordering: .relaxed) }
        public var flowCount: Int { flows.load(ordering: .relaxed) }
    }

    /// In the order in which they were added.
    public private(set) var ops: [Ops] = []

    init() {}

    public func ops(of mapID: UInt32) -> Ops? { ops.first { $0.mapID == mapID } }

    /// Takes one more registration in, as a live world does when it follows an update.
    /// - Throws: ENOENT for an unknown id, EBUSY for one that is going away, ENOMEM.
    public func add(_ mapID: UInt32) throws(OpsError) -> Ops {
        throw OpsError.notBuiltYet("WorldInstance.add")
    }

    /// Between events, at call depth 0: see `QuiescenceDomain`.
    public func announce() {}

    /// Drops every reference. No op of it may be called again.
    public func close() {}
}
