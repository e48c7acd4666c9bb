import BPF
import Foundation
import Synchronization
import Testing

@testable import OpsCore

/// One superset of types, seen as another kernel has it.
@Suite("Kernel profiles", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct ProfileTests {
    static let old = KernelProfile(
        name: "old", hiddenMembers: ["policy_ops.allow"],
        prototypes: [.init(member: "policy_ops.adjust", function: "adjust_old", arguments: [0, 2])],
        kconfig: ["CONFIG_HZ": "100"], flagMasks: ["policy_ops.flags": 1])

    static func runtime() throws -> PolicyRuntime {
        try PolicyRuntime(host: PolicyHost { $0.profiles = [.linux6_12, old] })
    }

    @Test("a hidden member is gone, offsets stay")
    func hidden() throws {
        let policy = try Self.runtime()
        let profiles = policy.runtime.core.types.withLock { $0.subsystems[0].profiles }
        let full = try #require(profiles[0].types.first { $0.name == "policy_ops" })
        let view = try #require(profiles[1].types.first { $0.name == "policy_ops" })
        #expect(full.member(named: "allow") != nil)
        #expect(view.member(named: "allow") == nil)
        #expect(view.byteCount == full.byteCount)
        #expect(view.member(named: "small")?.byteOffset == full.member(named: "small")?.byteOffset)
        #expect(policy.runtime.profiles(ofType: "policy_ops") == ["6.12", "old"])
        // The hidden member's bytes are padding: nobody may set them.
        var value = [UInt8](repeating: 0, count: view.value.byteCount)
        let allow = try #require(full.member(named: "allow"))
        value[view.value.dataOffset + allow.byteOffset] = 1
        #expect(view.nonzeroPadding(in: value)?.structure == "policy_ops")
        #expect(full.nonzeroPadding(in: value) == nil)
    }

    @Test("a program for a hidden member is refused by name; unset it is skipped")
    func hiddenMember() throws {
        let policy = try Self.runtime()
        let source = PolicyObject.source(
            extra: "SEC(\"struct_ops/allow\") int pol_allow(u64 *ctx) { return 1; }",
            members: ".allow = (void *)pol_allow,")
        let bytes = try BPFCompiler.compile(source)
        let error = try refusal {
            _ = try policy.runtime.register(bytes, name: "pol.bpf.o", options: LoadOptions(profile: "old"))
        }
        #expect(error.location.member == "allow" || error.text.contains("allow"), "\(error)")
        let info = try policy.runtime.register(
            bytes, name: "pol.bpf.o", options: LoadOptions(profile: "6.12"))
        #expect(info.count == 1)
        try policy.runtime.unregister(.name("pol"))
        #expect(
            try refusal {
                _ = try policy.runtime.load(bytes, name: "pol.bpf.o", options: LoadOptions(profile: "9.9"))
            }.errno == OpsError.einval)
        try policy.expectNothingLeft()
    }

    @Test("a swapped prototype gets the arguments that its kernel passes")
    func swapped() throws {
        let policy = try Self.runtime()
        let source = PolicyObject.source(adjust: "ctx[1]")
        let bytes = try BPFCompiler.compile(source)
        var state = Policy()
        for (profile, expected) in [("6.12", Int32(11)), ("old", 22)] {
            let info = try #require(
                try policy.runtime.register(bytes, name: "pol.bpf.o", options: LoadOptions(profile: profile))
                    .first)
            let map = try #require(policy.runtime.map(info.id))
            #expect(PolicyCalls(kdata: map.kdata).adjust(&state, 11, 22) == expected)
            try policy.runtime.unregister(.id(info.id))
        }
        try policy.expectNothingLeft()
    }

    @Test("flags have the profile's mask")
    func flags() throws {
        let policy = try Self.runtime()
        let bytes = try BPFCompiler.compile(PolicyObject.source(flags: 2, adjust: "ctx[1]"))
        let error = try refusal {
            _ = try policy.runtime.register(bytes, name: "pol.bpf.o", options: LoadOptions(profile: "old"))
        }
        #expect(error.errno == OpsError.einval)
        #expect(error.location.member == "flags")
        try policy.expectNothingLeft()
    }

    @Test("a profile that names what is not there refuses the subsystem")
    func badProfile() throws {
        let runtime = OpsRuntime()
        for bad in [
            KernelProfile(name: "bad", hiddenMembers: ["policy_ops.nothing"]),
            KernelProfile(
                name: "bad",
                prototypes: [.init(member: "policy_ops.adjust", function: "nobody", arguments: [])]),
        ] {
            let host = try PolicyHost { $0.profiles = [bad] }
            #expect(throws: OpsError.self) { try runtime.add(host) }
        }
        #expect(runtime.types().isEmpty)
    }
}
