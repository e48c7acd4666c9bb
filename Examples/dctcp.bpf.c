/* DCTCP (RFC 8257): reacts to how many segments were marked, not to whether one was.
 *
 * Sender: alpha estimates the marked fraction over each window, and the window shrinks by alpha / 2. Receiver: ACKs echo
 * the marks exactly. Where the connection does not speak ECN, another congestion control takes over.
 */
#include "vmlinux.h"
#include "bpf_helpers.h"
#include "tcp_helpers.h"

char licence[] SEC("license") = "Dual MIT/GPL";

extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;

#define ALPHA_MAX 1024u
#define GAIN_SHIFT 4 /* g = 1/16 (section 3.3) */

#define TCP_ECN_OK 1
#define TCP_ECN_DEMAND_CWR 4
#define SOL_TCP 6
#define TCP_CONGESTION 13

/* Constants of the program; a loader may set them before it loads. */
const volatile __u32 alpha_on_init = ALPHA_MAX;
/* Takes over on connections without ECN. */
const volatile char fallback[16] = "reno";

/* Lives in the socket's private bytes. */
struct dctcp_private {
    __u32 old_delivered; /* counters when the observation window began */
    __u32 old_delivered_ce;
    __u32 prior_rcv_nxt;
    __u32 alpha; /* 0 ... 1024 */
    __u32 next_seq; /* the observation window ends when this is acknowledged */
    __u32 ce_state; /* DCTCP.CE: whether the last segment received was marked */
    __u32 loss_cwnd;
};
_Static_assert(sizeof(struct dctcp_private) <= 104, "more than a socket has");

static __always_inline void start_window(const struct tcp_sock *tp, struct dctcp_private *ca)
{
    ca->next_seq = tp->snd_nxt;
    ca->old_delivered = tp->delivered;
    ca->old_delivered_ce = tp->delivered_ce;
}

SEC("struct_ops/init")
void OPS_PROG(dctcp_start, struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);
    struct dctcp_private *ca = private_state(sk);
    __u8 state = sk->__sk_common.skc_state;

    /* A socket that has not connected yet has not negotiated yet either. */
    if (!(tp->ecn_flags & TCP_ECN_OK) && state != TCP_LISTEN && state != TCP_CLOSE) {
        char name[16];
        int i;

        for (i = 0; i < (int)sizeof(name); i++)
            name[i] = fallback[i];
        bpf_setsockopt(sk, SOL_TCP, TCP_CONGESTION, name, sizeof(name));
        return;
    }
    ca->prior_rcv_nxt = tp->rcv_nxt;
    ca->alpha = min_of(alpha_on_init, ALPHA_MAX);
    ca->loss_cwnd = 0;
    ca->ce_state = 0;
    start_window(tp, ca);
}

/* Section 3.3, step 8: cwnd = cwnd * (1 - alpha / 2). */
SEC("struct_ops/ssthresh")
__u32 OPS_PROG(dctcp_reduce, struct sock *sk)
{
    struct dctcp_private *ca = private_state(sk);
    __u32 cwnd = tcp_sk(sk)->snd_cwnd;

    ca->loss_cwnd = cwnd;
    return max_of(cwnd - (cwnd * ca->alpha >> 11), 2u);
}

/* Section 3.3, steps 1 to 7, once per window: alpha = alpha * (1 - g) + g * marked / acknowledged. */
SEC("struct_ops/in_ack_event")
void OPS_PROG(dctcp_estimate, struct sock *sk, __u32 flags)
{
    const struct tcp_sock *tp = tcp_sk(sk);
    struct dctcp_private *ca = private_state(sk);
    __u32 marked, alpha, decay;

    if (is_before(tp->snd_una, ca->next_seq))
        return;
    marked = tp->delivered_ce - ca->old_delivered_ce;
    alpha = ca->alpha;
    /* Small values would never reach zero in integers: then everything goes. */
    decay = alpha >> GAIN_SHIFT;
    alpha -= decay ? decay : alpha;
    if (marked) {
        __u32 delivered = max_of(tp->delivered - ca->old_delivered, 1u);

        /* ALPHA_MAX * g * marked / delivered */
        alpha = min_of(alpha + (marked << (10 - GAIN_SHIFT)) / delivered, ALPHA_MAX);
    }
    ca->alpha = alpha;
    start_window(tp, ca);
}

/* Section 3.5: loss is answered as by any TCP. */
static __always_inline void halve(struct tcp_sock *tp, struct dctcp_private *ca)
{
    ca->loss_cwnd = tp->snd_cwnd;
    tp->snd_ssthresh = max_of(tp->snd_cwnd >> 1, 2u);
}

SEC("struct_ops/set_state")
void OPS_PROG(dctcp_enter_state, struct sock *sk, __u8 state)
{
    if (state == TCP_CA_Recovery && state != FIELD_BITS(inet_csk(sk), icsk_ca_state))
        halve(tcp_sk(sk), private_state(sk));
}

/* Whether outgoing ACKs carry ECE. */
static __always_inline void echo(struct tcp_sock *tp, bool marked)
{
    if (marked)
        tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
    else
        tp->ecn_flags &= ~TCP_ECN_DEMAND_CWR;
}

/* Section 3.2: an ACK covers segments that are all marked or all not, so a change sends what is due at once. */
static __always_inline void receive(struct sock *sk, bool marked)
{
    struct inet_connection_sock *icsk = inet_csk(sk);
    struct tcp_sock *tp = tcp_sk(sk);
    struct dctcp_private *ca = private_state(sk);

    if (ca->ce_state != marked) {
        if (icsk->icsk_ack.pending & ICSK_ACK_TIMER) {
            echo(tp, ca->ce_state);
            bpf_tcp_send_ack(tp, ca->prior_rcv_nxt);
        }
        icsk->icsk_ack.pending |= ICSK_ACK_NOW;
    }
    ca->prior_rcv_nxt = tp->rcv_nxt;
    ca->ce_state = marked;
    echo(tp, marked);
}

SEC("struct_ops/cwnd_event")
void OPS_PROG(dctcp_event, struct sock *sk, enum tcp_ca_event event)
{
    switch (event) {
    case CA_EVENT_ECN_IS_CE:
    case CA_EVENT_ECN_NO_CE:
        receive(sk, event == CA_EVENT_ECN_IS_CE);
        break;
    case CA_EVENT_LOSS:
        halve(tcp_sk(sk), private_state(sk));
        break;
    default:
        break;
    }
}

SEC("struct_ops/cong_avoid")
void OPS_PROG(dctcp_grow, struct sock *sk, __u32 ack, __u32 acked)
{
    tcp_reno_cong_avoid(sk, ack, acked);
}

SEC("struct_ops/undo_cwnd")
__u32 OPS_PROG(dctcp_undo, struct sock *sk)
{
    const struct dctcp_private *ca = private_state(sk);

    return max_of(tcp_sk(sk)->snd_cwnd, ca->loss_cwnd);
}

SEC(".struct_ops")
struct tcp_congestion_ops dctcp = {
    .init = (void *)dctcp_start,
    .in_ack_event = (void *)dctcp_estimate,
    .cwnd_event = (void *)dctcp_event,
    .ssthresh = (void *)dctcp_reduce,
    .cong_avoid = (void *)dctcp_grow,
    .undo_cwnd = (void *)dctcp_undo,
    .set_state = (void *)dctcp_enter_state,
    .flags = TCP_CONG_NEEDS_ECN,
    .name = "bpf_dctcp",
};
