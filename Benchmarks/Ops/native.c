/* The Examples' ops as ordinary C functions, and the loop that calls ops, native ones or opsd's, on a socket that changes
 * as a live one does. Compiled with -DALGORITHM="\"cubic.bpf.c\"" -DTABLE=cubic -include native.h, so that the program's
 * source is taken as it is.
 *
 * Kernel functions that it calls stay functions, as they are in a kernel. */
#include ALGORITHM

u64 native_jiffies;
int CONFIG_HZ = 250;

__attribute__((noinline)) __u32 tcp_slow_start(struct tcp_sock *tp, __u32 acked)
{
    __u32 room = tp->snd_ssthresh - tp->snd_cwnd, used = acked < room ? acked : room;

    tp->snd_cwnd += used;
    if (tp->snd_cwnd > tp->snd_cwnd_clamp)
        tp->snd_cwnd = tp->snd_cwnd_clamp;
    return acked - used;
}

__attribute__((noinline)) void tcp_cong_avoid_ai(struct tcp_sock *tp, __u32 w, __u32 acked)
{
    if (tp->snd_cwnd_cnt >= w) {
        tp->snd_cwnd_cnt = 0;
        tp->snd_cwnd++;
    }
    tp->snd_cwnd_cnt += acked;
    if (tp->snd_cwnd_cnt >= w) {
        __u32 more = tp->snd_cwnd_cnt / w;

        tp->snd_cwnd_cnt -= more * w;
        tp->snd_cwnd += more;
    }
    if (tp->snd_cwnd > tp->snd_cwnd_clamp)
        tp->snd_cwnd = tp->snd_cwnd_clamp;
}

static unsigned long now(void)
{
    struct { long seconds, nanoseconds; } time;

    clock_gettime(3 /* CLOCK_THREAD_CPUTIME_ID */, &time);
    return time.seconds * 1000000000ul + time.nanoseconds;
}

/* Calls one op (0 cong_avoid, 1 pkts_acked, 2 ssthresh) `count` times. Between calls time passes, segments are
 * acknowledged, and a window that has grown large falls back. `tables[0]`: this file's ops.
 * Returns nanoseconds for all calls together, what passes between them included; 0: there is no such op.
 * Puts a sum of the results and of the socket's bytes into `digest`. */
unsigned long measure(const struct tcp_congestion_ops *ops, __u64 *jiffies, int op, unsigned long count, u64 *digest)
{
    static struct tcp_sock sockets[1];
    struct tcp_sock *tp = sockets;
    struct sock *sk = (struct sock *)tp;
    struct ack_sample sample = { .pkts_acked = 2 };
    unsigned long start, end;
    u64 sum = 0;

    if (!ops)
        ops = &TABLE;
    if (!jiffies)
        jiffies = &native_jiffies;
    if (op == 0 ? !ops->cong_avoid : op == 1 ? !ops->pkts_acked : !ops->ssthresh)
        return 0;
    __builtin_memset(tp, 0, sizeof(*tp));
    tp->snd_cwnd = 20;
    tp->snd_cwnd_clamp = ~0u;
    tp->snd_ssthresh = op == 1 ? 1u << 30 : 16;
    tp->is_cwnd_limited = 1;
    tp->tcp_mstamp = 1000000;
    *jiffies = 100000;
    if (ops->init)
        ops->init(sk);
    start = now();
    for (unsigned long i = 0; i < count; i++) {
        tp->tcp_mstamp += 40;
        tp->snd_una += 2896;
        tp->snd_nxt = tp->snd_una + 28960;
        *jiffies += (i & 31) == 0;
        switch (op) {
        case 0:
            if (tp->snd_cwnd > 2000)
                tp->snd_cwnd = 20;
            ops->cong_avoid(sk, tp->snd_una, 1 + (i & 1));
            break;
        case 1:
            sample.rtt_us = 20000 + (i & 1023);
            ops->pkts_acked(sk, &sample);
            break;
        default:
            tp->snd_cwnd = 10 + (i & 255);
            sum += ops->ssthresh(sk);
        }
    }
    end = now();
    for (unsigned long i = 0; i < sizeof(*tp); i++)
        sum = sum * 31 + ((unsigned char *)tp)[i];
    *digest = sum;
    return end - start;
}
