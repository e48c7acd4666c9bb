import BPF
package import ControlAPI
import OpsCore
import Verifier

extension RuntimeHost {
    package func maps(_ selector: Selector) throws(Refusal) -> [MapRecord] {
        try selector.pick(runtime.maps(), "map") { ($0.id, $0.name) }.map { info in
            MapRecord(
                id: info.id, type: info.typeName, name: info.name, flags: info.flags, bytesKey: info.keySize,
                bytesValue: info.valueSize, maxEntries: info.maxEntries, bytesMemlock: info.memoryBytes,
                frozen: info.isFrozen)
        }
    }

    package func dumpMap(_ selector: Selector) throws(Refusal) -> MapEntriesReply {
        let info = try one(selector)
        let types = elementTypes(of: info)
        let elements = try refusing { () throws(OpsError) in
            try runtime.withMap(info.id) { map throws(OpsError) in try map.elements() }
        }
        return MapEntriesReply(entries: elements.map { types.entry(key: $0.key, value: $0.value) })
    }

    package func lookup(_ parameters: MapElementParameters) throws(Refusal) -> MapEntryReply {
        let info = try one(parameters.selector)
        let key = try bytes(parameters.key, of: "key")
        let value = try refusing { () throws(OpsError) in
            try runtime.withMap(info.id) { map throws(OpsError) in try map.lookup(key) }
        }
        return MapEntryReply(entry: elementTypes(of: info).entry(key: key, value: value))
    }

    package func updateMap(_ parameters: MapElementParameters) throws(Refusal) {
        let info = try one(parameters.selector)
        let key = try bytes(parameters.key, of: "key")
        let value = try bytes(parameters.value ?? [], of: "value")
        let flags: UInt64
        switch parameters.flags {
        case nil, "any": flags = 0
        case "noexist": flags = 1
        case "exist": flags = 2
        case let other?:
            throw Refusal("invalid", errno: 22, "'flags' is any, exist or noexist, got '\(other)'")
        }
        try refusing { () throws(OpsError) in
            try runtime.withMap(info.id) { map throws(OpsError) in try map.update(key, value, flags: flags) }
        }
    }

    private func one(_ selector: Selector) throws(Refusal) -> MapInfo {
        let info = try selector.pickOne(runtime.maps(), "map") { ($0.id, $0.name) }
        guard info.type != MapType.structOps.rawValue else {
            throw Refusal(
                "unsupported", errno: 95, "map \(info.id) is a struct_ops map",
                suggestion: "'opsctl dump id \(info.id)' prints it")
        }
        return info
    }

    private func bytes(_ hex: [String], of what: String) throws(Refusal) -> [UInt8] {
        guard let bytes = MapEntry.bytes(hex) else {
            throw Refusal("invalid", errno: 22, "'\(what)' is not a list of bytes \"0x…\"")
        }
        return bytes
    }

    /// The object's own types, which any of its programs knows.
    private func elementTypes(of info: MapInfo) -> ElementTypes {
        guard let btf = try? runtime.types(ofObject: info.objectID) else { return ElementTypes() }
        let types = try? runtime.withMap(info.id) { map throws(OpsError) in
            (map.description.keyType, map.description.valueType)
        }
        return ElementTypes(btf: btf, key: types?.0, value: types?.1)
    }
}

private struct ElementTypes {
    var btf: BTF?
    var key: TypeID?
    var value: TypeID?

    func entry(key keyBytes: [UInt8], value valueBytes: [UInt8]) -> MapEntry {
        let formatted: JSONValue? = json(value, valueBytes).map { value in
            ["key": json(key, keyBytes) ?? .array(keyBytes.map { .integer(Int64($0)) }), "value": value]
        }
        return MapEntry(key: keyBytes, value: valueBytes, formatted: formatted)
    }

    private func json(_ type: TypeID?, _ bytes: [UInt8]) -> JSONValue? {
        guard let btf, let type, let value = btf.value(of: type, in: bytes) else { return nil }
        return JSONValue(DumpValue(value))
    }
}

extension RuntimeHost {
    package func links(_ id: UInt32?) throws(Refusal) -> [LinkRecord] {
        let names = Dictionary(
            runtime.maps().map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
        return try Selector(id: id).pick(runtime.links(), "link") { ($0.id, "") }.map { info in
            LinkRecord(id: info.id, type: "struct_ops", mapID: info.mapID, name: names[info.mapID] ?? "")
        }
    }

    package func detach(_ id: UInt32) throws(Refusal) -> HostResult {
        let map = runtime.links().first { $0.id == id }?.mapID
        try refusing { () throws(OpsError) in try runtime.detach(link: id) }
        return HostResult([:], removed: map.map { [$0] } ?? [])
    }
}
