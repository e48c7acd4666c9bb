import BPF
import Testing
import Verifier

@testable import OpsCore

/// The checks of a program load, struct_ops.md §1.4, in order, with errno and the kernel's words.
///
/// Without a meaning here: 3 "owner module gone" — a subsystem stays as long as its runtime; 9 "private stack" — ops run on a
/// stack sized for the deepest chain.
@Suite("Program load", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct ProgramAttachmentTests {
    private func image(gpl: Bool = true, tailCall: Bool = false) -> ProgramImage {
        var insns = [Instruction(opcode: Opcode.exit)]
        if tailCall { insns.insert(Instruction(opcode: Opcode.call, imm: 12), at: 0) }
        return ProgramImage(name: "prog", section: "struct_ops/x", insns: insns, isGPLCompatible: gpl)
    }

    private func refused(
        _ type: RegisteredType, member: Int, attached: Bool = true, unknown: Bool = false, gpl: Bool = true,
        sleepable: Bool = false, tailCall: Bool = false
    ) throws -> OpsError {
        let attachment = ProgramAttachment(type: attached ? type.ref : nil, memberIndex: member)
        return try refusal {
            _ = try RegisteredType.context(
                for: attachment, type: unknown ? nil : type, program: image(gpl: gpl, tailCall: tailCall),
                isSleepable: sleepable, helpers: [])
        }
    }

    @Test("refuses in the kernel's order and words")
    func order() throws {
        let type = try PolicyRuntime().type()
        let index = { (name: String) in try #require(type.member(named: name)).index }
        // Everything is wrong: the licence comes first, then what the program is attached to.
        var error = try refused(type, member: 999, attached: false, unknown: true, gpl: false)
        #expect(error.errno == OpsError.einval)
        #expect(error.text == "struct ops programs must have a GPL compatible license")
        error = try refused(type, member: 999, attached: false, unknown: true)
        #expect(error.errno == OpsError.enotsupp)
        error = try refused(type, member: 999, unknown: true)
        #expect(error.errno == OpsError.enotsupp)
        #expect(error.text == "attach_btf_id \(type.structure.rawValue) is not a supported struct")
        error = try refused(type, member: 999)
        #expect(error.errno == OpsError.einval)
        #expect(error.text == "attach to invalid member idx 999 of struct policy_ops")
        error = try refused(type, member: try index("name"))
        #expect(error.errno == OpsError.einval)
        #expect(error.text == "attach to invalid member name(@idx 7) of struct policy_ops")
        error = try refused(type, member: try index("get_info"))
        #expect(error.errno == OpsError.enotsupp)
        #expect(error.text == "attach to unsupported member get_info of struct policy_ops")
        error = try refused(type, member: try index("ssthresh"), sleepable: true)
        #expect(error.errno == OpsError.einval)
        #expect(error.text == "attach to unsupported member ssthresh of struct policy_ops")
    }

    @Test("a program with a __ref argument cannot tail call")
    func tailCall() throws {
        let policy = try PolicyRuntime(
            host: PolicyHost { description in
                let btf = PolicyHeader.btfSource + "int event_ref(struct policy *p__ref) { return 0; }"
                description.btf = (try? BPFCompiler.btf(btf)) ?? []
                description.types[1].members["event"] = .init(stub: "event_ref")
            })
        let type = try policy.type("device_ops")
        let error = try refused(type, member: 1, tailCall: true)
        #expect(error.errno == OpsError.einval)
        #expect(error.text == "program with __ref argument cannot tail call")
    }

    @Test("makes the member's context")
    func context() throws {
        let policy = try PolicyRuntime(
            host: PolicyHost { description in
                description.types[0].members["adjust"] = .init(
                    allowsSleepable: true, refusedHelpers: [42: "not here"], helpers: [49],
                    kfuncs: ["policy_half"])
                description.types[0].writable = [.init("policy", "calls")]
            })
        let type = try policy.type()
        let context = try RegisteredType.context(
            for: ProgramAttachment(type: type.ref, memberIndex: 1), type: type, program: image(),
            isSleepable: true, helpers: [1, 2])
        #expect(context.name == "policy_ops.adjust")
        #expect(context.helpers == [1, 2, 49])
        #expect(context.refusedHelpers == [42: "not here"])
        #expect(context.kfuncs == ["policy_half"])
        #expect(context.isSleepable)
        #expect(context.targetID == type.btf.id)
        #expect(context.writable.map(\.offset) == [4])
        #expect(context.writable.map(\.byteCount) == [4])
    }

    @Test("a writable field of an embedded struct is one of the struct that arguments are promoted to")
    func promotedFields() throws {
        let btf =
            PolicyHeader.btfSource + """
                struct inner { int a; int b; };
                struct middle { long x; struct inner in; };
                struct outer { struct policy p; struct middle m; };
                void more(struct outer *o) {}
                """
        let policy = try PolicyRuntime(
            host: PolicyHost { description in
                description.btf = (try? BPFCompiler.btf(btf)) ?? []
                description.types[0].promotions = ["policy": "outer"]
                description.types[0].writable = [
                    .init("inner", "b"), .init("policy", "calls"), .init("outer", "m.x"),
                ]
            })
        let type = try policy.type()
        let outer = try #require(type.btf.types.composite(named: "outer")).id
        #expect(type.writable.map(\.structure) == [outer, outer, outer])
        #expect(type.writable.map(\.offset) == [8 + 8 + 4, 4, 8])
    }
}
