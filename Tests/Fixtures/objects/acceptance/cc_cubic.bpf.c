/* The kernel's own cubic through its kfuncs, under a cong_control of our own: PRR (RFC 6937) and pacing. */
#include "common.h"

char licence[] SEC("license") = "GPL";

extern void cubictcp_init(struct sock *sk) __ksym;
extern __u32 cubictcp_recalc_ssthresh(struct sock *sk) __ksym;
extern void cubictcp_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern void cubictcp_state(struct sock *sk, __u8 new_state) __ksym;
extern void cubictcp_cwnd_event(struct sock *sk, enum tcp_ca_event event) __ksym;
extern void cubictcp_acked(struct sock *sk, const struct ack_sample *sample) __ksym;

#define FLAG_RETRANS_DATA_ACKED 0x08
#define FLAG_SND_UNA_ADVANCED 0x400
#define FLAG_FORWARD (0x04 | 0x20)

static __always_inline __u32 in_flight(const struct tcp_sock *tp)
{
    return tp->packets_out - (tp->sacked_out + tp->lost_out) + tp->retrans_out;
}

static __noinline void reduce(struct tcp_sock *tp, int newly_lost, int flag, __u32 acked_sacked)
{
    __u32 flight = in_flight(tp);
    int room = tp->snd_ssthresh - flight;
    int send;

    if (!acked_sacked || !tp->prior_cwnd)
        return;
    if (room < 0) {
        __u64 share = (__u64)tp->snd_ssthresh * (tp->prr_delivered + acked_sacked) + tp->prior_cwnd - 1;

        send = share / tp->prior_cwnd - tp->prr_out;
    } else {
        send = max_of((int)(tp->prr_delivered - tp->prr_out), (int)acked_sacked);
        if ((flag & FLAG_SND_UNA_ADVANCED) && !newly_lost)
            send++;
        send = min_of(room, send);
    }
    if (send < (tp->prr_out ? 0 : 1))
        send = tp->prr_out ? 0 : 1;
    tp->snd_cwnd = flight + send;
}

static __always_inline void pace(struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);
    __u64 rate = (__u64)tp->mss_cache * ((1000000ull / 100) << 3);

    rate *= tp->snd_cwnd < tp->snd_ssthresh / 2 ? 200 : 120;
    rate *= max_of(tp->snd_cwnd, tp->packets_out);
    if (tp->srtt_us)
        rate /= tp->srtt_us;
    sk->sk_pacing_rate = min_of(rate, (__u64)sk->sk_max_pacing_rate);
}

SEC("struct_ops")
void OPS_PROG(cc_cong_control, struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs)
{
    struct tcp_sock *tp = tcp_sk(sk);
    __u8 state = FIELD_BITS(inet_csk(sk), icsk_ca_state);
    bool raise;

    if ((1 << state) & ((1 << TCP_CA_CWR) | (1 << TCP_CA_Recovery))) {
        reduce(tp, rs->losses, flag, rs->acked_sacked);
        if (state == TCP_CA_Recovery && !is_before(tp->snd_una, tp->high_seq))
            tp->snd_cwnd = min_of(tp->snd_cwnd, tp->snd_ssthresh);
    } else {
        raise = tp->reordering > 3 ? flag & FLAG_FORWARD : flag & 0x04;
        if (raise)
            cubictcp_cong_avoid(sk, ack, rs->acked_sacked);
    }
    tp->snd_cwnd_stamp = (__u32)bpf_jiffies64();
    pace(sk);
}

SEC("struct_ops") void OPS_PROG(cc_init, struct sock *sk) { cubictcp_init(sk); }
SEC("struct_ops") __u32 OPS_PROG(cc_ssthresh, struct sock *sk) { return cubictcp_recalc_ssthresh(sk); }
SEC("struct_ops") void OPS_PROG(cc_set_state, struct sock *sk, __u8 state) { cubictcp_state(sk, state); }
SEC("struct_ops")
void OPS_PROG(cc_cwnd_event, struct sock *sk, enum tcp_ca_event event) { cubictcp_cwnd_event(sk, event); }
SEC("struct_ops")
void OPS_PROG(cc_pkts_acked, struct sock *sk, const struct ack_sample *sample) { cubictcp_acked(sk, sample); }
SEC("struct_ops") __u32 OPS_PROG(cc_undo, struct sock *sk) { return tcp_reno_undo_cwnd(sk); }

SEC(".struct_ops")
struct tcp_congestion_ops cc_cubic = {
    .init = (void *)cc_init,
    .ssthresh = (void *)cc_ssthresh,
    .cong_control = (void *)cc_cong_control,
    .set_state = (void *)cc_set_state,
    .undo_cwnd = (void *)cc_undo,
    .cwnd_event = (void *)cc_cwnd_event,
    .pkts_acked = (void *)cc_pkts_acked,
    .name = "cc_cubic",
};
