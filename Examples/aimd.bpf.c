/* AIMD with its two numbers as variables, so that a scenario can set them and a sweep can try them:
 *
 *     flows: [{name: a, cc: bpf_aimd, params: {increase: 2, decrease: 800}, ...}]
 *
 * With the values below it is Reno. `const volatile` keeps a variable in .rodata, where its value is known to the verifier
 * and still stands to be changed before the object is loaded.
 */
#include "vmlinux.h"
#include "bpf_helpers.h"
#include "tcp_helpers.h"

char licence[] SEC("license") = "Dual MIT/GPL";

extern __u32 tcp_slow_start(struct tcp_sock *tp, __u32 acked) __ksym;
extern void tcp_cong_avoid_ai(struct tcp_sock *tp, __u32 w, __u32 acked) __ksym;

/* Segments per round trip in congestion avoidance. */
const volatile __u32 increase = 1;
/* What is left of the window after a loss, in 1/1024. */
const volatile __u32 decrease = 512;

SEC("struct_ops/ssthresh")
__u32 OPS_PROG(aimd_ssthresh, struct sock *sk)
{
    return max_of((__u32)((__u64)tcp_sk(sk)->snd_cwnd * decrease / 1024), 2u);
}

SEC("struct_ops/cong_avoid")
void OPS_PROG(aimd_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    struct tcp_sock *tp = tcp_sk(sk);

    if (!is_cwnd_limited(tp))
        return;
    if (in_slow_start(tp)) {
        acked = tcp_slow_start(tp, acked);
        if (!acked)
            return;
    }
    tcp_cong_avoid_ai(tp, max_of(tp->snd_cwnd / max_of(increase, 1u), 1u), acked);
}

SEC("struct_ops/undo_cwnd")
__u32 OPS_PROG(aimd_undo_cwnd, struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);

    return max_of(tp->snd_cwnd, tp->prior_cwnd);
}

SEC(".struct_ops")
struct tcp_congestion_ops aimd = {
    .ssthresh = (void *)aimd_ssthresh,
    .cong_avoid = (void *)aimd_cong_avoid,
    .undo_cwnd = (void *)aimd_undo_cwnd,
    .name = "bpf_aimd",
};
