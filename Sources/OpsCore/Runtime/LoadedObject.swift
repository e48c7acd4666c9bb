import CShim
import JIT
import Synchronization
import Verifier

/// An object that a caller has loaded: its programs and maps have ids, and its own instance of the data exists.
///
/// References: one for the handle that `load` gave, one for each member of each struct_ops map that runs a program of it,
/// one for each world that has an instance of it. The last one frees it after quiescence.
final class LoadedObject: Sendable {
    let id: UInt32
    let prepared: PreparedObject
    let uid: UInt32
    let loadedAt: UInt64
    /// By index in `prepared.programs`, and in `prepared.maps`.
    let programIDs: [UInt32]
    let mapIDs: [UInt32]
    /// The copy of the data that `kdata` of its struct_ops maps works on, and that `map show` shows.
    let prime: PrimeInstance
    private let core: RuntimeCore
    private let references = ReferenceCount()
    private let hasHandle = Atomic<Bool>(true)
    private let chargedBytes: Int

    init(
        id: UInt32, prepared: PreparedObject, uid: UInt32, loadedAt: UInt64, programIDs: [UInt32],
        mapIDs: [UInt32], prime: PrimeInstance, chargedBytes: Int, core: RuntimeCore
    ) {
        self.id = id
        self.prepared = prepared
        self.uid = uid
        self.loadedAt = loadedAt
        self.programIDs = programIDs
        self.mapIDs = mapIDs
        self.prime = prime
        self.chargedBytes = chargedBytes
        self.core = core
    }

    var primeBlock: UnsafeMutablePointer<ops_block> { unsafe prime.block }

    func get() -> Bool { references.get() }

    func put() {
        guard references.put() else { return }
        core.withTables { tables in
            tables.objects[id] = nil
            let left = tables.holdings[uid, default: Holdings()] - prepared.holdings
            tables.holdings[uid] = left == Holdings() ? nil : left
            for id in programIDs { tables.programs[id] = nil }
            for id in mapIDs { tables.dataMaps[id] = nil }
        }
        core.quiescence.retire { [self] in
            core.memory.refund(chargedBytes, to: uid)
            prime.destroy()
        }
    }

    /// Drops the handle; false if it was dropped before.
    func close() -> Bool {
        guard hasHandle.exchange(false, ordering: .acquiringAndReleasing) else { return false }
        put()
        return true
    }

    var isOpen: Bool { hasHandle.load(ordering: .relaxed) }
}

/// A loaded program. Kernel counterpart: `struct bpf_prog`.
final class LoadedProgram: Sendable {
    let id: UInt32
    let object: LoadedObject
    /// In the object.
    let index: Int

    init(id: UInt32, object: LoadedObject, index: Int) {
        self.id = id
        self.object = object
        self.index = index
    }

    var prepared: PreparedProgram { object.prepared.programs[index] }
    var name: String { prepared.name.cut(toBytes: 15) }
    var attachment: ProgramAttachment { prepared.attachment }
    /// `tcp_congestion_ops.ssthresh`.
    var contextName: String { prepared.contextName }
}

/// A map of a loaded object.
struct DataMap: Sendable {
    var id: UInt32
    var object: LoadedObject
    /// In the object.
    var index: Int
}

/// The instance of an object that belongs to no world.
///
/// Ops that a host calls through `kdata` and the control plane's reads and writes share it: the host sees to it that its
/// calls do not overlap, the lock serialises the control plane.
@safe final class PrimeInstance: @unchecked Sendable {  // See above.
    private let instance: Mutex<Instance?>
    private let head: UnsafeMutablePointer<ops_block>

    init(_ make: () throws(OpsError) -> Instance) throws(OpsError) {
        let made = try make()
        unsafe head = made.block
        // The only other reference is the block's own, which never leaves it.
        nonisolated(unsafe) let handedOver = made
        instance = unsafe Mutex(handedOver)
    }

    /// Valid until the object is freed.
    var block: UnsafeMutablePointer<ops_block> { unsafe head }

    /// - Throws: ENOENT if it is gone; what `body` throws.
    func with<Result: Sendable>(_ body: (Instance) throws(OpsError) -> Result) throws(OpsError) -> Result {
        try instance.withLock { instance throws(OpsError) in
            guard let instance else {
                throw OpsError("not-found", errno: OpsError.enoent, "the object has been freed")
            }
            return try body(instance)
        }
    }

    func destroy() { instance.withLock { $0 = nil } }
}
