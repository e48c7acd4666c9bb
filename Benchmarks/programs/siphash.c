#include "bench.h"

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define ROUND                                                                                                         \
    do {                                                                                                              \
        v0 += v1, v1 = ROTATE(v1, 13), v1 ^= v0, v0 = ROTATE(v0, 32);                                                 \
        v2 += v3, v3 = ROTATE(v3, 16), v3 ^= v2;                                                                      \
        v0 += v3, v3 = ROTATE(v3, 21), v3 ^= v0;                                                                      \
        v2 += v1, v1 = ROTATE(v1, 17), v1 ^= v2, v2 = ROTATE(v2, 32);                                                 \
    } while (0)

/* SipHash-2-4 of the input. */
PROGRAM(siphash)
{
    const u64 *words = (const u64 *)data;
    u64 v0 = 0x736f6d6570736575, v1 = 0x646f72616e646f6d, v2 = 0x6c7967656e657261, v3 = 0x7465646279746573;
    for (u32 i = 0; i < DATA_BYTES / 8; i++) {
        u64 m = words[i];
        v3 ^= m;
        ROUND;
        ROUND;
        v0 ^= m;
    }
    v2 ^= 0xff;
    ROUND;
    ROUND;
    ROUND;
    ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}
