import Synchronization
import Testing

@testable import OpsCore

/// Every failure of a map update that struct_ops.md §1.6 names, in its order, each followed by an update that succeeds:
/// a failure undoes everything.
///
/// Without a meaning here: 6e "size ≤ 0" — an entry is made whole or not at all; 8 "seal every page: error" — sealing is a
/// step of making the entries, see the fault loops.
@Suite("Updating struct_ops maps", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct MapUpdateTests {
    struct Bad: CustomStringConvertible, Sendable {
        var description: String
        var errno: CInt
        var text: String
        var member: String?
        /// Spoils an update that would succeed.
        var spoil: @Sendable (inout Attempt) throws -> Void
    }

    struct Attempt {
        var fixture: MapFixture
        var type: RegisteredType
        var key: UInt32 = 0
        var flags: UInt64 = 0
        var value: [UInt8]
        func offset(_ member: String) throws -> Int {
            type.value.dataOffset + (try #require(type.member(named: member))).byteOffset
        }
    }

    private static func host(_ callback: String, _ errno: CInt) -> @Sendable (inout Attempt) throws -> Void {
        { $0.fixture.policy.host.fail(callback, errno: errno) }
    }
    private static func set(
        _ member: String, _ value: UInt64, _ byteCount: Int = 8, at inner: Int = 0
    ) -> @Sendable (inout Attempt) throws -> Void {
        { $0.value.set(value, at: try $0.offset(member) + inner, byteCount: byteCount) }
    }

    static let refused: [Bad] = [
        Bad(description: "1 flags", errno: OpsError.einval, text: "update flags are 1") { $0.flags = 1 },
        Bad(description: "2 key", errno: OpsError.e2big, text: "key is 1") { $0.key = 1 },
        Bad(description: "value too short", errno: OpsError.einval, text: "the value has 3 bytes") {
            $0.value = [0, 0, 0]
        },
        Bad(
            description: "3 padding between members", errno: OpsError.einval,
            text: "struct policy_ops has no member",
            spoil: set("flags", 1, 1, at: 4)),
        Bad(
            description: "3 padding at the tail", errno: OpsError.einval,
            text: "struct policy_ops has no member",
            spoil: set("tail", 1, 1, at: 4)),
        Bad(description: "4 state", errno: OpsError.einval, text: "refcnt and state must be 0") {
            $0.value[$0.type.value.stateOffset] = 1
        },
        Bad(description: "4 refcnt", errno: OpsError.einval, text: "refcnt and state must be 0") {
            $0.value[$0.type.value.refcntOffset] = 1
        },
        // The kernel returns success here and leaves INIT.
        Bad(
            description: "6a owner", errno: OpsError.einval, text: "must be 0: it is the runtime's",
            member: "owner",
            spoil: set("owner", 0x1234)),
        Bad(
            description: "6b init_member", errno: 71, text: "initMember.flags says no", member: "flags",
            spoil: host("initMember.flags", 71)),
        Bad(
            description: "6b init_member answers the wrong size", errno: OpsError.efault,
            text: "answered 1 bytes for 8",
            member: "key"
        ) { $0.fixture.policy.host.state.withLock { $0.treatments["key"] = .handled([1]) } },
        Bad(
            description: "6c data that is not the user's", errno: OpsError.einval,
            text: "it is not for users",
            member: "key", spoil: set("key", 9)),
        Bad(
            description: "flags outside the mask", errno: OpsError.einval, text: "unknown bits 0x4",
            member: "flags",
            spoil: set("flags", 4, 4)),
        Bad(
            description: "empty name", errno: OpsError.einval, text: "is empty", member: "name",
            spoil: set("name", 0, 1)),
        Bad(
            description: "unterminated name", errno: OpsError.einval, text: "not terminated within 16",
            member: "name"
        ) {
            for index in 0..<16 { $0.value[try $0.offset("name") + index] = 0x61 }
        },
        Bad(
            description: "illegal name", errno: OpsError.einval, text: "contains '-'", member: "name",
            spoil: set("name", 0x2d, 1)),
        Bad(
            description: "6d unknown program", errno: OpsError.ebadf, text: "no program 4000",
            member: "ssthresh",
            spoil: set("ssthresh", 4000)),
        Bad(
            description: "6d program of another member", errno: OpsError.einval,
            text: "was verified for policy_ops.adjust",
            member: "ssthresh"
        ) { attempt in
            let id = attempt.value.number(at: try attempt.offset("adjust"), byteCount: 8)
            attempt.value.set(id, at: try attempt.offset("ssthresh"), byteCount: 8)
        },
        Bad(
            description: "program for an unsupported member", errno: OpsError.einval,
            text: "was verified for",
            member: "get_info"
        ) { attempt in
            let id = attempt.value.number(at: try attempt.offset("adjust"), byteCount: 8)
            attempt.value.set(id, at: try attempt.offset("get_info"), byteCount: 8)
        },
        Bad(
            description: "7 required member missing", errno: OpsError.einval,
            text: "does not implement required ops",
            spoil: set("ssthresh", 0)),
        Bad(description: "7 validate", errno: 72, text: "validate says no", spoil: host("validate", 72)),
        Bad(description: "10 register", errno: 73, text: "register says no", spoil: host("register", 73)),
    ]

    @Test("refuses, undoes everything, and the same map can be updated again", arguments: refused)
    func refuses(_ bad: Bad) throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.initial, link: false)
        let good = try fixture.value()
        var attempt = Attempt(fixture: fixture, type: try fixture.policy.type(), value: good)
        try bad.spoil(&attempt)
        let charged = fixture.runtime.memoryCharged(to: 0)
        let error = try refusal {
            try fixture.runtime.updateElement(
                map: id, key: attempt.key, value: attempt.value, flags: attempt.flags)
        }
        #expect(error.errno == bad.errno)
        #expect(error.text.contains(bad.text), "\(error.text)")
        #expect(error.location.member == bad.member)

        let map = try #require(fixture.runtime.map(id))
        #expect(map.state == .initial)
        #expect(map.uvalue.bytes(0..<good.count).allSatisfy { $0 == 0 })
        #expect(map.kvalue.bytes(0..<good.count).allSatisfy { $0 == 0 })
        #expect(map.programs.isEmpty)
        #expect(fixture.runtime.memoryCharged(to: 0) == charged)
        #expect(fixture.policy.host.state.withLock { $0.byName.isEmpty })

        fixture.policy.host.state.withLock { $0.treatments = [:] }
        try fixture.runtime.updateElement(map: id, value: good)
        #expect(map.state == .inUse)
        var policy = Policy(value: 5)
        #expect(PolicyCalls(kdata: map.kdata).ssthresh(&policy) == 5)
        try fixture.finish(id)
    }

    @Test("wrong struct: a program of another type is EINVAL")
    func wrongStruct() throws {
        let fixture = try MapFixture()
        let id = try fixture.runtime.createMap(fixture.spec(link: false, type: "device_ops"))
        let type = try fixture.policy.type("device_ops")
        var value = [UInt8](repeating: 0, count: type.value.byteCount)
        let offset = type.value.dataOffset + (try #require(type.member(named: "event"))).byteOffset
        value.set(UInt64(fixture.object.programIDs[0]), at: offset, byteCount: 8)
        let error = try refusal { try fixture.runtime.updateElement(map: id, value: value) }
        #expect(error.errno == OpsError.einval)
        #expect(error.text.contains("was verified for policy_ops."))
        try fixture.finish(id)
    }

    @Test("6b a member that the subsystem handles gets its bytes, and the user's copy keeps the user's")
    func handled() throws {
        let fixture = try MapFixture()
        fixture.policy.host.state.withLock { $0.treatments["key"] = .handled([1, 2, 3, 4, 5, 6, 7, 8]) }
        let id = try fixture.map(.inUse, link: false)
        let map = try #require(fixture.runtime.map(id))
        let offset = (try #require(map.type.member(named: "key"))).byteOffset
        #expect(map.kdata.load(fromByteOffset: offset, as: UInt64.self) == 0x0807_0605_0403_0201)
        let value = try fixture.runtime.lookupElement(map: id)
        #expect(value.number(at: map.type.value.dataOffset + offset, byteCount: 8) == 0)
        try fixture.finish(id)
    }

    @Test("6f the user's copy has program ids, the kernel's entry addresses")
    func twoCopies() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        let map = try #require(fixture.runtime.map(id))
        let start = map.type.value.dataOffset
        let ids = map.programs.map { UInt64($0.programID) }
        #expect(map.programs.map(\.member) == ["ssthresh", "adjust"])
        #expect(
            map.uvalue.bytes(start..<start + 16)
                == (0..<16).map { UInt8(truncatingIfNeeded: ids[$0 / 8] >> (8 * ($0 % 8))) })
        let entry = map.kdata.load(as: UInt.self)
        #expect(entry > 0x10000)
        try fixture.finish(id)
    }

    @Test("6e entries that take more than 8 pages are E2BIG; a real type takes one page")
    func entryPages() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        #expect(try fixture.runtime.registrations(.id(id)).first?.entryBytes == 4096)
        try fixture.finish(id)

        let tight = try MapFixture(PolicyRuntime(configure: { $0.entryBytesMax = 4095 }))
        let map = try tight.map(.initial, link: true)
        let error = try refusal { try tight.runtime.updateElement(map: map, value: tight.value()) }
        #expect(error.errno == OpsError.e2big)
        #expect(error.text.contains("4096 bytes, at most 4095"))
        #expect(OpsRuntime.Configuration().entryBytesMax == 8 * 4096)
        try tight.finish(map)
    }

    @Test("9 a map with links is READY and nobody is told")
    func readyOnly() throws {
        let fixture = try MapFixture()
        let id = try fixture.map(.ready, link: true)
        #expect(fixture.policy.host.calls("register").isEmpty)
        #expect(fixture.policy.host.calls("validate").count == 1)
        #expect(fixture.runtime.map(id)?.users == 0)
        try fixture.finish(id)
    }

    @Test("an unknown map is EBADF")
    func unknownMap() throws {
        let fixture = try MapFixture()
        for call in [
            { try fixture.runtime.updateElement(map: 999, value: []) },
            { _ = try fixture.runtime.lookupElement(map: 999) },
            { try fixture.runtime.deleteElement(map: 999) },
            { try fixture.runtime.close(map: 999) },
        ] {
            #expect(try refusal(call).errno == OpsError.ebadf)
        }
        try fixture.finish()
    }
}
