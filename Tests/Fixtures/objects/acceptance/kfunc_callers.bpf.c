/* Calls every kfunc that TCP offers to congestion controls. */
#include "common.h"

char licence[] SEC("license") = "GPL";

extern void bbr_init(struct sock *sk) __ksym;
extern void bbr_main(struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs) __ksym;
extern __u32 bbr_sndbuf_expand(struct sock *sk) __ksym;
extern __u32 bbr_undo_cwnd(struct sock *sk) __ksym;
extern void bbr_cwnd_event(struct sock *sk, enum tcp_ca_event event) __ksym;
extern __u32 bbr_ssthresh(struct sock *sk) __ksym;
extern __u32 bbr_min_tso_segs(struct sock *sk) __ksym;
extern void bbr_set_state(struct sock *sk, __u8 new_state) __ksym;

extern void dctcp_init(struct sock *sk) __ksym __weak;
extern void dctcp_update_alpha(struct sock *sk, __u32 flags) __ksym __weak;
extern void dctcp_cwnd_event(struct sock *sk, enum tcp_ca_event ev) __ksym __weak;
extern __u32 dctcp_ssthresh(struct sock *sk) __ksym __weak;
extern __u32 dctcp_cwnd_undo(struct sock *sk) __ksym __weak;
extern void dctcp_state(struct sock *sk, __u8 new_state) __ksym __weak;

extern void cubictcp_init(struct sock *sk) __ksym;
extern __u32 cubictcp_recalc_ssthresh(struct sock *sk) __ksym;
extern void cubictcp_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern void cubictcp_state(struct sock *sk, __u8 new_state) __ksym;
extern void cubictcp_cwnd_event(struct sock *sk, enum tcp_ca_event event) __ksym;
extern void cubictcp_acked(struct sock *sk, const struct ack_sample *sample) __ksym;

SEC("struct_ops")
void OPS_PROG(callers_init, struct sock *sk)
{
    bbr_init(sk);
    cubictcp_init(sk);
    if (dctcp_init)
        dctcp_init(sk);
}

SEC("struct_ops")
void OPS_PROG(callers_in_ack, struct sock *sk, __u32 flags)
{
    if (dctcp_update_alpha)
        dctcp_update_alpha(sk, flags);
}

SEC("struct_ops")
void OPS_PROG(callers_control, struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs)
{
    bbr_main(sk, ack, flag, rs);
}

SEC("struct_ops")
void OPS_PROG(callers_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    cubictcp_cong_avoid(sk, ack, acked);
    tcp_reno_cong_avoid(sk, ack, acked);
    tcp_cong_avoid_ai(tcp_sk(sk), tcp_sk(sk)->snd_cwnd, tcp_slow_start(tcp_sk(sk), acked));
}

SEC("struct_ops") __u32 OPS_PROG(callers_expand, struct sock *sk) { return bbr_sndbuf_expand(sk); }
SEC("struct_ops") __u32 OPS_PROG(callers_segs, struct sock *sk) { return bbr_min_tso_segs(sk); }

SEC("struct_ops")
__u32 OPS_PROG(callers_undo, struct sock *sk)
{
    __u32 window = bbr_undo_cwnd(sk) + tcp_reno_undo_cwnd(sk);

    return dctcp_cwnd_undo ? window + dctcp_cwnd_undo(sk) : window;
}

SEC("struct_ops")
__u32 OPS_PROG(callers_ssthresh, struct sock *sk)
{
    __u32 threshold = bbr_ssthresh(sk) + cubictcp_recalc_ssthresh(sk) + tcp_reno_ssthresh(sk);

    return dctcp_ssthresh ? threshold + dctcp_ssthresh(sk) : threshold;
}

SEC("struct_ops")
void OPS_PROG(callers_event, struct sock *sk, enum tcp_ca_event event)
{
    bbr_cwnd_event(sk, event);
    cubictcp_cwnd_event(sk, event);
    if (dctcp_cwnd_event)
        dctcp_cwnd_event(sk, event);
}

SEC("struct_ops")
void OPS_PROG(callers_state, struct sock *sk, __u8 state)
{
    bbr_set_state(sk, state);
    cubictcp_state(sk, state);
    if (dctcp_state)
        dctcp_state(sk, state);
}

SEC("struct_ops")
void OPS_PROG(callers_acked, struct sock *sk, const struct ack_sample *sample) { cubictcp_acked(sk, sample); }

SEC(".struct_ops")
struct tcp_congestion_ops kfunc_callers = {
    .init = (void *)callers_init,
    .in_ack_event = (void *)callers_in_ack,
    .cong_control = (void *)callers_control,
    .cong_avoid = (void *)callers_cong_avoid,
    .sndbuf_expand = (void *)callers_expand,
    .min_tso_segs = (void *)callers_segs,
    .undo_cwnd = (void *)callers_undo,
    .ssthresh = (void *)callers_ssthresh,
    .cwnd_event = (void *)callers_event,
    .set_state = (void *)callers_state,
    .pkts_acked = (void *)callers_acked,
    .name = "kfunc_callers",
};
