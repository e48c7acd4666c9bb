#include "bench.h"

NOINLINE u64 mix(u64 a, u64 b) { return (a ^ b) * 0x9e3779b97f4a7c15; }
NOINLINE u64 fold(u64 a) { return mix(a, a >> 29) ^ (a << 7); }
NOINLINE u64 step(u64 a, u64 b, u64 c) { return fold(a + b) + mix(b, c); }

/* Small functions that call each other. */
PROGRAM(calls)
{
    const u64 *v = (const u64 *)data;
    u64 state = size;
    for (u32 i = 0; i < 100; i++)
        state = step(state, v[i], i);
    return state;
}
