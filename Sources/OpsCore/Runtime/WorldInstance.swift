public import CShim
import JIT
import Synchronization

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
        private let flows = Atomic<Int>(0)

        init(map: StructOpsMap, instance: Instance, value: ValueBuffer, entries: EntryUnit?) {
            self.map = map
            mapID = map.id
            opsName = map.opsName
            self.instance = instance
            self.value = value
            self.entries = entries
            unsafe block = instance.block
            unsafe kdata = value.address(at: map.type.value.dataOffset)
        }

        /// One more flow uses it. A plain load and store: only the world's thread writes.
        public func get() { flows.store(flows.load(ordering: .relaxed) + 1, ordering: .relaxed) }
        public func put() { flows.store(flows.load(ordering: .relaxed) - 1, ordering: .relaxed) }
        public var flowCount: Int { flows.load(ordering: .relaxed) }

        /// The subsystem throws the registration out; see `StructOpsMap.eject`.
        public func eject(kind: String, reason: String) { map.eject(kind: kind, reason: reason) }
    }

    /// In the order in which they were added.
    public private(set) var ops: [Ops] = []
    private let core: RuntimeCore
    private let configuration: Instance.Configuration
    private let arena: Arena?
    private let world: UnsafeMutableRawPointer?
    private let uid: UInt32
    private let participant: QuiescenceDomain.Participant
    private var objects: [UInt32: (object: LoadedObject, instance: Instance)] = [:]
    private var chargedBytes = 0
    private var isClosed = false

    init(
        core: RuntimeCore, world: UnsafeMutableRawPointer?, arena: Arena?,
        configuration: Instance.Configuration, uid: UInt32
    ) {
        self.core = core
        unsafe self.world = unsafe world
        self.arena = arena
        self.configuration = configuration
        self.uid = uid
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
        chargedBytes += bytes
        guard let instance = objects[first.program.object.id]?.instance else {
            throw map.error("internal", OpsError.efault, "its object has no instance")
        }
        return Ops(map: map, instance: instance, value: copy(map, programs, entries), entries: entries)
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
            maps: prepared.maps, contents: prepared.contents, btf: prepared.btf, layout: prepared.layout,
            arena: arena, configuration: configuration)
        try core.memory.charge(
            instance.memoryCharge, to: uid, for: "an instance of object '\(prepared.name)'")
        guard object.get() else {
            core.memory.refund(instance.memoryCharge, to: uid)
            throw OpsError("not-found", errno: OpsError.enoent, "object '\(prepared.name)' is gone")
        }
        chargedBytes += instance.memoryCharge
        unsafe instance.setWorld(world)
        unsafe instance.onRecord = {
            [unowned instance, records = core.records, ids = object.mapIDs] map, bytes in
            guard ids.indices.contains(map) else { return }
            unsafe records.publish(ids[map], ktime: instance.block.pointee.ktime_ns, bytes)
        }
        instance.onGrowth = { [unowned self] byteCount in
            do throws(OpsError) {
                try core.memory.charge(byteCount, to: uid, for: "storage of object '\(prepared.name)'")
            } catch {
                return false
            }
            chargedBytes += byteCount
            return true
        }
        objects[object.id] = (object, instance)
    }

    /// Between events, at call depth 0: see `QuiescenceDomain`.
    public func announce() {
        for (_, instance) in objects.values { instance.quiesce() }
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
        for ops in ops {
            core.withTables { $0.worldOps[ops.mapID]?.removeAll { $0 === ops } }
            core.withTables { if $0.worldOps[ops.mapID]?.isEmpty == true { $0.worldOps[ops.mapID] = nil } }
            ops.map.put()
        }
        ops = []
        for (object, _) in objects.values { object.put() }
        objects = [:]
        core.memory.refund(chargedBytes, to: uid)
        chargedBytes = 0
    }
}
