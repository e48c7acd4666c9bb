import Foundation
import Testing

/// What programs submit to a ring buffer reaches whoever follows the map through the daemon.
@Suite("Follow", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct FollowTests {
    /// Each connection submits one record when it starts.
    private static let source = """
        #include "vmlinux.h"
        #include "bpf_helpers.h"
        char licence[] SEC("license") = "GPL";
        static long (*ringbuf_output)(void *map, void *data, __u64 size, __u64 flags) = (void *)130;
        struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");

        SEC("struct_ops/init") void OPS_PROG(start, struct sock *sk)
        {
            __u64 record = 0x2a;
            ringbuf_output(&events, &record, sizeof(record), 0);
        }
        SEC("struct_ops/ssthresh") __u32 OPS_PROG(half, struct sock *sk) { return 10; }
        SEC("struct_ops/undo_cwnd") __u32 OPS_PROG(undo, struct sock *sk) { return 10; }
        SEC("struct_ops/cong_avoid") void OPS_PROG(avoid, struct sock *sk, __u32 ack, __u32 acked) {}
        SEC(".struct_ops") struct tcp_congestion_ops teller = {
            .init = (void *)start, .ssthresh = (void *)half, .undo_cwnd = (void *)undo,
            .cong_avoid = (void *)avoid, .name = "teller",
        };
        """

    @Test func recordsArriveUntilInterrupted() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let object = try Example.compile("teller", source: Self.source)
        #expect(try sandbox.opsctl("register", object).status == 0)
        let scenario = try sandbox.file(
            "s.yaml",
            """
            duration: 200ms
            links: {l: {rate: 10Mbit, delay: 5ms, buffer: 20p}}
            flows: [{name: a, cc: teller, path: [l], rtt: 10ms}]
            """)
        let output = try sandbox.file("records", "")
        let follow = try sandbox.begin("-j", "map", "follow", "name", "events", output: output)
        defer {
            follow.terminate()
            follow.waitUntilExit()
        }
        // Records from before somebody follows are nobody's, so simulations go on until one has been seen.
        try sandbox.eventually("a record arrives") {
            let run = try sandbox.opsctl("sim", "run", scenario)
            #expect(run.status == 0, "\(run.stderr)")
            return try !String(contentsOfFile: output, encoding: .utf8).isEmpty
        }
        let line = try #require(
            try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").first)
        let record = try #require(
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        #expect(record["dropped"] as? Int == 0)
        #expect("\(record["value"] ?? "")".contains("2a"), "\(line)")
    }
}
