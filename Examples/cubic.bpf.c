/* CUBIC (RFC 9438) with HyStart, as Linux runs it: the same constants, rounding and clock, so that runs can be compared.
 *
 * Windows are in segments, round-trip times in microseconds, the time of the cubic function in 1/1024 s.
 */
#include "vmlinux.h"
#include "bpf_helpers.h"
#include "tcp_helpers.h"

char licence[] SEC("license") = "Dual MIT/GPL";

extern int CONFIG_HZ __kconfig;
extern __u32 tcp_slow_start(struct tcp_sock *tp, __u32 acked) __ksym;
extern void tcp_cong_avoid_ai(struct tcp_sock *tp, __u32 w, __u32 acked) __ksym;

/* beta_cubic = 0.7 (section 4.6), in 1/1024. */
#define BETA 717
#define BETA_UNIT 1024
/* C = 0.4 (section 5): the cubic function is W(t) = C (t - K)^3 + W_max. C_SCALED is 410 / 1024, and times are in 1/1024 s,
 * so that C (t - K)^3 = C_SCALED * offset^3 >> 40. */
#define C_SCALED (41 * 10)
#define TIME_SHIFT 10
#define CUBE_SHIFT (TIME_SHIFT * 4)
/* alpha_cubic of section 4.3 is 3 (1 - beta) / (1 + beta) segments per round trip; its inverse, in 1/8. */
#define FRIENDLY_SCALE (8 * (BETA_UNIT + BETA) / 3 / (BETA_UNIT - BETA))

/* HyStart: below this window rounds are too short to tell anything. */
#define HYSTART_LOW_WINDOW 16
/* ACKs closer together than this belong to one train. */
#define HYSTART_TRAIN_GAP_US 2000
#define HYSTART_SAMPLES 8
#define HYSTART_DELAY_MIN_US 4000
#define HYSTART_DELAY_MAX_US 16000

#define USEC_PER_SEC 1000000ull

/* Lives in the socket's private bytes. Times without a unit are jiffies. */
struct cubic_private {
    __u32 cnt; /* ACKed segments per segment of growth */
    __u32 last_max_cwnd; /* W_max */
    __u32 last_cwnd; /* window and time of the last computation */
    __u32 last_time;
    __u32 origin; /* where the plateau lies */
    __u32 k; /* time from the epoch's start to the plateau, 1/1024 s */
    __u32 delay_min; /* us */
    __u32 epoch_start; /* 0: no epoch */
    __u32 ack_cnt;
    __u32 tcp_cwnd; /* W_est: what Reno would have */
    __u32 found; /* HyStart has ended slow start */
    __u32 sample_cnt;
    __u32 round_start; /* us */
    __u32 end_seq; /* the round ends when this is acknowledged */
    __u32 last_ack; /* us */
    __u32 curr_rtt; /* us, least of this round */
};
_Static_assert(sizeof(struct cubic_private) <= 104, "more than a socket has");

static __always_inline __u32 jiffies32(void) { return (__u32)bpf_jiffies64(); }

/* Rounded up, as the kernel converts. */
static __always_inline __u32 jiffies_of(__u32 us)
{
    return (us * (__u64)CONFIG_HZ + USEC_PER_SEC - 1) / USEC_PER_SEC;
}

static __always_inline void start_round(struct cubic_private *ca, const struct tcp_sock *tp)
{
    ca->round_start = ca->last_ack = (__u32)tp->tcp_mstamp;
    ca->end_seq = tp->snd_nxt;
    ca->curr_rtt = ~0u;
    ca->sample_cnt = 0;
}

static __always_inline void forget(struct cubic_private *ca)
{
    ca->cnt = 0;
    ca->last_max_cwnd = 0;
    ca->last_cwnd = 0;
    ca->last_time = 0;
    ca->origin = 0;
    ca->k = 0;
    ca->delay_min = 0;
    ca->epoch_start = 0;
    ca->ack_cnt = 0;
    ca->tcp_cwnd = 0;
    ca->found = 0;
}

SEC("struct_ops/init")
void OPS_PROG(cubic_init, struct sock *sk)
{
    struct cubic_private *ca = private_state(sk);

    forget(ca);
    start_round(ca, tcp_sk(sk));
}

/* After an idle time the epoch moves on, or the window would jump to where the cubic function would be by now. */
SEC("struct_ops/cwnd_event")
void OPS_PROG(cubic_cwnd_event, struct sock *sk, enum tcp_ca_event event)
{
    struct cubic_private *ca = private_state(sk);
    __u32 now = jiffies32();
    __s32 idle = now - tcp_sk(sk)->lsndtime;

    if (event != CA_EVENT_TX_START || !ca->epoch_start || idle <= 0)
        return;
    ca->epoch_start += idle;
    if (is_before(now, ca->epoch_start))
        ca->epoch_start = now;
}

/* The largest y with y^3 <= x, for x below 2^54: Newton's steps from above, then at most one too many. */
static __always_inline __u32 cube_root(__u64 x)
{
    __u64 rest = x, y = 1;
    int i;

    if (!x)
        return 0;
    /* 2^(ceil(bits / 3)): at most twice the root. */
    for (i = 0; i < 18; i++) {
        if (rest) {
            rest >>= 3;
            y <<= 1;
        }
    }
    for (i = 0; i < 6; i++)
        y = (2 * y + x / (y * y)) / 3;
    if (y * y * y > x)
        y--;
    return y;
}

/* A new epoch: where the cubic function starts and where its plateau lies (section 4.2). */
static __always_inline void start_epoch(struct cubic_private *ca, __u32 cwnd, __u32 acked, __u32 now)
{
    ca->epoch_start = now;
    ca->ack_cnt = acked;
    ca->tcp_cwnd = cwnd;
    if (ca->last_max_cwnd <= cwnd) {
        ca->k = 0;
        ca->origin = cwnd;
    } else {
        /* K = cbrt((W_max - cwnd) / C), in 1/1024 s. */
        ca->k = cube_root((1ull << CUBE_SHIFT) / C_SCALED * (ca->last_max_cwnd - cwnd));
        ca->origin = ca->last_max_cwnd;
    }
}

/* Where the cubic function will be one round trip from now, as a rate of growth: `cnt` ACKs per segment. */
static __always_inline void follow_cubic(struct cubic_private *ca, __u32 cwnd, __u32 now)
{
    __u64 t = (__u32)(now - ca->epoch_start) + (__u64)jiffies_of(ca->delay_min);
    __u64 offset, delta;
    __u32 target;

    t = (t << TIME_SHIFT) / (__u32)CONFIG_HZ;
    offset = t < ca->k ? ca->k - t : t - ca->k;
    delta = C_SCALED * offset * offset * offset >> CUBE_SHIFT;
    target = t < ca->k ? ca->origin - (__u32)delta : ca->origin + (__u32)delta;

    if (target > cwnd)
        ca->cnt = cwnd / (target - cwnd);
    else
        ca->cnt = 100 * cwnd; /* barely grow */
    /* Without a W_max there is no plateau to approach: grow by 5 % per round trip at least. */
    if (!ca->last_max_cwnd && ca->cnt > 20)
        ca->cnt = 20;
}

/* Section 4.3: never slower than Reno would be. */
static __always_inline void befriend_reno(struct cubic_private *ca, __u32 cwnd)
{
    __u32 per_segment = cwnd * FRIENDLY_SCALE >> 3;

    if (ca->ack_cnt && per_segment) {
        __u32 steps = (ca->ack_cnt - 1) / per_segment;

        ca->ack_cnt -= steps * per_segment;
        ca->tcp_cwnd += steps;
    }
    if (ca->tcp_cwnd > cwnd) {
        __u32 cnt = cwnd / (ca->tcp_cwnd - cwnd);

        if (ca->cnt > cnt)
            ca->cnt = cnt;
    }
}

static __always_inline void update(struct cubic_private *ca, __u32 cwnd, __u32 acked)
{
    __u32 now = jiffies32();

    ca->ack_cnt += acked;
    /* Nothing new within 1/32 s at the same window. */
    if (ca->last_cwnd == cwnd && (__s32)(now - ca->last_time) <= CONFIG_HZ / 32)
        return;
    /* The function of time is computed once per jiffy, Reno's share on every ACK. */
    if (!ca->epoch_start || now != ca->last_time) {
        ca->last_cwnd = cwnd;
        ca->last_time = now;
        if (!ca->epoch_start)
            start_epoch(ca, cwnd, acked, now);
        follow_cubic(ca, cwnd, now);
    }
    befriend_reno(ca, cwnd);
    /* Growth by half a segment per ACK is the limit. */
    if (ca->cnt < 2)
        ca->cnt = 2;
}

SEC("struct_ops/cong_avoid")
void OPS_PROG(cubic_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    struct tcp_sock *tp = tcp_sk(sk);
    struct cubic_private *ca = private_state(sk);

    if (!is_cwnd_limited(tp))
        return;
    if (in_slow_start(tp)) {
        acked = tcp_slow_start(tp, acked);
        if (!acked)
            return;
    }
    update(ca, tp->snd_cwnd, acked);
    tcp_cong_avoid_ai(tp, ca->cnt, acked);
}

/* Sections 4.6 and 4.7: multiplicative decrease; a flow that lost before it was back at W_max makes room for others. */
SEC("struct_ops/ssthresh")
__u32 OPS_PROG(cubic_ssthresh, struct sock *sk)
{
    struct cubic_private *ca = private_state(sk);
    __u32 cwnd = tcp_sk(sk)->snd_cwnd;

    ca->epoch_start = 0;
    if (cwnd < ca->last_max_cwnd)
        ca->last_max_cwnd = cwnd * (BETA_UNIT + BETA) / (2 * BETA_UNIT);
    else
        ca->last_max_cwnd = cwnd;
    return max_of(cwnd * BETA / BETA_UNIT, 2u);
}

SEC("struct_ops/set_state")
void OPS_PROG(cubic_set_state, struct sock *sk, __u8 state)
{
    struct cubic_private *ca = private_state(sk);

    if (state == TCP_CA_Loss) {
        forget(ca);
        start_round(ca, tcp_sk(sk));
    }
}

SEC("struct_ops/undo_cwnd")
__u32 OPS_PROG(cubic_undo_cwnd, struct sock *sk)
{
    const struct tcp_sock *tp = tcp_sk(sk);

    return max_of(tp->snd_cwnd, tp->prior_cwnd);
}

/* What segmentation offload adds to the spacing of ACKs: the time of four full bursts, at most 1 ms. */
static __always_inline __u32 burst_time_us(const struct sock *sk)
{
    __u64 rate = sk->sk_pacing_rate;
    __u64 time;

    if (!rate)
        return 0;
    time = sk->sk_gso_max_size * 4 * USEC_PER_SEC / rate;
    return min_of(time, 1000ull);
}

/* HyStart: leave slow start when a train of ACKs is as long as half the round trip, or when delay has risen. */
static __always_inline void look_for_exit(struct sock *sk, struct cubic_private *ca, __u32 delay)
{
    struct tcp_sock *tp = tcp_sk(sk);
    __u32 now = (__u32)tp->tcp_mstamp;

    if (is_before(ca->end_seq, tp->snd_una))
        start_round(ca, tp);
    /* Rounds are followed from the start, small ones are not judged (as since Linux 6.14). */
    if (tp->snd_cwnd < HYSTART_LOW_WINDOW)
        return;

    if ((__s32)(now - ca->last_ack) <= HYSTART_TRAIN_GAP_US) {
        __u32 threshold = ca->delay_min + burst_time_us(sk);

        ca->last_ack = now;
        /* Without pacing the whole window arrives as one train, and half of the round trip is enough. */
        if (sk->sk_pacing_status == SK_PACING_NONE)
            threshold >>= 1;
        if ((__s32)(now - ca->round_start) > (__s32)threshold) {
            ca->found = 1;
            tp->snd_ssthresh = tp->snd_cwnd;
        }
    }

    if (ca->curr_rtt > delay)
        ca->curr_rtt = delay;
    if (ca->sample_cnt < HYSTART_SAMPLES) {
        ca->sample_cnt++;
    } else {
        __u32 rise = ca->delay_min >> 3;

        rise = min_of(max_of(rise, HYSTART_DELAY_MIN_US), HYSTART_DELAY_MAX_US);
        if (ca->curr_rtt > ca->delay_min + rise) {
            ca->found = 1;
            tp->snd_ssthresh = tp->snd_cwnd;
        }
    }
}

SEC("struct_ops/pkts_acked")
void OPS_PROG(cubic_pkts_acked, struct sock *sk, const struct ack_sample *sample)
{
    struct tcp_sock *tp = tcp_sk(sk);
    struct cubic_private *ca = private_state(sk);
    __u32 delay;

    if (sample->rtt_us < 0)
        return;
    /* The first second of an epoch is full of the queue that the loss left behind. */
    if (ca->epoch_start && (__s32)(jiffies32() - ca->epoch_start) < CONFIG_HZ)
        return;
    delay = max_of(sample->rtt_us, 1);
    if (!ca->delay_min || ca->delay_min > delay)
        ca->delay_min = delay;
    if (!ca->found && in_slow_start(tp))
        look_for_exit(sk, ca, delay);
}

SEC(".struct_ops")
struct tcp_congestion_ops cubic = {
    .init = (void *)cubic_init,
    .ssthresh = (void *)cubic_ssthresh,
    .cong_avoid = (void *)cubic_cong_avoid,
    .set_state = (void *)cubic_set_state,
    .undo_cwnd = (void *)cubic_undo_cwnd,
    .cwnd_event = (void *)cubic_cwnd_event,
    .pkts_acked = (void *)cubic_pkts_acked,
    .name = "bpf_cubic",
};
