/* DCTCP's receiver with its state in socket storage, and a fallback chosen by setsockopt. */
#include "common.h"

char licence[] SEC("license") = "GPL";

const volatile char fallback_cc[16];
const char nodelay_text[] = "nodelay %d";
int fallbacks, stored_at_start;

#define TCP_ECN_OK 1
#define TCP_ECN_DEMAND_CWR 4

struct ecn_count {
    __u32 delivered, delivered_ce;
    __u32 rcv_nxt;
    __u32 alpha;
    __u32 next_seq;
    __u32 marked;
    __u32 loss_cwnd;
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct ecn_count);
} states SEC(".maps");

static __always_inline struct ecn_count *state_of(struct sock *sk) { return bpf_sk_storage_get(&states, sk, 0, 0); }

static __noinline void begin(const struct tcp_sock *tp, struct ecn_count *s)
{
    if (!s)
        return;
    s->next_seq = tp->snd_nxt;
    s->delivered = tp->delivered;
    s->delivered_ce = tp->delivered_ce;
}

SEC("struct_ops")
void OPS_PROG(storage_init, struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);
    struct ecn_count *s;

    if (!(tp->ecn_flags & TCP_ECN_OK) && fallback_cc[0]) {
        char now[16] = {};
        int on = 1;

        if (bpf_setsockopt(sk, SOL_TCP, TCP_CONGESTION, (void *)fallback_cc, sizeof(fallback_cc)) == -16)
            bpf_trace_printk("busy", 5);
        bpf_getsockopt(sk, SOL_TCP, TCP_CONGESTION, now, sizeof(now));
        bpf_setsockopt(sk, SOL_TCP, TCP_NODELAY, &on, sizeof(on));
        bpf_trace_printk(nodelay_text, sizeof(nodelay_text), on);
        fallbacks++;
        return;
    }
    s = bpf_sk_storage_get(&states, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!s)
        return;
    s->rcv_nxt = tp->rcv_nxt;
    s->alpha = 1024;
    begin(tp, s);
    stored_at_start++;
}

SEC("struct_ops")
__u32 OPS_PROG(storage_ssthresh, struct sock *sk)
{
    struct ecn_count *s = state_of(sk);
    __u32 cwnd = tcp_sk(sk)->snd_cwnd;

    if (!s)
        return tcp_reno_ssthresh(sk);
    s->loss_cwnd = cwnd;
    return max_of(cwnd - (cwnd * s->alpha >> 11), 2u);
}

SEC("struct_ops")
void OPS_PROG(storage_in_ack, struct sock *sk, __u32 flags)
{
    const struct tcp_sock *tp = tcp_sk(sk);
    struct ecn_count *s = state_of(sk);

    if (!s || is_before(tp->snd_una, s->next_seq))
        return;
    s->alpha -= s->alpha >> 4;
    if (tp->delivered_ce != s->delivered_ce) {
        __u32 delivered = max_of(tp->delivered - s->delivered, 1u);

        s->alpha = min_of(s->alpha + ((tp->delivered_ce - s->delivered_ce) << 6) / delivered, 1024u);
    }
    begin(tp, s);
}

SEC("struct_ops")
void OPS_PROG(storage_event, struct sock *sk, enum tcp_ca_event event)
{
    struct inet_connection_sock *icsk = inet_csk(sk);
    struct tcp_sock *tp = tcp_sk(sk);
    struct ecn_count *s = state_of(sk);
    __u32 marked = event == CA_EVENT_ECN_IS_CE;

    if (!s || (event != CA_EVENT_ECN_IS_CE && event != CA_EVENT_ECN_NO_CE))
        return;
    if (s->marked != marked) {
        if (icsk->icsk_ack.pending & ICSK_ACK_TIMER)
            bpf_tcp_send_ack(tp, s->rcv_nxt);
        icsk->icsk_ack.pending |= ICSK_ACK_NOW;
    }
    s->rcv_nxt = tp->rcv_nxt;
    s->marked = marked;
    if (marked)
        tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
    else
        tp->ecn_flags &= ~TCP_ECN_DEMAND_CWR;
}

SEC("struct_ops")
void OPS_PROG(storage_cong_avoid, struct sock *sk, __u32 ack, __u32 acked) { tcp_reno_cong_avoid(sk, ack, acked); }

SEC("struct_ops")
__u32 OPS_PROG(storage_undo, struct sock *sk)
{
    struct ecn_count *s = state_of(sk);

    return s ? max_of(tcp_sk(sk)->snd_cwnd, s->loss_cwnd) : tcp_reno_undo_cwnd(sk);
}

SEC("struct_ops")
void OPS_PROG(storage_release, struct sock *sk) { bpf_sk_storage_delete(&states, sk); }

SEC(".struct_ops")
struct tcp_congestion_ops storage_dctcp = {
    .init = (void *)storage_init,
    .release = (void *)storage_release,
    .in_ack_event = (void *)storage_in_ack,
    .cwnd_event = (void *)storage_event,
    .ssthresh = (void *)storage_ssthresh,
    .cong_avoid = (void *)storage_cong_avoid,
    .undo_cwnd = (void *)storage_undo,
    .flags = TCP_CONG_NEEDS_ECN,
    .name = "storage_dctcp",
};
