/* Link-backed ops that take each other's place: two of one name, one of another, one that no link can carry. */
#include "common.h"

char licence[] SEC("license") = "GPL";

int calls_of_first, calls_of_second;

SEC("struct_ops") void OPS_PROG(first_init, struct sock *sk) { calls_of_first++; }
SEC("struct_ops") void OPS_PROG(second_init, struct sock *sk) { calls_of_second++; }
SEC("struct_ops")
void OPS_PROG(update_cong_avoid, struct sock *sk, __u32 ack, __u32 acked) { tcp_reno_cong_avoid(sk, ack, acked); }
SEC("struct_ops") __u32 OPS_PROG(update_ssthresh, struct sock *sk) { return tcp_reno_ssthresh(sk); }
SEC("struct_ops") __u32 OPS_PROG(update_undo, struct sock *sk) { return tcp_reno_undo_cwnd(sk); }

#define OPS(on_init, text)                                                                              \
    {                                                                                                   \
        .init = (void *)on_init, .cong_avoid = (void *)update_cong_avoid, .ssthresh = (void *)update_ssthresh, \
        .undo_cwnd = (void *)update_undo, .name = text                                                  \
    }

SEC(".struct_ops.link") struct tcp_congestion_ops first = OPS(first_init, "update");
SEC(".struct_ops.link") struct tcp_congestion_ops second = OPS(second_init, "update");
SEC(".struct_ops.link") struct tcp_congestion_ops other_name = OPS(second_init, "update_other");
SEC(".struct_ops") struct tcp_congestion_ops not_a_link = OPS(first_init, "update_plain");
SEC("?.struct_ops.link") struct tcp_congestion_ops on_request = OPS(first_init, "update_asked");
