/* What every congestion control needs from a socket. Include after "vmlinux.h" and "bpf_helpers.h". */
#ifndef OPSD_TCP_HELPERS_H
#define OPSD_TCP_HELPERS_H

/* Flags of struct tcp_congestion_ops. */
#define TCP_CONG_NEEDS_ECN 2

#define min_of(a, b) ((a) < (b) ? (a) : (b))
#define max_of(a, b) ((a) > (b) ? (a) : (b))

/* `sk` of an op is a struct tcp_sock, which begins with a struct inet_connection_sock, which begins with the sock. */
static __always_inline struct tcp_sock *tcp_sk(struct sock *sk) { return (struct tcp_sock *)sk; }
static __always_inline struct inet_connection_sock *inet_csk(struct sock *sk)
{
    return (struct inet_connection_sock *)sk;
}

/* The algorithm's own 104 bytes in the socket, zero when `init` is called. */
static __always_inline void *private_state(struct sock *sk) { return inet_csk(sk)->icsk_ca_priv; }

/* Sequence numbers and jiffies wrap. */
static __always_inline bool is_before(__u32 a, __u32 b) { return (__s32)(a - b) < 0; }

static __always_inline bool in_slow_start(const struct tcp_sock *tp) { return tp->snd_cwnd < tp->snd_ssthresh; }

/* RFC 7661 in its simplest form: a window that was not used must not grow. In slow start it may double. */
static __always_inline bool is_cwnd_limited(const struct tcp_sock *tp)
{
    return FIELD_BITS(tp, is_cwnd_limited) || (in_slow_start(tp) && tp->snd_cwnd < 2 * tp->max_packets_out);
}

#endif
