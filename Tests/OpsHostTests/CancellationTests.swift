import ControlAPI
import Foundation
import OpsHost
import Testing

/// A verification that nobody waits for ends, and leaves nothing behind.
@Suite("Cancellation", .enabled(if: BPFClang.isPresent, "no clang with the bpf target on PATH"))
struct CancellationTests {
    private let host: RuntimeHost
    private let object: [UInt8]

    init() throws {
        host = try RuntimeHost()
        let clang = try BPFClang(header: try host.btfAsC(), include: BPFClang.examples)
        object = try clang.compile(
            """
            SEC("struct_ops/ssthresh") __u32 OPS_PROG(two, struct sock *sk) { return 2; }
            SEC("struct_ops/undo_cwnd") __u32 OPS_PROG(three, struct sock *sk) { return 3; }
            SEC("struct_ops/cong_avoid") void OPS_PROG(nothing, struct sock *sk, __u32 ack, __u32 acked) {}
            SEC(".struct_ops") struct tcp_congestion_ops fixed = {
                .ssthresh = (void *)two, .undo_cwnd = (void *)three, .cong_avoid = (void *)nothing, .name = "fixed",
            };
            """, name: "fixed.bpf.c")
    }

    @Test func aCheckEndsWithTheProgramItIsAt() throws {
        #expect(try host.check(object, name: "fixed.bpf.o", CheckRequest()).count == 3)
        let some = try host.check(object, name: "fixed.bpf.o", CheckRequest(isCancelled: { true }))
        #expect(some.count == 1)
    }

    @Test("a registration leaves nothing", arguments: [false, true])
    func registration(keepsGoing: Bool) throws {
        let parameters = RegisterParameters(
            object: Data(object).base64EncodedString(), keepGoing: keepsGoing, file: "fixed.bpf.o")
        let refusal = #expect(throws: Refusal.self) {
            try host.register(parameters, uid: 0, isCancelled: { true })
        }
        #expect(refusal?.code == "cancelled" && refusal?.errno == Int(ECANCELED))
        #expect(try host.list(Selector()).isEmpty)
        // The next one is judged anew.
        #expect(try host.register(parameters, uid: 0).added.map(\.name) == ["fixed"])
    }
}
