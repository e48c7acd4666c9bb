/* Reno: AIMD as RFC 5681 describes it, counting segments.
 *
 * The smallest complete congestion control, meant to be read first. It uses nothing but the socket's own fields.
 */
#include "vmlinux.h"
#include "bpf_helpers.h"
#include "tcp_helpers.h"

char licence[] SEC("license") = "Dual MIT/GPL";

/* Section 3.1, equation (4): half of what was in flight, at least two segments. The window stands for the flight, which
 * equals it when the connection is limited by it. */
SEC("struct_ops/ssthresh")
__u32 OPS_PROG(reno_ssthresh, struct sock *sk)
{
    return max_of(tcp_sk(sk)->snd_cwnd >> 1, 2);
}

/* Slow start, equation (2) with ABC (RFC 3465): one segment per segment acknowledged, up to ssthresh.
 * Returns the segments that are left for congestion avoidance. */
static __always_inline __u32 slow_start(struct tcp_sock *tp, __u32 acked)
{
    __u32 window = min_of(tp->snd_cwnd + acked, tp->snd_ssthresh);

    acked -= window - tp->snd_cwnd;
    tp->snd_cwnd = min_of(window, tp->snd_cwnd_clamp);
    return acked;
}

/* Congestion avoidance, equation (3): one segment per window acknowledged. The remainder waits in snd_cwnd_cnt. */
static __always_inline void avoid_congestion(struct tcp_sock *tp, __u32 acked)
{
    __u32 window = tp->snd_cwnd;
    __u32 count = tp->snd_cwnd_cnt;

    /* A window that has just shrunk may leave more than one window's worth behind: worth one segment, not several. */
    if (count >= window) {
        count = 0;
        window++;
    }
    count += acked;
    if (count >= tp->snd_cwnd) {
        __u32 steps = count / tp->snd_cwnd;

        count -= steps * tp->snd_cwnd;
        window += steps;
    }
    tp->snd_cwnd_cnt = count;
    tp->snd_cwnd = min_of(window, tp->snd_cwnd_clamp);
}

SEC("struct_ops/cong_avoid")
void OPS_PROG(reno_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    struct tcp_sock *tp = tcp_sk(sk);

    if (!is_cwnd_limited(tp))
        return;
    if (in_slow_start(tp)) {
        acked = slow_start(tp, acked);
        if (!acked)
            return;
    }
    avoid_congestion(tp, acked);
}

/* A reduction that turned out to be spurious is taken back (RFC 3522, RFC 4015). */
SEC("struct_ops/undo_cwnd")
__u32 OPS_PROG(reno_undo_cwnd, struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);

    return max_of(tp->snd_cwnd, tp->prior_cwnd);
}

SEC(".struct_ops")
struct tcp_congestion_ops reno = {
    .ssthresh = (void *)reno_ssthresh,
    .cong_avoid = (void *)reno_cong_avoid,
    .undo_cwnd = (void *)reno_undo_cwnd,
    .name = "bpf_reno",
};
