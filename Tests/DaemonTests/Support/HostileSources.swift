/// Congestion controls that are valid C and mean no good. What they do, they do in the first op of a connection.
enum HostileSource {
    private static func source(_ name: String, data: String = "", attack: String, others: String = "")
        -> String
    {
        """
        #include "vmlinux.h"
        #include "bpf_helpers.h"
        #include "tcp_helpers.h"
        char licence[] SEC("license") = "GPL";
        \(data)
        SEC("struct_ops/init") void OPS_PROG(\(name)_init, struct sock *sk) { \(attack) }
        SEC("struct_ops/ssthresh") __u32 OPS_PROG(\(name)_half, struct sock *sk) { \(others) return 10; }
        SEC("struct_ops/undo_cwnd") __u32 OPS_PROG(\(name)_undo, struct sock *sk) { return 10; }
        SEC("struct_ops/cong_avoid") void OPS_PROG(\(name)_avoid, struct sock *sk, __u32 ack, __u32 acked) { \(others) }
        SEC(".struct_ops") struct tcp_congestion_ops \(name) = {
            .init = (void *)\(name)_init, .ssthresh = (void *)\(name)_half, .undo_cwnd = (void *)\(name)_undo,
            .cong_avoid = (void *)\(name)_avoid, .name = "\(name)",
        };
        """
    }

    /// What the verifier may accept or refuse; if it accepts one, nothing must come of it.
    static let judged: [String: String] = [
        "scribbler": source(
            "scribbler", attack: "scribble(tcp_sk(sk));",
            others: "scribble(tcp_sk(sk));"
        ).replacing(
            "SEC(\"struct_ops/init\")",
            with: """
                static __always_inline void scribble(struct tcp_sock *tp)
                {
                    tp->snd_cwnd = bpf_get_prandom_u32();
                    tp->snd_cwnd_cnt = bpf_get_prandom_u32();
                    tp->snd_ssthresh = bpf_get_prandom_u32();
                }
                SEC("struct_ops/init")
                """),
        "burner": source(
            "burner", data: "static long turn(__u32 index, void *context) { return 0; }",
            attack: "bpf_loop(1 << 23, turn, 0, 0);", others: "bpf_loop(1 << 23, turn, 0, 0);"),
        "nest": source(
            "nest",
            data: (0..<12).map { depth in
                """
                static __noinline __u32 deep\(depth)(__u32 x) { volatile __u64 room[5]; room[x & 3] = x;
                    return \(depth == 0 ? "room[x & 1]" : "deep\(depth - 1)(x + room[x & 1])"); }
                """
            }.joined(separator: "\n"), attack: "deep11(1);"),
        "circle": source(
            "circle",
            data: """
                static __noinline __u32 around(__u32 x) { volatile __u32 y = x; return y ? around(y - 1) + 1 : 0; }
                """, attack: "around(bpf_get_prandom_u32());"),
        "hoard": source(
            "hoard",
            data: """
                struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 0xffffffff); __type(key, __u32);
                    __type(value, __u64[500]); } store SEC(".maps");
                """,
            attack: "__u32 key = bpf_get_prandom_u32(); bpf_map_lookup_elem(&store, &key);"),
        "array": source(
            "array",
            data: """
                struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 0x7fffffff); __type(key, __u32);
                    __type(value, __u64[100]); } store SEC(".maps");
                """,
            attack: "__u32 key = bpf_get_prandom_u32(); bpf_map_lookup_elem(&store, &key);"),
        "peeker": source("peeker", attack: "*(volatile __u64 *)8 = 1;"),
        "spinner": source("spinner", attack: "for (;;) asm volatile(\"\" ::: \"memory\");"),
    ]

    /// Not verified; each ends its runtime when its op is called.
    static let deadly: [String: String] = [
        "null": source("wild_null", attack: "*(volatile __u64 *)8 = 1;"),
        "wild": source("wild_wild", attack: "*(volatile __u64 *)0x4141414141414140 = 1;"),
        "kernel": source("wild_kernel", attack: "*(volatile __u64 *)0xffff888000000000 = 1;"),
        "code": source(
            "wild_code", data: "static long landmark(__u32 index, void *context) { return 0; }",
            attack: "*(volatile __u64 *)landmark = 0;"),
        "smash": source(
            "wild_smash", data: "static __noinline void smash(void) { \(smash) }", attack: "smash();"),
        "jump": source(
            "wild_jump", attack: "bpf_loop(1, (void *)(__u64)(bpf_get_prandom_u32() & 0xfff), 0, 0);"),
        "climb": source("wild_climb", attack: "\(frame) for (;;) *--p = 1;"),
        "circle": source(
            "wild_circle",
            data: """
                static __noinline __u64 around(__u64 x) { volatile __u64 y = x; return around(y + 1) + y; }
                """, attack: "around(1);"),
    ]

    private static let frame = #"volatile __u64 *p; asm volatile("%0 = r10" : "=r"(p));"#
    private static let smash = "\(frame) for (int i = 0; i < 64; i++) p[i] = 0x4141414141414141;"

    /// Not verified: its op does not return.
    static let endless = source("wild_endless", attack: "for (;;) asm volatile(\"\" ::: \"memory\");")
}
