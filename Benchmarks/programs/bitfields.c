#include "bench.h"

struct header {
    u32 version : 4, length : 4, service : 6, ecn : 2, total : 16;
    u32 id : 16, flags : 3, fragment : 13;
};

/* Reads and rewrites packed headers. */
PROGRAM(bitfields)
{
    struct header *h = (struct header *)data;
    u64 sum = 0;
    for (u32 i = 0; i < DATA_BYTES / 8; i++) {
        sum += h[i].version + h[i].length * 4 + h[i].total;
        if (h[i].ecn == 1 || h[i].ecn == 2)
            h[i].ecn = 3;
        h[i].fragment = h[i].id >> 3;
        sum ^= h[i].flags << 5 | h[i].service;
    }
    return sum;
}
