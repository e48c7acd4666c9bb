#include "bench.h"

/* Counts bytes into 64 buckets behind the input that it reads. */
PROGRAM(histogram)
{
    u32 *buckets = (u32 *)(data + 512);
    u32 best = 0;
    for (u32 i = 0; i < 64; i++)
        buckets[i] = 0;
    for (u32 i = 0; i < 512; i++)
        buckets[data[i] >> 2]++;
    for (u32 i = 1; i < 64; i++)
        if (buckets[i] > buckets[best & 63])
            best = i;
    return best;
}
