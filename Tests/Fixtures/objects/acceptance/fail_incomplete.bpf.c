/* Must be refused at registration: no undo_cwnd. */
#include "common.h"

char licence[] SEC("license") = "GPL";

SEC("struct_ops") __u32 OPS_PROG(incomplete_ssthresh, struct sock *sk) { return 2; }
SEC("struct_ops") void OPS_PROG(incomplete_cong_avoid, struct sock *sk, __u32 ack, __u32 acked) {}

SEC(".struct_ops")
struct tcp_congestion_ops incomplete = {
    .ssthresh = (void *)incomplete_ssthresh, .cong_avoid = (void *)incomplete_cong_avoid, .name = "incomplete"};
