import Foundation
import OpsCore
import Testing

@testable import Netsim

/// Timers and ring buffers of programs in simulated time.
@Suite("Program timers", .enabled(if: CompiledObject.clang != nil, "needs clang with the bpf target"))
struct TimerTests {
    /// Every 100 ms from the first ACK on, a timer counts the ACKs since the last time and hands out a record.
    static let source = """
        #include "vmlinux.h"
        #include "bpf_helpers.h"
        #include "tcp_helpers.h"
        char licence[] SEC("license") = "GPL";
        #define timer_init ((long (*)(void *timer, void *map, __u64 clock))169)
        #define timer_set_callback ((long (*)(void *timer, void *callback))170)
        #define timer_start ((long (*)(void *timer, __u64 ns, __u64 flags))171)
        #define ringbuf_output ((long (*)(void *map, void *data, __u64 size, __u64 flags))130)
        struct meter { __u32 acks; __u32 lost; struct bpf_timer timer; };
        struct event { __u64 ktime; __u32 acks, lost; __u64 padding[6]; };
        struct { __uint(type, 2); __type(key, __u32); __type(value, struct meter); __uint(max_entries, 1); }
            meters SEC(".maps");
        struct { __uint(type, 27); __uint(max_entries, 4096); } events SEC(".maps");
        static int tick(void *map, __u32 *key, struct meter *meter)
        {
            struct event event = { bpf_ktime_get_ns(), meter->acks, meter->lost };
            if (ringbuf_output(&events, &event, sizeof(event), 0)) meter->lost++;
            meter->acks = 0;
            timer_start(&meter->timer, 100000000, 0);
            return 0;
        }
        SEC("struct_ops/a") void OPS_PROG(a, struct sock *sk, __u32 ack, __u32 acked)
        {
            __u32 key = 0;
            struct meter *meter = bpf_map_lookup_elem(&meters, &key);
            if (!meter) return;
            meter->acks++;
            if (timer_init(&meter->timer, &meters, 1)) return;
            timer_set_callback(&meter->timer, tick);
            timer_start(&meter->timer, 100000000, 0);
        }
        SEC("struct_ops/b") __u32 OPS_PROG(b, struct sock *sk) { return 2; }
        SEC("struct_ops/c") __u32 OPS_PROG(c, struct sock *sk) { return 2; }
        SEC(".struct_ops") struct tcp_congestion_ops ops = {
            .cong_avoid = (void *)a, .ssthresh = (void *)b, .undo_cwnd = (void *)c, .name = "bpf_meter",
        };
        """

    /// Compiled once: paths in the debug information would make each object another one.
    private static let object = Result { try CompiledObject.compile(text: source) }

    private func run(follows: Bool) throws -> (result: String, records: [FollowedRecord]) {
        let (runtime, subsystem) = try ProgramTests.runtime([Self.object.get()])
        let map = try #require(runtime.maps().first { $0.name == "events" })
        let follower = follows ? try runtime.follow(map: map.id) : nil
        let scenario = try Scenario.parse(
            Reference.scenario(
                rate: "20Mbit", rtt: "40ms", delay: "20ms", buffer: "100kB", cc: "bpf_meter", duration: "15s"),
            file: "test.yaml")
        let outcome = try Simulation(scenario, runtime: runtime, subsystem: subsystem).run()
        guard case .finished(let bytes) = outcome else { throw CancellationError() }
        let taken = follower?.takeAll()
        #expect(taken?.dropped ?? 0 == 0)
        if let follower { runtime.unfollow(follower) }
        return (String(decoding: bytes, as: UTF8.self), taken?.records ?? [])
    }

    @Test("a timer fires at its time, and its records reach who follows the map")
    func fires() throws {
        let (_, records) = try run(follows: true)
        // 15 s less the handshake: a 4 KiB ring holds 56 of these, so somebody has read them.
        #expect((147...149).contains(records.count))
        var last: UInt64?
        for record in records {
            let ktime = record.bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            #expect(ktime == record.ktimeNanoseconds && record.bytes.count == 64)
            #expect(record.bytes[12..<16] == [0, 0, 0, 0], "lost")
            if let last { #expect(ktime - last == 100_000_000) }
            last = ktime
        }
        #expect(records.contains { $0.bytes[8] > 0 }, "ACKs were counted")
    }

    @Test("a run does not depend on who listens, and is the same each time")
    func deterministic() throws {
        let (first, records) = try run(follows: true)
        let (second, again) = try run(follows: true)
        let (alone, none) = try run(follows: false)
        #expect(first == second && first == alone)
        #expect(records == again && none.isEmpty)
    }
}
