import BPF
import Foundation
import Testing
import Verifier

@testable import OpsCore

/// The objects that the project promises to load, compiled against our header and against a real kernel's, linked with
/// the types that the simulator offers.
@Suite("acceptance objects") struct AcceptanceTests {
    static let examples = ["reno", "cubic", "dctcp"].map { "Examples/\($0).bpf.c" }
    static let loadable = ["storage_dctcp", "cc_cubic", "write_pacing", "update", "kfunc_callers"]
    /// These link; what refuses them comes later: the verifier, or the type's own rules.
    static let refusedLater = ["fail_incomplete", "fail_get_info", "fail_licence", "fail_release_setsockopt"]
    static var all: [String] {
        examples + (loadable + refusedLater).map { "Tests/Fixtures/objects/acceptance/\($0).bpf.c" }
    }

    static func options() throws -> LinkOptions {
        let file = CompiledObject.repository.appending(path: "Sources/KernelABI/kernel.btf")
        let btf = try BTF(parsing: [UInt8](Data(contentsOf: file)))
        var options = LinkOptions(
            target: btf, kconfig: ["CONFIG_HZ": .number(250)], targetName: "profile 6.12")
        for prefix in ["tcp_", "cubictcp_", "bbr_", "dctcp_"] {
            for type in btf.types {
                guard case .function(let function) = type, function.name.hasPrefix(prefix),
                    let id = btf.function(named: function.name)?.id
                else { continue }
                options.kfuncs[function.name] = KfuncPrototype(
                    name: function.name, function: BTFRef(btf: 1, id: id))
            }
        }
        return options
    }

    static func link(_ source: String, headers: String) throws -> LinkedObject {
        let bytes = try CompiledObject.bytes(of: source, includes: [headers])
        return try OpsCore.link(try parseObject(bytes, name: source), options: try options())
    }

    @Test("link with our header, nothing missing", arguments: all)
    func linkWithOurs(source: String) throws {
        let object = try Self.link(source, headers: try KernelHeaders.ours())
        #expect(object.failures.isEmpty)
        for program in object.programs {
            #expect(program.image.poisons.isEmpty, "\(program.image.name): \(program.image.poisons)")
            #expect(program.member != nil)
        }
        #expect(object.structOps.allSatisfy { !$0.programs.isEmpty })
    }

    @Test(
        "link to the same instructions when compiled against the running kernel's header",
        .enabled(if: KernelHeaders.hasRunningKernel, "needs bpftool and /sys/kernel/btf/vmlinux"),
        arguments: all)
    func linkAlike(source: String) throws {
        let ours = try Self.link(source, headers: try KernelHeaders.ours())
        let theirs = try Self.link(source, headers: try KernelHeaders.running.get())
        #expect(ours.programs.map(\.image.name) == theirs.programs.map(\.image.name))
        for (a, b) in zip(ours.programs, theirs.programs) {
            let (left, right) = (disassemble(a.image.insns), disassemble(b.image.insns))
            #expect(left == right, "\(a.image.name): \(left.difference(from: right))")
            #expect(a.image.relocated == b.image.relocated, "\(a.image.name)")
        }
        #expect(ours.structOps.map(\.data) == theirs.structOps.map(\.data))
    }

    @Test("cubic's configuration is a constant")
    func readsConfiguration() throws {
        let object = try Self.link("Examples/cubic.bpf.c", headers: try KernelHeaders.ours())
        let kconfig = try #require(object.maps.first { $0.origin == .kconfig })
        #expect(kconfig.description.constants == [250, 0, 0, 0])
        #expect(kconfig.description.isReadOnly)
    }

    @Test("links and variables on request are told apart")
    func readsUpdate() throws {
        let object = try Self.link(
            "Tests/Fixtures/objects/acceptance/update.bpf.c", headers: try KernelHeaders.ours())
        #expect(object.structOps.map(\.name) == ["first", "second", "other_name", "not_a_link"])
        #expect(object.structOps.map(\.isLink) == [true, true, true, false])
    }
}
