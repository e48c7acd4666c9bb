import BPF
import JIT
import Synchronization
import Verifier

extension OpsRuntime {
    /// All registrations by ascending id, or those selected (a name may match several).
    /// - Throws: ENOENT if a selector finds nothing.
    public func registrations(_ selector: RegistrationSelector? = nil) throws(OpsError) -> [RegistrationInfo]
    {
        let found = core.selected(selector)
        if found.isEmpty, let selector { throw RuntimeCore.notFound(selector) }
        guard found.count > 1 else { return found.map(core.info) }
        let links = core.withTables { Array($0.links.values) }
        let firstLinks = Dictionary(
            links.compactMap { link in link.map.map { ($0.id, link.id) } }, uniquingKeysWith: min)
        return found.map { core.info($0, linkID: firstLinks[$0.id]) }
    }

    /// Who holds references to a registration, or to what an update has replaced and somebody still uses.
    /// - Throws: ENOENT; EINVAL for a name that matches several.
    public func users(of selector: RegistrationSelector) throws(OpsError) -> [RegistrationUser] {
        let map = try core.select(selector)
        let (links, worlds) = core.withTables { tables in
            (tables.links.values.sorted { $0.id < $1.id }, tables.worldOps[map.id] ?? [])
        }
        var users: [RegistrationUser] = []
        // A map with links is never INUSE: it is READY, and its links hold it.
        if map.state == .inUse { users.append(RegistrationUser(kind: .registration, uid: map.uid)) }
        for link in links where link.map === map {
            users.append(RegistrationUser(kind: .link(id: link.id), uid: link.uid))
        }
        for link in links where link.fallback === map {
            users.append(RegistrationUser(kind: .fallback(link: link.id), uid: link.uid))
        }
        for world in worlds {
            users.append(
                RegistrationUser(kind: .world(world.label, flows: world.flowCount), uid: world.uid))
        }
        let others = map.references.value - users.count
        if others > 0 { users.append(RegistrationUser(kind: .other(references: others))) }
        return users
    }

    public func programs() -> [ProgramInfo] {
        core.withTables { $0.programs.values.sorted { $0.id < $1.id } }.map(\.info)
    }

    /// Maps of objects and struct_ops maps, by ascending id.
    public func maps() -> [MapInfo] {
        let (data, structOps) = core.withTables { (Array($0.dataMaps.values), Array($0.structOps.values)) }
        return (data.map(\.info) + structOps.map(\.info)).sorted { $0.id < $1.id }
    }

    public func links() -> [LinkInfo] {
        core.withTables { $0.links.values.sorted { $0.id < $1.id } }.map(\.info)
    }

    /// The latest ejections, oldest first, at most 64.
    public func ejections() -> [Ejection] { core.withTables { $0.ejections } }

    /// A registration's map, for a host that calls its ops; nil if there is none.
    public func map(_ id: UInt32) -> StructOpsMap? { core.map(id) }

    public func link(_ id: UInt32) -> StructOpsLink? { core.link(id) }
}

extension RuntimeCore {
    func info(_ map: StructOpsMap) -> RegistrationInfo { info(map, linkID: links(to: map).first?.id) }

    /// - Parameter linkID: of the map's first link: who lists many looks at all links once.
    func info(_ map: StructOpsMap, linkID: UInt32?) -> RegistrationInfo {
        let content = map.content.withLock { $0 }
        let object = content.programs.first?.program.object
        // Before it is published, a value may be half written.
        let state = map.state
        return RegistrationInfo(
            id: map.id, name: map.name, variable: map.variable, type: map.typeName,
            opsName: state == .initial ? nil : map.opsName,
            state: state,
            refs: map.users, linkID: linkID, objectID: object?.id ?? 0,
            objectSHA256: object?.prepared.sha256 ?? "", uid: map.uid,
            memoryBytes: StructOpsMap.bytesCharged(for: map.type) + content.chargedBytes,
            entryBytes: content.entries?.mappedByteCount ?? 0)
    }
}

extension LoadedProgram {
    var info: ProgramInfo {
        let program = prepared
        return ProgramInfo(
            id: id, name: name, fullName: program.name, tag: program.tag,
            section: program.section, type: program.typeName, member: program.memberName,
            insnCount: program.insnCount, jitedBytes: program.compiled.code.count,
            bound: program.bound, processed: program.processed, mapIDs: usedMapIDs,
            btfID: object.prepared.target.id, objectID: object.id, uid: object.uid, loadedAt: object.loadedAt,
            isGPLCompatible: program.isGPLCompatible)
    }

    /// Maps that its instructions name.
    private var usedMapIDs: [UInt32] {
        prepared.mapIndices.filter(object.mapIDs.indices.contains).map { object.mapIDs[$0] }
    }
}

extension DataMap {
    var info: MapInfo {
        let map = object.prepared.maps[index]
        let bytes = try? object.prime.with { $0.maps[index].memoryCharge }
        return MapInfo(
            id: id, name: map.name.cut(toBytes: 15), fullName: map.name, type: map.type.rawValue,
            typeName: map.type.name, keySize: map.keySize, valueSize: map.valueSize,
            maxEntries: map.maxEntries, flags: map.flags, isFrozen: map.constants != nil,
            memoryBytes: bytes ?? 0, objectID: object.id, uid: object.uid)
    }
}

extension StructOpsMap {
    var info: MapInfo {
        MapInfo(
            id: id, name: name, fullName: variable, type: MapType.structOps.rawValue,
            typeName: MapType.structOps.name, keySize: 4, valueSize: type.value.byteCount, maxEntries: 1,
            flags: isLink ? StructOpsMapSpec.linkFlag : 0, isFrozen: false,
            memoryBytes: Self.bytesCharged(for: type) + content.withLock { $0.chargedBytes },
            objectID: object?.id ?? 0, uid: uid)
    }
}

extension StructOpsLink {
    var info: LinkInfo {
        LinkInfo(
            id: id, mapID: map?.id ?? 0, type: type.name, isDetached: isDetached, ejection: ejection, uid: uid
        )
    }
}
