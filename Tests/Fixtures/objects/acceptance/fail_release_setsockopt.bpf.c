/* Must be refused at load: `release` may not set socket options. */
#include "common.h"

char licence[] SEC("license") = "GPL";

const char cubic[] = "cubic";

SEC("struct_ops")
void OPS_PROG(late_release, struct sock *sk)
{
    bpf_setsockopt(sk, SOL_TCP, TCP_CONGESTION, (void *)cubic, sizeof(cubic));
}
SEC("struct_ops") __u32 OPS_PROG(late_ssthresh, struct sock *sk) { return tcp_reno_ssthresh(sk); }
SEC("struct_ops") __u32 OPS_PROG(late_undo, struct sock *sk) { return tcp_reno_undo_cwnd(sk); }
SEC("struct_ops")
void OPS_PROG(late_cong_avoid, struct sock *sk, __u32 ack, __u32 acked) { tcp_reno_cong_avoid(sk, ack, acked); }

SEC(".struct_ops")
struct tcp_congestion_ops late = {
    .release = (void *)late_release,
    .ssthresh = (void *)late_ssthresh,
    .undo_cwnd = (void *)late_undo,
    .cong_avoid = (void *)late_cong_avoid,
    .name = "late",
};
