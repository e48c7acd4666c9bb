import Testing

@testable import OpsCore

/// A loaded object and maps in every state there is, made through the calls that a `bpf(2)` front end would use.
struct MapFixture {
    let policy: PolicyRuntime
    let object: ObjectInfo
    var runtime: OpsRuntime { policy.runtime }

    init(_ policy: PolicyRuntime, source: String = PolicyObject.source()) throws {
        self.policy = policy
        object = try policy.load(source)
    }

    init() throws { try self.init(PolicyRuntime()) }

    func spec(link: Bool, type: String = "policy_ops") throws -> StructOpsMapSpec {
        let type = try policy.type(type)
        return StructOpsMapSpec(
            name: "pol", valueSize: type.value.byteCount, flags: link ? StructOpsMapSpec.linkFlag : 0,
            valueType: type.valueRef)
    }

    /// The value of the object's only variable, with program ids.
    func value() throws -> [UInt8] {
        let loaded = try #require(runtime.core.withTables { $0.objects[object.id] })
        let variable = try #require(loaded.prepared.structOps.first)
        var value = variable.value
        for member in variable.programs {
            let start = variable.type.value.dataOffset + variable.type.members[member.member].byteOffset
            value.set(UInt64(loaded.programIDs[member.program]), at: start, byteCount: 8)
        }
        return value
    }

    /// A map in that state with one handle; TOBEFREE has a user that is still there.
    func map(_ state: StructOpsState, link: Bool) throws -> UInt32 {
        let id = try runtime.createMap(spec(link: link))
        guard state != .initial else { return id }
        try runtime.updateElement(map: id, value: value())
        guard state == .toBeFree else { return id }
        try runtime.deleteElement(map: id)
        return id
    }

    /// Lets everything go and looks for leaks.
    func finish(_ maps: UInt32..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        for link in runtime.links() { try runtime.close(link: link.id) }
        for id in maps where runtime.map(id) != nil {
            if runtime.map(id)?.state == .inUse { try runtime.deleteElement(map: id) }
            try runtime.close(map: id)
        }
        try runtime.close(object: object.id)
        try policy.expectNothingLeft(sourceLocation: sourceLocation)
    }
}

extension [UInt8] {
    mutating func set(_ value: UInt64, at offset: Int, byteCount: Int) {
        for byte in 0..<byteCount { self[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }
    func number(at offset: Int, byteCount: Int) -> UInt64 {
        self[offset..<offset + byteCount].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
