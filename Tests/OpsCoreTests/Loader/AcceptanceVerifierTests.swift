import BPF
import Testing
import Verifier

@testable import OpsCore

/// Linked acceptance objects before the verifier, in the context that TCP gives its programs.
@Suite("acceptance objects before the verifier") struct AcceptanceVerifierTests {
    /// The base set, and what TCP adds.
    static let helpers: Set<Int32> = [1, 2, 3, 5, 6, 7, 8, 49, 57, 107, 108, 116, 118, 160, 164, 181]

    static func context(_ member: MemberReference, _ options: LinkOptions) throws -> ProgramContext {
        let btf = options.target
        guard case .composite(let type) = btf[member.structure] else {
            throw CompiledObject.ToolFailure(description: "type")
        }
        let prototype = try #require(btf.pointee(of: type.members[member.index].type))
        func id(_ name: String) throws -> TypeID { try #require(btf.composite(named: name)).id }
        // A `sock` is promoted to a `tcp_sock`, so that is where every write is judged.
        func writable(_ path: String, inner: Bool = false) throws -> ProgramContext.WritableField {
            let field = try #require(btf.field(path: path, in: try id("tcp_sock")), "\(path)")
            return ProgramContext.WritableField(
                structure: try id("tcp_sock"), offset: field.byteOffset, byteCount: field.byteCount,
                allowsInnerOffsets: inner)
        }
        let plain = [
            "snd_cwnd", "snd_cwnd_cnt", "snd_cwnd_stamp", "snd_ssthresh", "ecn_flags", "app_limited",
            "inet_conn.icsk_ack.pending", "inet_conn.icsk_inet.sk.sk_pacing_rate",
            "inet_conn.icsk_inet.sk.sk_pacing_status",
        ]
        let fields =
            try plain.map { try writable($0) } + [try writable("inet_conn.icsk_ca_priv", inner: true)]
        let isRelease = member.memberName == "release"
        return ProgramContext(
            name: "\(member.structName).\(member.memberName)",
            arguments: .slots(prototype: prototype, stub: nil),
            target: btf, helpers: isRelease ? helpers.subtracting([49, 57]) : helpers,
            refusedHelpers: isRelease ? [49: "a socket that goes away takes no options"] : [:],
            writable: fields,
            promotions: [try id("sock"): try id("tcp_sock")])
    }

    @Test(
        "are accepted, program by program",
        arguments: AcceptanceTests.examples
            + AcceptanceTests.loadable.map { "Tests/Fixtures/objects/acceptance/\($0).bpf.c" })
    func accepts(source: String) throws {
        let options = try AcceptanceTests.options()
        let object = try AcceptanceTests.link(source, headers: try KernelHeaders.ours())
        for program in object.programs {
            let context = try Self.context(try #require(program.member), options)
            switch verify(program.image, in: context) {
            case .accepted: break
            case .rejected(let report), .unsupported(let report):
                Issue.record("\(source) \(program.image.name): \(report)")
            }
        }
    }

    @Test("setsockopt in release is refused")
    func refusesRelease() throws {
        let options = try AcceptanceTests.options()
        let object = try AcceptanceTests.link(
            "Tests/Fixtures/objects/acceptance/fail_release_setsockopt.bpf.c",
            headers: try KernelHeaders.ours())
        let program = try #require(object.program(named: "late_release"))
        guard
            case .rejected = verify(
                program.image, in: try Self.context(try #require(program.member), options))
        else {
            Issue.record("was accepted")
            return
        }
    }
}
