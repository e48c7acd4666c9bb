#include "bench.h"

struct flow {
    u32 cwnd, ssthresh, count, clamp;
    u32 srtt, min_rtt, acked, losses;
};

/* A window's life: slow start, congestion avoidance with a remainder, a multiplicative decrease now and then. */
PROGRAM(cwnd)
{
    struct flow *f = (struct flow *)data;
    u32 x = 7;
    f->cwnd = 10;
    f->ssthresh = 200;
    f->count = 0;
    f->clamp = 100000;
    f->losses = 0;
    for (u32 i = 0; i < 200; i++) {
        u32 acked = 1 + (x >> 30);
        x = x * 1664525 + 1013904223;
        if (x < 0x02000000) {
            f->ssthresh = f->cwnd * 717 / 1024;
            if (f->ssthresh < 2)
                f->ssthresh = 2;
            f->cwnd = f->ssthresh;
            f->losses++;
        } else if (f->cwnd < f->ssthresh) {
            f->cwnd += acked;
        } else {
            f->count += acked;
            if (f->cwnd && f->count >= f->cwnd) {
                u32 steps = f->count / f->cwnd;
                f->count -= steps * f->cwnd;
                f->cwnd += steps;
            }
        }
        if (f->cwnd > f->clamp)
            f->cwnd = f->clamp;
        f->srtt = f->srtt - (f->srtt >> 3) + (x >> 20);
    }
    return f->cwnd + ((u64)f->losses << 32) + f->srtt;
}
