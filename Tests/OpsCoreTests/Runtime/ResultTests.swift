import Foundation
import Testing

@testable import OpsCore

/// The first thing that a port of struct_ops must get right: does the caller get what the program returned?
@Suite("Results of ops", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct ResultTests {
    /// R0 of the program in all 64 bits, and what the prototype makes of it.
    struct Sample: CustomStringConvertible, Sendable {
        var member: String
        var slot: Int
        /// C expression of an unsigned 64-bit R0.
        var r0: String
        var expected: UInt64
        var description: String { "\(member) returning \(r0)" }
    }

    static let samples: [Sample] = [
        Sample(member: "ssthresh", slot: 0, r0: "7", expected: 7),
        Sample(member: "ssthresh", slot: 0, r0: "0xffffffffffffffffUL", expected: 0xffff_ffff),
        Sample(member: "ssthresh", slot: 0, r0: "0x1234567880000001UL", expected: 0x8000_0001),
        // int: sign-extended.
        Sample(member: "adjust", slot: 1, r0: "0x00000000ffffffffUL", expected: 0xffff_ffff_ffff_ffff),
        Sample(member: "adjust", slot: 1, r0: "0xffffffff7fffffffUL", expected: 0x7fff_ffff),
        // bool: 0 or 1, from the low byte.
        Sample(member: "allow", slot: 2, r0: "1", expected: 1),
        Sample(member: "allow", slot: 2, r0: "0x80", expected: 1),
        Sample(member: "allow", slot: 2, r0: "0", expected: 0),
        Sample(member: "small", slot: 3, r0: "0x80", expected: 0xffff_ffff_ffff_ff80),
        Sample(member: "small", slot: 3, r0: "0xff7f", expected: 0x7f),
        Sample(member: "medium", slot: 4, r0: "0xabcdffff", expected: 0xffff),
    ]

    @Test("are narrowed to the prototype's width, sign and bool", arguments: samples)
    func narrowed(_ sample: Sample) throws {
        let source =
            switch sample.member {
            case "ssthresh": PolicyObject.source(value: sample.r0)
            case "adjust": PolicyObject.source(adjust: sample.r0)
            default:
                PolicyObject.source(
                    extra: "SEC(\"struct_ops/x\") u64 pol_x(u64 *ctx) { return \(sample.r0); }",
                    members: ".\(sample.member) = (void *)pol_x,")
            }
        let world = try PolicyRuntime()
        let map = try world.register(source)
        var policy = Policy()
        let raw = try #require(PolicyCalls(kdata: map.kdata).raw(sample.slot, &policy))
        // Only the width of the C type is promised by the System V ABI; opsd promises all of rax.
        #expect(raw == sample.expected)
    }

    @Test("an unset member is NULL, and void returns nothing")
    func unset() throws {
        let extra =
            "SEC(\"struct_ops/notify\") void pol_notify(u64 *ctx) { ((struct policy *)ctx[0])->calls; total = ctx[1]; }"
        let runtime = try PolicyRuntime()
        let map = try runtime.register(
            PolicyObject.source(extra: extra, members: ".notify = (void *)pol_notify,"))
        var policy = Policy()
        let calls = PolicyCalls(kdata: map.kdata)
        #expect(calls.raw(2, &policy) == nil)
        #expect(calls.raw(5, &policy) != nil)
        #expect(calls.raw(6, &policy) == nil)
    }

    @Test("the owner member holds the runtime's marker")
    func ownerMarker() throws {
        let runtime = try PolicyRuntime()
        let map = try runtime.register(PolicyObject.source())
        let owner = try #require(map.type.member(named: "owner"))
        #expect(map.kdata.load(fromByteOffset: owner.byteOffset, as: UInt64.self) == OpsRuntime.ownerMarker)
    }

    @Test("a kfunc is called with its argument and answers")
    func kfunc() throws {
        let source = PolicyObject.source(value: "policy_half(p->value)")
            .replacingOccurrences(
                of: "u32 total;", with: "u32 policy_half(u32 x) SEC(\".ksyms\"); u32 total;")
        let runtime = try PolicyRuntime()
        let map = try runtime.register(source)
        var policy = Policy(value: 42)
        #expect(PolicyCalls(kdata: map.kdata).ssthresh(&policy) == 21)
    }
}
