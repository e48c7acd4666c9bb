import Foundation
import JIT
import Synchronization
import Testing

@testable import OpsCore

@Suite("Registering objects", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct RegisterTests {
    static func twoMaps(second: String) -> String {
        PolicyObject.source(
            extra: """
                SEC(".struct_ops") struct policy_ops second = {
                    .ssthresh = (void *)pol_ssthresh, .adjust = (void *)pol_adjust, \(second) };
                """)
    }

    @Test("several maps: all, or nothing")
    func allOrNothing() throws {
        let policy = try PolicyRuntime()
        let bad = try policy.load(Self.twoMaps(second: ".name = \"no-good\","))
        let error = try refusal { _ = try policy.runtime.register(object: bad.id) }
        #expect(error.errno == OpsError.einval)
        #expect(error.location.object == "pol.bpf.o")
        #expect(error.location.map == "second")
        #expect(error.location.member == "name")
        #expect(try policy.runtime.registrations().isEmpty)
        #expect(policy.events.kinds(.refuse).count == 1)

        let kept = try policy.runtime.registerKeepingGoing(object: bad.id)
        #expect(kept.registered.map(\.name) == ["pol"])
        #expect(kept.failed.map(\.errno) == [OpsError.einval])
        try policy.runtime.unregister(.name("pol"))
        try policy.runtime.close(object: bad.id)
        try policy.expectNothingLeft()
    }

    @Test("a program that is refused refuses the maps that name it, with keep-going only those")
    func keepGoing() throws {
        // Writes outside the program's stack.
        let source = PolicyObject.source(
            extra: """
                SEC("struct_ops/x") int pol_bad(u64 *ctx) { *(volatile long *)((char *)ctx + 800) = 1; return 0; }
                SEC(".struct_ops") struct policy_ops second = {
                    .ssthresh = (void *)pol_ssthresh, .allow = (void *)pol_bad, .name = "second" };
                """)
        let bytes = try BPFCompiler.compile(source)
        let policy = try PolicyRuntime()
        let error = try refusal { _ = try policy.runtime.load(bytes, name: "bad.bpf.o") }
        #expect(error.code == "verifier")
        #expect(error.location.program == "pol_bad")
        #expect(error.location.object == "bad.bpf.o")
        #expect(error.errno == OpsError.eacces)
        try policy.expectNothingLeft()

        let object = try policy.runtime.load(bytes, name: "bad.bpf.o", options: LoadOptions(keepGoing: true))
        let result = try policy.runtime.registerKeepingGoing(object: object.id)
        #expect(result.registered.map(\.name) == ["pol"])
        #expect(result.failed.map(\.location.program) == ["pol_bad"])
        try policy.runtime.unregister(.name("pol"))
        try policy.runtime.close(object: object.id)
        try policy.expectNothingLeft()
    }

    @Test("only the maps asked for; an unknown one is ENOENT; none at all is ENOENT")
    func selection() throws {
        let policy = try PolicyRuntime()
        let bytes = try BPFCompiler.compile(Self.twoMaps(second: ".name = \"second\","))
        let only = try policy.runtime.register(
            bytes, name: "two.bpf.o", options: LoadOptions(maps: ["second"]))
        #expect(only.map(\.name) == ["second"])
        #expect(
            try refusal {
                _ = try policy.runtime.register(
                    bytes, name: "two.bpf.o", options: LoadOptions(maps: ["third"]))
            }.errno == OpsError.enoent)
        let empty = try BPFCompiler.compile(
            "char _license[] __attribute__((section(\"license\"))) = \"GPL\";")
        #expect(
            try refusal { _ = try policy.runtime.register(empty, name: "empty.o") }.errno == OpsError.enoent)
        try policy.runtime.unregister(.name("second"))
        try policy.expectNothingLeft()
    }

    @Test("a name that matches several is refused with their ids")
    func ambiguous() throws {
        let policy = try PolicyRuntime()
        let one = try policy.register(PolicyObject.source())
        let second = PolicyObject.source().replacingOccurrences(
            of: ".name = \"pol\"", with: ".name = \"pol2\"")
        let two = try policy.register(second)
        let error = try refusal { try policy.runtime.unregister(.name("pol")) }
        #expect(error.errno == OpsError.einval)
        #expect(error.text.contains("id \(one.id), \(two.id)"))
        #expect(try policy.runtime.registrations(.name("pol")).count == 2)
        #expect(try refusal { _ = try policy.runtime.registrations(.id(999)) }.errno == OpsError.enoent)
        for map in [one, two] { try policy.runtime.unregister(.id(map.id)) }
        try policy.expectNothingLeft()
    }

    @Test("the ops name is taken: EEXIST, and nothing is left of the second")
    func taken() throws {
        let policy = try PolicyRuntime()
        let one = try policy.register(PolicyObject.source())
        let error = try refusal { _ = try policy.register(PolicyObject.source()) }
        #expect(error.errno == OpsError.eexist)
        #expect(try policy.runtime.registrations().map(\.id) == [one.id])
        try policy.runtime.unregister(.id(one.id))
        try policy.expectNothingLeft()
    }

    @Test("a link registration is updated to another object's map, by expected id, and ends with its link")
    func update() throws {
        let policy = try PolicyRuntime()
        let first = try policy.register(PolicyObject.source(section: ".struct_ops.link"))
        let link = try #require(try policy.runtime.registrations().first?.linkID)
        let object = try policy.load(PolicyObject.source(section: ".struct_ops.link", value: "p->value + 1"))
        #expect(
            try refusal {
                _ = try policy.runtime.update(.name("pol"), object: object.id, expected: 999)
            }.errno == OpsError.ebadf)
        let (_, updated) = try policy.runtime.update(.name("pol"), object: object.id, expected: first.id)
        #expect(updated.linkID == link)
        #expect(updated.id > first.id)
        #expect(policy.runtime.map(first.id) == nil, "nobody used the old one")
        var state = Policy(value: 1)
        let map = try #require(policy.runtime.map(updated.id))
        #expect(PolicyCalls(kdata: map.kdata).ssthresh(&state) == 2)
        #expect(policy.host.state.withLock { $0.byName["pol"] } === map)
        let gone = try policy.runtime.unregister(.name("pol"))
        #expect(gone.id == updated.id)
        try policy.runtime.close(object: object.id)
        try policy.expectNothingLeft()
    }

    @Test("what is not registered through a link cannot be updated, nor to a map without link")
    func updateRefused() throws {
        let policy = try PolicyRuntime()
        let plain = try policy.load(PolicyObject.source())
        _ = try policy.runtime.register(object: plain.id)
        let error = try refusal { _ = try policy.runtime.update(.name("pol"), object: plain.id) }
        #expect(error.errno == OpsError.einval)
        #expect(error.text.contains("not registered through a link"))
        try policy.runtime.unregister(.name("pol"))
        _ = try policy.register(PolicyObject.source(section: ".struct_ops.link"))
        #expect(
            try refusal { _ = try policy.runtime.update(.name("pol"), object: plain.id) }.errno
                == OpsError.einval)
        #expect(policy.host.calls("register").count == 2)
        try policy.runtime.unregister(.name("pol"))
        try policy.runtime.close(object: plain.id)
        try policy.expectNothingLeft()
    }

    @Test("a restored registration has the id it had; later ones come after")
    func restore() throws {
        let policy = try PolicyRuntime()
        policy.runtime.reserveIDs(upTo: 40)
        let bytes = try BPFCompiler.compile(PolicyObject.source())
        let info = try policy.runtime.register(bytes, name: "pol.bpf.o", ids: ["pol": RestoredIDs(map: 17)])
        #expect(info.map(\.id) == [17])
        #expect(policy.runtime.latestID > 40)
        try policy.runtime.unregister(.id(17))
        try policy.expectNothingLeft()
    }

    @Test("by target object id: one registration per device")
    func byTarget() throws {
        let policy = try PolicyRuntime()
        let map = try policy.register(LinkTests.deviceSource(section: ".struct_ops", id: 5))
        #expect(map.targetID == 5)
        #expect(map.opsName == nil)
        #expect(policy.host.state.withLock { $0.byDevice[5] } === map)
        let same = LinkTests.deviceSource(section: ".struct_ops.link", id: 5)
        #expect(try refusal { _ = try policy.register(same) }.errno == OpsError.eexist)
        let other = try policy.register(LinkTests.deviceSource(section: ".struct_ops", id: 6))
        // Two variables of one name: selected by id.
        for map in [map, other] { try policy.runtime.unregister(.id(map.id)) }
        try policy.expectNothingLeft()
    }

    @Test("verified code is made once per object, profile, kconfig and rodata")
    func cache() throws {
        let policy = try PolicyRuntime()
        let first = try policy.load(PolicyObject.source())
        let second = try policy.load(PolicyObject.source())
        let other = try policy.load(
            PolicyObject.source(), options: LoadOptions(kconfig: ["CONFIG_HZ": "1000"]))
        let prepared = policy.runtime.core.withTables { tables in
            [first, second, other].compactMap { tables.objects[$0.id]?.prepared }.map(ObjectIdentifier.init)
        }
        #expect(prepared[0] == prepared[1])
        #expect(prepared[0] != prepared[2])
        #expect(policy.runtime.core.cache.count == 2)
        for object in [first, second, other] { try policy.runtime.close(object: object.id) }
        #expect(try refusal { try policy.runtime.close(object: first.id) }.errno == OpsError.enoent)
        try policy.expectNothingLeft()
    }

    @Test("objects that differ in what their code does not go by have one code")
    func sharedCode() throws {
        let policy = try PolicyRuntime()
        func code(_ source: String) throws -> CodeUnit {
            let object = try policy.load(source)
            defer { try? policy.runtime.close(object: object.id) }
            let prepared = policy.runtime.core.withTables { $0.objects[object.id]?.prepared }
            return try #require(prepared).code
        }
        let global = "int level = 1; int step(void) { return level; }"
        let first = try code(PolicyObject.source(name: "pol_a", extra: global))
        #expect(try code(PolicyObject.source(name: "pol_b", flags: 1, extra: global)) === first)
        let other = global.replacingOccurrences(of: "= 1", with: "= 2")
        #expect(try code(PolicyObject.source(name: "pol_a", extra: other)) === first)

        // Instructions, constants, types and their names.
        let others = [
            PolicyObject.source(name: "pol_a", value: "p->value + 1", extra: global),
            PolicyObject.source(name: "pol_a", extra: "const volatile int bound = 1; " + global),
            PolicyObject.source(name: "pol_a", extra: "const volatile int bound = 2; " + global),
            PolicyObject.source(name: "pol_a", extra: "struct bound { int x; } bound; " + global),
            PolicyObject.source(name: "pol_a", extra: "struct other { int x; } bound; " + global),
        ]
        let codes = try others.map(code) + [first]
        #expect(Set(codes.map(ObjectIdentifier.init)).count == codes.count)
        policy.runtime.dropCache()
        try policy.expectNothingLeft()
    }

    @Test("a runtime that goes takes everything along that nobody holds")
    func runtimeGoes() throws {
        weak var core: RuntimeCore?
        weak var map: StructOpsMap?
        try {
            let policy = try PolicyRuntime()
            map = try policy.register(PolicyObject.source())
            core = policy.runtime.core
            policy.host.state.withLock { $0.byName = [:] }
        }()
        #expect(map == nil)
        #expect(core == nil)
    }

    @Test("a licence that is not GPL-compatible is refused")
    func licence() throws {
        let policy = try PolicyRuntime()
        let error = try refusal { _ = try policy.register(PolicyObject.source(license: "Proprietary")) }
        #expect(error.errno == OpsError.einval)
        #expect(error.text == "struct ops programs must have a GPL compatible license")
        try policy.expectNothingLeft()
    }
}
