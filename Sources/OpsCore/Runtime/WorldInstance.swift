public import CShim
import JIT
import Synchronization
package import Verifier

/// The registrations that one world uses, each with the world's own data and its own C struct of entries.
///
/// Maps of one object share one private copy of the object's data (its *instance*). Each map keeps one reference for the
/// world; the world's flows count here, without atomic operations on shared memory. Used by the world's thread alone;
/// others read only the flow counts.
@safe public final class WorldInstance: @unchecked Sendable {  // Confined to the world's thread; see above.
    /// One registration as this world calls it.
    @safe public final class Ops: @unchecked Sendable {  // Confined like its world, but for `flows`.
        public let mapID: UInt32
        /// The string by which the registration is found (`tcp_congestion_ops.name`).
        public let opsName: String?
        /// The C struct (`tcp_congestion_ops`), whose function members are this instance's entries or NULL. Valid until
        /// the world closes.
        public let kdata: UnsafeRawPointer
        /// Head of the instance's data: clocks, CPU, random state, the subsystem's pointer.
        public let block: UnsafeMutablePointer<ops_block>
        package let instance: Instance
        let map: StructOpsMap
        private let value: ValueBuffer
        private let entries: EntryUnit?
        /// Objects whose instances its programs work on.
        let objectIDs: Set<UInt32>
        /// What calls of its programs can take, by the member that they implement.
        package let costs: [String: ProgramCost]
        let chargedBytes: Int
        let label: WorldLabel?
        let uid: UInt32
        private let flows = Atomic<Int>(0)

        init(
            map: StructOpsMap, instance: Instance, value: ValueBuffer, entries: EntryUnit?,
            objectIDs: Set<UInt32>, costs: [String: ProgramCost], chargedBytes: Int, label: WorldLabel?,
            uid: UInt32
        ) {
            self.costs = costs
            self.map = map
            mapID = map.id
            opsName = map.opsName
            self.instance = instance
            self.value = value
            self.entries = entries
            self.objectIDs = objectIDs
            self.chargedBytes = chargedBytes
            self.label = label
            self.uid = uid
            unsafe block = instance.block
            unsafe kdata = value.address(at: map.type.value.dataOffset)
        }

        /// One more flow uses it. A plain load and store: only the world's thread writes.
        public func get() { flows.store(flows.load(ordering: .relaxed) + 1, ordering: .relaxed) }
        public func put() { flows.store(flows.load(ordering: .relaxed) - 1, ordering: .relaxed) }
        public var flowCount: Int { flows.load(ordering: .relaxed) }

        /// Lower-case hex of the object file.
        package var objectSHA256: String? { map.object?.prepared.sha256 }

        /// The subsystem throws the registration out; see `StructOpsMap.eject`.
        public func eject(kind: String, reason: String, details: String? = nil) {
            map.eject(kind: kind, reason: reason, details: details)
        }
    }

    /// In the order in which they were added.
    public private(set) var ops: [Ops] = []
    private let core: RuntimeCore
    private let configuration: Instance.Configuration
    private let arena: Arena?
    private let world: UnsafeMutableRawPointer?
    private let uid: UInt32
    private let label: WorldLabel?
    private let budget: UsageRules.Budget
    private let participant: QuiescenceDomain.Participant
    private var objects: [UInt32: HeldObject] = [:]
    private var isClosed = false

    /// An object with this world's copy of its data.
    private struct HeldObject {
        let object: LoadedObject
        let instance: Instance
        var chargedBytes: Int
    }

    init(
        core: RuntimeCore, world: UnsafeMutableRawPointer?, arena: Arena?,
        configuration: Instance.Configuration, uid: UInt32, label: WorldLabel?
    ) {
        self.core = core
        unsafe self.world = unsafe world
        self.arena = arena
        budget = core.usage.withLock { $0.budget }
        self.configuration = configuration
        self.uid = uid
        self.label = label
        participant = core.quiescence.join()
    }

    deinit { close() }

    public func ops(of mapID: UInt32) -> Ops? { ops.first { $0.mapID == mapID } }

    /// Takes one more registration in, as a live world does when it follows an update. Taken in before: the same again.
    /// - Throws: ENOENT for an unknown id, EBUSY for one that has no programs set or is going away, ENOMEM.
    @discardableResult
    public func add(_ mapID: UInt32) throws(OpsError) -> Ops {
        if let known = ops(of: mapID) { return known }
        guard let map = core.map(mapID), map.get() else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no registration \(mapID)")
        }
        do throws(OpsError) {
            let ops = try makeOps(map)
            self.ops.append(ops)
            core.withTables { $0.worldOps[mapID, default: []].append(ops) }
            return ops
        } catch {
            releaseUnusedObjects()
            map.put()
            throw error
        }
    }

    private func makeOps(_ map: StructOpsMap) throws(OpsError) -> Ops {
        guard map.state == .inUse || map.state == .ready else {
            throw map.error("busy", OpsError.ebusy, "its state is \(map.state.name)")
        }
        let programs = map.content.withLock { $0.programs }
        guard let first = programs.first else {
            throw map.error("busy", OpsError.ebusy, "no program is set")
        }
        for program in programs { try instantiate(program.program.object) }
        let entries = try unsafe programs.makeEntries(name: map.name) { program in
            // Every object was instantiated above.
            unsafe objects[program.object.id]?.instance.block ?? program.object.primeBlock
        }
        let bytes = entries.mappedByteCount + map.type.value.byteCount
        try core.memory.charge(bytes, to: uid, for: "an instance of '\(map.name)'")
        guard let instance = objects[first.program.object.id]?.instance else {
            core.memory.refund(bytes, to: uid)
            throw map.error("internal", OpsError.efault, "its object has no instance")
        }
        return Ops(
            map: map, instance: instance, value: copy(map, programs, entries), entries: entries,
            objectIDs: Set(programs.map { $0.program.object.id }),
            costs: Dictionary(
                programs.map { ($0.member.name, $0.program.prepared.cost) },
                uniquingKeysWith: { first, _ in first }), chargedBytes: bytes, label: label, uid: uid)
    }

    /// The kernel's copy of the value with this instance's entries in it.
    private func copy(
        _ map: StructOpsMap, _ programs: [StructOpsMap.MemberProgram], _ entries: EntryUnit
    ) -> ValueBuffer {
        let value = ValueBuffer(byteCount: map.type.value.byteCount)
        value.store(map.kvalue.bytes(0..<value.byteCount), at: 0)
        for (index, program) in programs.enumerated() {
            let start = map.type.value.dataOffset + program.member.byteOffset
            value.store(UInt64(UInt(bitPattern: unsafe entries.pointer(index))), at: start)
        }
        return value
    }

    /// This world's own copy of the object's data, made once.
    private func instantiate(_ object: LoadedObject) throws(OpsError) {
        guard objects[object.id] == nil else { return }
        let prepared = object.prepared
        let instance = try Instance(
            maps: prepared.maps, contents: prepared.contents, btf: prepared.btf, types: { prepared.types },
            layout: prepared.layout, arena: arena, configuration: configuration)
        try budget.checkMemory(instance.memoryCharge, for: "an instance of object '\(prepared.name)'")
        try core.memory.charge(
            instance.memoryCharge, to: uid, for: "an instance of object '\(prepared.name)'")
        guard object.get() else {
            core.memory.refund(instance.memoryCharge, to: uid)
            throw OpsError("not-found", errno: OpsError.enoent, "object '\(prepared.name)' is gone")
        }
        unsafe instance.setWorld(world)
        unsafe instance.onRecord = {
            [unowned instance, records = core.records, ids = object.mapIDs] map, bytes in
            guard ids.indices.contains(map) else { return }
            unsafe records.publish(ids[map], ktime: instance.block.pointee.ktime_ns, bytes)
        }
        instance.onTrace = { [records = core.records] in records.publish($0) }
        instance.onGrowth = { [unowned self, unowned instance] byteCount in
            let wanted = byteCount + (objects[object.id]?.chargedBytes ?? 0)
            guard wanted <= budget.memoryBytes else {
                instance.onMemoryExcess?(wanted, budget.memoryBytes)
                return false
            }
            do throws(OpsError) {
                try core.memory.charge(byteCount, to: uid, for: "storage of object '\(prepared.name)'")
            } catch {
                return false
            }
            objects[object.id]?.chargedBytes += byteCount
            return true
        }
        objects[object.id] = HeldObject(
            object: object, instance: instance, chargedBytes: instance.memoryCharge)
    }

    /// Between events, at call depth 0: see `QuiescenceDomain`.
    public func announce() {
        for held in objects.values { held.instance.quiesce() }
        participant.announce()
    }

    /// While idle, nobody waits for this world; no op may be called until `goOnline`.
    public func goOffline() { participant.goOffline() }
    public func goOnline() { participant.goOnline() }

    /// Drops every reference. No op of it may be called again, and none may be running.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        participant.leave()
        for ops in ops { release(ops) }
        ops = []
        releaseUnusedObjects()
    }

    /// Gives one registration up before the world ends, with the data of an object that no other one of this world works
    /// on. Between events: no op of it is running, none may be called again.
    public func remove(_ removed: Ops) {
        guard let index = ops.firstIndex(where: { $0 === removed }) else { return }
        ops.remove(at: index)
        release(removed)
        releaseUnusedObjects()
    }

    private func release(_ ops: Ops) {
        core.withTables { tables in
            tables.worldOps[ops.mapID]?.removeAll { $0 === ops }
            if tables.worldOps[ops.mapID]?.isEmpty == true { tables.worldOps[ops.mapID] = nil }
        }
        core.memory.refund(ops.chargedBytes, to: uid)
        ops.map.put()
    }

    private func releaseUnusedObjects() {
        let used: Set<UInt32> = ops.reduce(into: []) { $0.formUnion($1.objectIDs) }
        for (id, held) in objects where !used.contains(id) {
            held.instance.quiesce()
            objects[id] = nil
            held.object.put()
            core.memory.refund(held.chargedBytes, to: uid)
        }
    }
}
