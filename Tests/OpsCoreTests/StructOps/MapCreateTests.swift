import BPF
import Testing

@testable import OpsCore

/// Every failure of map creation that struct_ops.md §1.5 names and that has a meaning here.
///
/// Without one: "VTYPE_BTF_OBJ_FD: bad fd, BTF not a module's, module gone" — a value type is a (BTF, id) pair, so a bad
/// descriptor is a BTF id that nobody has (ENOTSUPP, below), and a subsystem stays as long as its runtime. "May not be
/// used by programs" — the loader's map table never contains a struct_ops map. "Cannot be mmapped" — there is no mmap.
@Suite("Creating struct_ops maps", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct MapCreateTests {
    struct Bad: CustomStringConvertible, Sendable {
        var description: String
        var errno: CInt
        var text: String
        var change: @Sendable (inout StructOpsMapSpec) -> Void
    }

    static let refused: [Bad] = [
        Bad(description: "key size", errno: OpsError.einval, text: "key size is 8, not 4") { $0.keySize = 8 },
        Bad(description: "entries", errno: OpsError.einval, text: "max_entries is 2, not 1") {
            $0.maxEntries = 2
        },
        Bad(description: "no entries", errno: OpsError.einval, text: "max_entries is 0") {
            $0.maxEntries = 0
        },
        Bad(description: "flags", errno: OpsError.einval, text: "flags 0x1 are not allowed") { $0.flags = 1 },
        Bad(description: "no value type", errno: OpsError.einval, text: "has no value type") {
            $0.valueType.id = .void
        },
        Bad(
            description: "unregistered value type", errno: OpsError.enotsupp, text: "no registered struct_ops"
        ) {
            $0.valueType.id = TypeID(1)
        },
        Bad(description: "unknown BTF", errno: OpsError.enotsupp, text: "no registered struct_ops") {
            $0.valueType.btf = 99
        },
        Bad(description: "value size", errno: OpsError.einval, text: "value size is 7") { $0.valueSize = 7 },
        Bad(description: "id 0", errno: OpsError.eexist, text: "id 0 is taken") { $0.id = 0 },
    ]

    @Test("refuses", arguments: refused)
    func refuses(_ bad: Bad) throws {
        let fixture = try MapFixture()
        var spec = try fixture.spec(link: false)
        bad.change(&spec)
        let error = try refusal { _ = try fixture.runtime.createMap(spec) }
        #expect(error.errno == bad.errno)
        #expect(error.text.contains(bad.text), "\(error.text)")
        try fixture.finish()
    }

    @Test("accepts the flags LINK and VTYPE_BTF_OBJ_FD")
    func flags() throws {
        let fixture = try MapFixture()
        var spec = try fixture.spec(link: true)
        spec.flags |= StructOpsMapSpec.typeFlag
        let id = try fixture.runtime.createMap(spec)
        #expect(fixture.runtime.map(id)?.isLink == true)
        try fixture.finish(id)
    }

    @Test("ENOMEM when the uid's memory is used up, and nothing is charged")
    func memory() throws {
        let policy = try PolicyRuntime(memoryLimit: 100)
        let type = try policy.type()
        let spec = StructOpsMapSpec(name: "pol", valueSize: type.value.byteCount, valueType: type.valueRef)
        let error = try refusal { _ = try policy.runtime.createMap(spec) }
        #expect(error.errno == OpsError.enomem)
        #expect(error.reason == "uid 0 holds 0 of at most 100")
        try policy.expectNothingLeft()
    }

    @Test("ids are never used again, and a restored one is the one asked for")
    func ids() throws {
        let fixture = try MapFixture()
        let first = try fixture.map(.initial, link: false)
        try fixture.runtime.close(map: first)
        let second = try fixture.map(.initial, link: false)
        #expect(second > first)
        var spec = try fixture.spec(link: false)
        spec.id = 500
        #expect(try fixture.runtime.createMap(spec) == 500)
        #expect(try refusal { _ = try fixture.runtime.createMap(spec) }.errno == OpsError.eexist)
        let next = try fixture.map(.initial, link: false)
        #expect(next == 501)
        try fixture.finish(second, 500, next)
    }

    @Test("freeze is ENOTSUPP")
    func freeze() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        #expect(try refusal { try fixture.runtime.freeze(map: id) }.errno == OpsError.enotsupp)
        try fixture.finish(id)
    }
}
