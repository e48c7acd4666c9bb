import Testing

@testable import OpsCore

@Suite("Show, dump, check", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct ShowTests {
    @Test("show says what is registered, programs and maps what is loaded")
    func show() throws {
        let policy = try PolicyRuntime()
        let object = try policy.load(
            PolicyObject.source(name: "a_rather_long_name", section: ".struct_ops.link"),
            options: LoadOptions(uid: 1000, loadedAt: 1_700_000_000))
        let info = try #require(try policy.runtime.register(object: object.id).first)
        #expect(info.name == "a_rather_long_n")
        #expect(info.opsName == "a_rather_long_n")
        #expect(info.type == "policy_ops")
        #expect(info.state == .ready)
        #expect(info.refs == 1)
        #expect(info.uid == 1000)
        #expect(info.objectID == object.id)
        #expect(info.objectSHA256.count == 64)

        let programs = policy.runtime.programs()
        #expect(programs.map(\.fullName) == ["pol_ssthresh", "pol_adjust"])
        #expect(programs.map(\.member) == ["ssthresh", "adjust"])
        #expect(programs.allSatisfy { $0.type == "policy_ops" && $0.tag.count == 16 && $0.jitedBytes > 0 })
        #expect(programs.allSatisfy { $0.loadedAt == 1_700_000_000 && $0.bound > 0 && $0.isGPLCompatible })
        let maps = policy.runtime.maps()
        #expect(maps.map(\.typeName).sorted() == ["array", "struct_ops"])
        #expect(programs.first?.mapIDs == maps.filter { $0.typeName == "array" }.map(\.id))
        #expect(policy.events.kinds(.register).map(\.id) == [info.id])
        try policy.runtime.close(object: object.id)
        try policy.runtime.unregister(.id(info.id))
        #expect(policy.runtime.memoryCharged(to: 1000) == 0)
    }

    @Test("dump prints the value through BTF, ops as prototype, function and program id")
    func dump() throws {
        let policy = try PolicyRuntime()
        let map = try policy.register(PolicyObject.source(flags: 2))
        let (registration, value) = try #require(try policy.runtime.dump(.id(map.id)).first)
        #expect(registration.id == map.id)
        guard case .structure(let fields) = value else { return #expect(Bool(false), "\(value)") }
        #expect(fields.map(\.name) == ["common", "data"])
        guard case .structure(let common) = fields[0].value, case .structure(let data) = fields[1].value
        else {
            return #expect(Bool(false), "\(fields)")
        }
        #expect(common.last?.value == .string("BPF_STRUCT_OPS_STATE_INUSE"))
        let byName = Dictionary(uniqueKeysWithValues: data.map { ($0.name, $0.value) })
        let id = try #require(map.programs.first).programID
        #expect(byName["ssthresh"] == .string("u32 (struct policy *) pol_ssthresh/prog_id:\(id)"))
        #expect(byName["allow"] == .string("bool (struct policy *) 0"))
        #expect(byName["name"] == .string("pol"))
        #expect(byName["flags"] == .uint(2))
        try policy.runtime.unregister(.id(map.id))
        try policy.expectNothingLeft()
    }

    @Test("inspect tells variables, types and ops names without loading")
    func inspect() throws {
        let policy = try PolicyRuntime()
        let bytes = try BPFCompiler.compile(PolicyObject.source(name: "mine", section: "?.struct_ops.link"))
        #expect(
            try policy.runtime.inspect(bytes, name: "mine.o") == [
                .init(name: "mine", type: "policy_ops", opsName: "mine", isLink: true, autocreate: false)
            ])
        try policy.expectNothingLeft()
    }

    @Test("check judges each program on its own and leaves nothing")
    func check() throws {
        let source = PolicyObject.source(
            extra: """
                SEC("struct_ops/x") int pol_bad(u64 *ctx) { *(volatile long *)((char *)ctx + 800) = 1; return 0; }
                SEC("?struct_ops/allow") int pol_free(u64 *ctx) { return 1; }
                SEC("tc") int pol_tc(void *ctx) { return 0; }
                """, members: ".allow = (void *)pol_bad,")
        let policy = try PolicyRuntime()
        let bytes = try BPFCompiler.compile(source)
        let checked = try policy.runtime.check(bytes, name: "mix.bpf.o")
        let byName = Dictionary(uniqueKeysWithValues: checked.map { ($0.program, $0) })
        #expect(checked.count == 5)
        #expect(byName["pol_ssthresh"]?.verdict == .accept)
        #expect(byName["pol_ssthresh"]?.context == "policy_ops.ssthresh")
        #expect((byName["pol_ssthresh"]?.bound ?? 0) > 0)
        #expect(byName["pol_bad"]?.verdict == .reject)
        #expect(byName["pol_bad"]?.reason?.problem.isEmpty == false)
        #expect(byName["pol_free"]?.verdict == .accept)
        #expect(byName["pol_free"]?.context == "policy_ops.allow")
        #expect(byName["pol_tc"]?.verdict == .accept)
        #expect(byName["pol_tc"]?.context == "tc")
        let one = try policy.runtime.check(
            bytes, name: "mix.bpf.o", options: CheckOptions(program: "pol_tc", context: .none))
        #expect(one.map(\.verdict) == [.accept])
        #expect(
            try refusal {
                _ = try policy.runtime.check(
                    bytes, name: "mix.bpf.o", options: CheckOptions(program: "nobody"))
            }.errno == OpsError.enoent)
        try policy.expectNothingLeft()
    }
}
