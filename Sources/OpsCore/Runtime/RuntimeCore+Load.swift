import BPF
import JIT
import Synchronization
import Verifier

extension UsageRules.Budget {
    /// - Throws: ENOMEM if it is more than one registration may take.
    func checkMemory(_ byteCount: Int, for what: String) throws(OpsError) {
        guard byteCount > memoryBytes else { return }
        throw OpsError(
            "memory", errno: OpsError.enomem, "\(what) needs \(byteCount) bytes",
            reason: "the budget of a registration is \(memoryBytes)")
    }
}

extension RuntimeCore {
    /// Gives a prepared object its ids and its instance. Nothing is left behind by a failure.
    func load(_ prepared: PreparedObject, _ options: LoadOptions) throws(OpsError) -> LoadedObject {
        let owner = types.withLock { $0.subsystem(owning: prepared.target) }
        let usage = usage.withLock { $0 }
        if let grant = usage.grants[options.uid] {
            try prepared.check(grant, uid: options.uid)
        }
        try prepared.check(usage.budget)
        let prime = try PrimeInstance { () throws(OpsError) in
            let instance = try Instance(
                maps: prepared.maps, contents: prepared.contents, btf: prepared.btf, layout: prepared.layout)
            unsafe instance.setWorld(owner?.subsystem.primeWorld)
            return instance
        }
        let bytes = try prime.with { $0.memoryCharge } + prepared.code.mappedByteCount
        try usage.budget.checkMemory(bytes, for: "object '\(prepared.name)'")
        try memory.charge(bytes, to: options.uid, for: "object '\(prepared.name)'")
        do {
            return try enter(
                prepared, options, prime, limits: usage.limits(of: options.uid), chargedBytes: bytes)
        } catch {
            memory.refund(bytes, to: options.uid)
            throw error
        }
    }

    private func enter(
        _ prepared: PreparedObject, _ options: LoadOptions, _ prime: PrimeInstance,
        limits: UsageRules.Limits?, chargedBytes: Int
    ) throws(OpsError) -> LoadedObject {
        var programIDs: [UInt32] = []
        var mapIDs: [UInt32] = []
        for _ in prepared.programs { programIDs.append(try ids.next(.program)) }
        for _ in prepared.maps { mapIDs.append(try ids.next(.map)) }
        let object = LoadedObject(
            id: try ids.next(.object), prepared: prepared, uid: options.uid, loadedAt: options.loadedAt,
            programIDs: programIDs, mapIDs: mapIDs, prime: prime, chargedBytes: chargedBytes, core: self)
        try withTables { tables throws(OpsError) in
            let holdings = tables.holdings[options.uid, default: Holdings()] + prepared.holdings
            if let limits { try holdings.check(limits, of: options.uid) }
            tables.holdings[options.uid] = holdings
            tables.objects[object.id] = object
            for (index, id) in programIDs.enumerated() {
                tables.programs[id] = LoadedProgram(id: id, object: object, index: index)
            }
            for (index, id) in mapIDs.enumerated() {
                tables.dataMaps[id] = DataMap(id: id, object: object, index: index)
            }
        }
        return object
    }

    /// - Throws: ENOENT for an object that is not loaded, or whose handle was dropped.
    func openObject(_ id: UInt32) throws(OpsError) -> LoadedObject {
        guard let object = withTables({ $0.objects[id] }), object.isOpen, object.get() else {
            throw OpsError("not-found", errno: OpsError.enoent, "there is no object \(id)")
        }
        return object
    }
}
