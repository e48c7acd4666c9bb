import BPF
import JIT
import Synchronization
import Testing

@testable import OpsCore

/// The checks of struct_ops.md §1.2, each with its errno.
///
/// Without a meaning here: "a `struct module *` member when the module type is unknown" — the member is known by the name of
/// what it points to.
@Suite("Registering types", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct TypeRegistrationTests {
    struct Bad: CustomStringConvertible, Sendable {
        var description: String
        var errno: CInt
        var reason: String
        /// Members of `struct t_ops`.
        var members: String
        var type = StructOpsType(name: "t_ops", members: ["f": .init()])
        var value =
            "struct bpf_struct_ops_t_ops { struct bpf_struct_ops_common_value common; struct t_ops data; };"
        var extra = ""
    }

    static let longName = String(repeating: "n", count: 113)
    static let refused: [Bad] = [
        Bad(
            description: "2 name of 128 bytes with its prefix", errno: OpsError.einval,
            reason: "does not fit in 128 bytes",
            members: "int (*f)(void);", type: StructOpsType(name: longName, members: ["f": .init()])),
        Bad(
            description: "3 no stubs", errno: OpsError.einval, reason: "offers no member",
            members: "int (*f)(void);",
            type: StructOpsType(name: "t_ops", members: [:])),
        Bad(
            description: "4 no struct", errno: OpsError.einval, reason: "struct 'u_ops' is not in the BTF",
            members: "int (*f)(void);", type: StructOpsType(name: "u_ops", members: ["f": .init()])),
        Bad(
            description: "5 65 members", errno: OpsError.einval, reason: "has 65 members, at most 64",
            members: "int (*f)(void);" + (0..<64).map { "int m\($0);" }.joined()),
        Bad(
            description: "6 no value struct", errno: OpsError.einval,
            reason: "struct 'bpf_struct_ops_t_ops' is not in the BTF",
            members: "int (*f)(void);", value: "struct other { struct t_ops data; };"),
        Bad(
            description: "7 three members", errno: OpsError.einval,
            reason: "must be a bpf_struct_ops_common_value followed by",
            members: "int (*f)(void);",
            value:
                "struct bpf_struct_ops_t_ops { struct bpf_struct_ops_common_value common; struct t_ops data; int x; };"
        ),
        Bad(
            description: "7 wrong order", errno: OpsError.einval,
            reason: "must be a bpf_struct_ops_common_value followed by",
            members: "int (*f)(void);",
            value:
                "struct bpf_struct_ops_t_ops { struct t_ops data; struct bpf_struct_ops_common_value common; };"
        ),
        Bad(
            description: "8 anonymous member", errno: OpsError.eopnotsupp, reason: "member 1 is anonymous",
            members: "int (*f)(void); struct { int a; };"),
        Bad(
            description: "8 bit field", errno: OpsError.eopnotsupp, reason: "t_ops.bits is a bit field",
            members: "int (*f)(void); int bits : 3;"),
        Bad(
            description: "10 returns a pointer to int", errno: OpsError.eopnotsupp,
            reason: "t_ops.f returns a pointer to something that is not a struct", members: "int *(*f)(void);"
        ),
        Bad(
            description: "11 returns 16 bytes", errno: OpsError.eopnotsupp, reason: "returns 16 bytes",
            members: "__int128 (*f)(void);"),
        Bad(
            description: "12 13 arguments", errno: OpsError.einval, reason: "takes 13 arguments, at most 12",
            members: "int (*f)(\(Array(repeating: "int", count: 13).joined(separator: ",")));"),
        Bad(
            description: "12 variadic", errno: OpsError.einval, reason: "variable number of arguments",
            members: "int (*f)(int, ...);"),
        Bad(
            description: "12 struct by value", errno: OpsError.einval,
            reason: "is the struct 'pair' by value",
            members: "int (*f)(struct pair p);"),
        Bad(
            description: "12 struct result", errno: OpsError.einval,
            reason: "its result is the struct 'one' by value",
            members: "struct one (*f)(void);"),
        Bad(
            description: "12 argument of 16 bytes", errno: OpsError.einval,
            reason: "neither an integer of up to 8 bytes",
            members: "int (*f)(__int128 x);"),
        Bad(
            description: "13 no stub function", errno: OpsError.enoent,
            reason: "its stub function 'nobody' is not in the BTF",
            members: "int (*f)(struct pair *p);",
            type: StructOpsType(name: "t_ops", members: ["f": .init(stub: "nobody")])),
        Bad(
            description: "13 stub with another number of arguments", errno: OpsError.einval,
            reason: "has 2 arguments, the member has 1",
            members: "int (*f)(struct pair *p);",
            type: StructOpsType(name: "t_ops", members: ["f": .init(stub: "stub")]),
            extra: "int stub(struct pair *p, int x) { return 0; }"),
        Bad(
            description: "13 tagged argument of another type", errno: OpsError.einval,
            reason: "has another type than the member's",
            members: "int (*f)(struct pair *p);",
            type: StructOpsType(name: "t_ops", members: ["f": .init(stub: "stub")]),
            extra: "struct other { int y; }; int stub(struct other *p__nullable) { return 0; }"),
        Bad(
            description: "tag on no struct pointer", errno: OpsError.einval,
            reason: "carries a tag but is no pointer to a struct",
            members: "int (*f)(int x);",
            type: StructOpsType(name: "t_ops", members: ["f": .init(stub: "stub")]),
            extra: "int stub(int x__ref) { return 0; }"),
        Bad(
            description: "member that the struct does not have", errno: OpsError.einval,
            reason: "t_ops.g is no function-pointer member",
            members: "int (*f)(void);",
            type: StructOpsType(name: "t_ops", members: ["f": .init(), "g": .init()])),
        Bad(
            description: "field that the struct does not have", errno: OpsError.einval,
            reason: "t_ops.name is no member",
            members: "int (*f)(void);",
            type: StructOpsType(name: "t_ops", members: ["f": .init()], attachment: .name(member: "name"))),
        Bad(
            description: "writable field that nobody has", errno: OpsError.einval,
            reason: "unknown writable field 'pair.c'",
            members: "int (*f)(struct pair *p);",
            type: StructOpsType(name: "t_ops", members: ["f": .init()], writable: [.init("pair", "c")])),
        Bad(
            description: "promotion to nothing", errno: OpsError.einval, reason: "promotes 'pair' to 'trio'",
            members: "int (*f)(struct pair *p);",
            type: StructOpsType(name: "t_ops", members: ["f": .init()], promotions: ["pair": "trio"])),
    ]

    final class Types: Subsystem {
        let description: SubsystemDescription
        let preparing: @Sendable (String) throws(OpsError) -> Void
        init(
            _ description: SubsystemDescription,
            preparing: @escaping @Sendable (String) throws(OpsError) -> Void = { _ in }
        ) {
            self.description = description
            self.preparing = preparing
        }
        func prepare(type: String) throws(OpsError) { try preparing(type) }
        func register(_ map: StructOpsMap, link: StructOpsLink?) throws(OpsError) {}
    }

    static func btf(_ bad: Bad) throws -> [UInt8] {
        try BPFCompiler.btf(
            """
            enum bpf_struct_ops_state { A };
            struct bpf_struct_ops_common_value { int refcnt; enum bpf_struct_ops_state state; };
            struct pair { long a; long b; };
            struct one { int a; };
            struct good_ops { int (*f)(struct pair *p); };
            struct bpf_struct_ops_good_ops { struct bpf_struct_ops_common_value common; struct good_ops data; };
            struct t_ops { \(bad.members) };
            \(bad.value)
            \(bad.extra)
            void types(struct bpf_struct_ops_t_ops *v, struct t_ops *t, struct bpf_struct_ops_good_ops *g, struct pair *p) {}
            """)
    }

    @Test("refuses, logs, and takes nothing else down", arguments: refused)
    func refuses(_ bad: Bad) throws {
        let policy = try PolicyRuntime()
        let good = StructOpsType(name: "good_ops", members: ["f": .init()])
        let description = SubsystemDescription(
            name: "types", btf: try Self.btf(bad), types: [bad.type, good])
        let errors = try policy.runtime.add(Types(description))
        #expect(errors.count == 1)
        #expect(errors.first?.errno == bad.errno)
        #expect(errors.first?.text.contains(bad.reason) == true, "\(errors.first?.text ?? "")")
        #expect(policy.runtime.types().map(\.type).sorted() == ["device_ops", "good_ops", "policy_ops"])
        #expect(policy.events.kinds(.typeRefused).map(\.error) == errors)
    }

    static let fine = Bad(
        description: "fine", errno: 0, reason: "",
        members: "int (*f)(struct pair *p); int (*unsupported)(int, ...);")

    @Test("1 the same type twice is EEXIST; 14 a failing init is EINVAL")
    func twiceAndInit() throws {
        let runtime = OpsRuntime()
        let type = Self.fine.type
        let refused = try runtime.add(
            Types(SubsystemDescription(name: "twice", btf: try Self.btf(Self.fine), types: [type, type])))
        #expect(refused.map(\.errno) == [OpsError.eexist])
        let failing = Types(SubsystemDescription(name: "init", btf: try Self.btf(Self.fine), types: [type])) {
            (_: String) throws(OpsError) in throw OpsError("test", errno: 5, "no luck")
        }
        let errors = try runtime.add(failing)
        #expect(errors.map(\.errno) == [OpsError.einval])
        #expect(errors.first?.text.contains("no luck") == true)
        #expect(try refusal { try runtime.add(failing) }.errno == OpsError.eexist)
    }

    @Test("two BTFs may have types of one name: a type is a (BTF, id) pair")
    func twoBTFs() throws {
        let policy = try PolicyRuntime()
        try policy.runtime.add(try PolicyHost(name: "second"))
        let types = policy.runtime.core.types.withLock { $0.subsystems.flatMap { $0.profiles[0].types } }
        let refs = types.filter { $0.name == "policy_ops" }.map(\.ref)
        #expect(refs.count == 2)
        #expect(refs[0].id == refs[1].id)
        #expect(refs[0].btf != refs[1].btf)
    }

    @Test("refuses BTF that does not parse, and kfuncs that it does not have")
    func badSubsystem() throws {
        let runtime = OpsRuntime()
        let broken = Types(SubsystemDescription(name: "broken", btf: [1, 2, 3], types: []))
        #expect(try refusal { try runtime.add(broken) }.errno == OpsError.einval)
        let missing = Types(
            SubsystemDescription(
                name: "missing", btf: try Self.btf(Self.fine), types: [],
                kfuncs: [Kfunc("nobody") { _, _, _, _, _, _ in 0 }]))
        #expect(try refusal { try runtime.add(missing) }.errno == OpsError.enoent)
        #expect(runtime.types().isEmpty)
    }

    @Test("func models have each argument's and the result's width and sign")
    func funcModel() throws {
        let policy = try PolicyRuntime()
        let type = try policy.type()
        let models = Dictionary(uniqueKeysWithValues: type.members.map { ($0.name, $0.function?.model) })
        #expect(models["ssthresh"] == FuncModel(arguments: [.pointer], result: .init(byteCount: 4)))
        #expect(
            models["adjust"]
                == FuncModel(
                    arguments: [
                        .pointer, .init(byteCount: 4, isSigned: true), .init(byteCount: 4, isSigned: true),
                    ],
                    result: .init(byteCount: 4, isSigned: true)))
        #expect(
            models["allow"] == FuncModel(arguments: [.pointer], result: .init(byteCount: 1, isBool: true)))
        #expect(
            models["small"] == FuncModel(arguments: [.pointer], result: .init(byteCount: 1, isSigned: true)))
        #expect(models["medium"] == FuncModel(arguments: [.pointer], result: .init(byteCount: 2)))
        #expect(models["notify"] == FuncModel(arguments: [.pointer, .init(byteCount: 1)], result: nil))
        #expect(models["get_info"] == .some(nil))
        #expect(models["owner"] == .some(nil))
    }
}
