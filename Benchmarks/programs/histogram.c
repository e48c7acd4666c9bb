#include "bench.h"

/* Counts bytes into 64 buckets behind the input that it reads. */
PROGRAM(histogram)
{
    u32 *buckets = (u32 *)(data + 512);
    u32 best = 0, most = 0;
    for (u32 i = 0; i < 64; i++)
        buckets[i] = 0;
    for (u32 i = 0; i < 512; i++)
        buckets[data[i] >> 2]++;
    /* Nothing is indexed by `best`: a verifier would have to tell its 64 values apart in every turn. */
    for (u32 i = 0; i < 64; i++)
        if (buckets[i] > most) {
            most = buckets[i];
            best = i;
        }
    return best;
}
