import BPF
import Testing

@testable import OpsCore

/// What a host writes to offer one C struct to programs, and what it gets.
@Suite("A host of its own", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct HostTests {
    /// The whole of a host: a type, two callbacks.
    final class TenLines: Subsystem {
        let description: SubsystemDescription
        init() throws {
            description = SubsystemDescription(
                name: "ten", btf: try BPFCompiler.btf(PolicyHeader.btfSource),
                types: [
                    StructOpsType(
                        name: "policy_ops", members: ["ssthresh": .init(), "adjust": .init()],
                        fields: ["name": .name])
                ])
        }
        func register(_ map: StructOpsMap, link: StructOpsLink?) throws(OpsError) {}
    }

    @Test("registers, is called through the C pointer, unregisters")
    func tenLineHost() throws {
        let runtime = OpsRuntime()
        try runtime.add(try TenLines())
        let object = try BPFCompiler.compile(PolicyObject.source())
        let id = try #require(try runtime.register(object, name: "pol.bpf.o").first).id
        let map = try #require(runtime.map(id))
        var policy = Policy(value: 42)
        #expect(PolicyCalls(kdata: map.kdata).ssthresh(&policy) == 42)
        #expect(PolicyCalls(kdata: map.kdata).adjust(&policy, 5, 7) == -2)
        try runtime.unregister(.id(id))
        #expect(try runtime.registrations().isEmpty)
        #expect(runtime.memoryCharged(to: 0) == 0)
    }
}
