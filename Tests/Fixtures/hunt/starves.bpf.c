/* Reno with a planted bug, for `sim hunt`: once the smoothed RTT is above 100 ms, a loss leaves two segments, and the window
 * grows no more. On shorter paths it is Reno.
 */
#include "vmlinux.h"
#include "bpf_helpers.h"
#include "tcp_helpers.h"

char licence[] SEC("license") = "Dual MIT/GPL";

extern __u32 tcp_slow_start(struct tcp_sock *tp, __u32 acked) __ksym;
extern void tcp_cong_avoid_ai(struct tcp_sock *tp, __u32 w, __u32 acked) __ksym;

/* The kernel keeps eighths of a microsecond. */
static __always_inline int is_long(const struct tcp_sock *tp) { return tp->srtt_us >> 3 > 100000; }

SEC("struct_ops/ssthresh")
__u32 OPS_PROG(starves_ssthresh, struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);

    return is_long(tp) ? 2 : max_of(tp->snd_cwnd >> 1, 2u);
}

SEC("struct_ops/cong_avoid")
void OPS_PROG(starves_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    struct tcp_sock *tp = tcp_sk(sk);

    if (!is_cwnd_limited(tp))
        return;
    if (in_slow_start(tp)) {
        acked = tcp_slow_start(tp, acked);
        if (!acked)
            return;
    }
    if (!is_long(tp))
        tcp_cong_avoid_ai(tp, tp->snd_cwnd, acked);
}

SEC("struct_ops/undo_cwnd")
__u32 OPS_PROG(starves_undo_cwnd, struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);

    return max_of(tp->snd_cwnd, tp->prior_cwnd);
}

SEC(".struct_ops")
struct tcp_congestion_ops starves = {
    .ssthresh = (void *)starves_ssthresh,
    .cong_avoid = (void *)starves_cong_avoid,
    .undo_cwnd = (void *)starves_undo_cwnd,
    .name = "bpf_starves",
};
