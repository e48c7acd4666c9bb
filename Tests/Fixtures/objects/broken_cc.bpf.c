/* Two congestion controls that are broken on purpose, one in each direction; `opsctl sim grade` must say so. */
#include "vmlinux.h"
#include "bpf_helpers.h"
#include "tcp_helpers.h"

char licence[] SEC("license") = "Dual MIT/GPL";

/* Takes no notice of losses, and grows with every acknowledgement. */
SEC("struct_ops/ssthresh")
__u32 OPS_PROG(stubborn_ssthresh, struct sock *sk)
{
    return tcp_sk(sk)->snd_cwnd;
}

SEC("struct_ops/cong_avoid")
void OPS_PROG(stubborn_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    struct tcp_sock *tp = tcp_sk(sk);

    if (tp->snd_cwnd < 4000)
        tp->snd_cwnd += acked;
}

/* Falls to the smallest window at each loss, and never leaves it again. */
SEC("struct_ops/ssthresh")
__u32 OPS_PROG(timid_ssthresh, struct sock *sk)
{
    return 2;
}

SEC("struct_ops/cong_avoid")
void OPS_PROG(timid_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    struct tcp_sock *tp = tcp_sk(sk);

    if (tp->snd_cwnd < tp->snd_ssthresh)
        tp->snd_cwnd += acked;
}

SEC("struct_ops/undo_cwnd")
__u32 OPS_PROG(keep_cwnd, struct sock *sk)
{
    return tcp_sk(sk)->snd_cwnd;
}

SEC(".struct_ops")
struct tcp_congestion_ops stubborn = {
    .ssthresh = (void *)stubborn_ssthresh,
    .cong_avoid = (void *)stubborn_cong_avoid,
    .undo_cwnd = (void *)keep_cwnd,
    .name = "bpf_stubborn",
};

SEC(".struct_ops")
struct tcp_congestion_ops timid = {
    .ssthresh = (void *)timid_ssthresh,
    .cong_avoid = (void *)timid_cong_avoid,
    .undo_cwnd = (void *)keep_cwnd,
    .name = "bpf_timid",
};
