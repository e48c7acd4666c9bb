/* Writes every field that a program may write, and keeps a fixed window. */
#include "common.h"

char licence[] SEC("license") = "GPL";

#define WINDOW 80

SEC("struct_ops")
void OPS_PROG(pacing_init, struct sock *sk)
{
    sk->sk_pacing_status = SK_PACING_NEEDED;
}

SEC("struct_ops")
void OPS_PROG(pacing_control, struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs)
{
    struct tcp_sock *tp = tcp_sk(sk);
    __u64 rate = (__u64)tp->snd_cwnd * tp->mss_cache * 1000000;
    __u64 *words = private_state(sk);

    rate = rate * 8 / max_of(tp->srtt_us, 1u << 3);
    sk->sk_pacing_rate = min_of(rate, (__u64)sk->sk_max_pacing_rate);
    tp->app_limited = max_of(tp->delivered + in_slow_start(tp), 1u);
    tp->snd_cwnd = WINDOW;
    tp->snd_ssthresh = WINDOW;
    tp->snd_cwnd_cnt = 0;
    tp->snd_cwnd_stamp = (__u32)bpf_jiffies64();
    words[12] = rs->delivered;
}

SEC("struct_ops") __u32 OPS_PROG(pacing_ssthresh, struct sock *sk) { return tcp_sk(sk)->snd_ssthresh; }
SEC("struct_ops") __u32 OPS_PROG(pacing_undo, struct sock *sk) { return tcp_sk(sk)->snd_cwnd; }
SEC("struct_ops") __u32 OPS_PROG(pacing_segs, struct sock *sk) { return 2; }
SEC("struct_ops") __u32 OPS_PROG(pacing_expand, struct sock *sk) { return 3; }

SEC(".struct_ops")
struct tcp_congestion_ops write_pacing = {
    .init = (void *)pacing_init,
    .cong_control = (void *)pacing_control,
    .ssthresh = (void *)pacing_ssthresh,
    .undo_cwnd = (void *)pacing_undo,
    .min_tso_segs = (void *)pacing_segs,
    .sndbuf_expand = (void *)pacing_expand,
    .name = "write_pacing",
};
