#include "bench.h"

/* Integer cube roots by Newton's method, as a cubic window needs one per epoch. */
NOINLINE u64 cube_root(u64 a)
{
    u64 x = 1;
    for (u32 i = 0; i < 21; i++) {
        if (x * x * x >= a || x >= 2097151)
            break;
        x <<= 1;
    }
    for (u32 i = 0; i < 8; i++) {
        u64 square = x * x;
        x = (2 * x + a / (square ? square : 1)) / 3;
        if (!x)
            x = 1;
    }
    return x;
}

PROGRAM(cuberoot)
{
    const u64 *v = (const u64 *)data;
    u64 sum = 0;
    for (u32 i = 0; i < 32; i++)
        sum += cube_root(v[i] >> 4);
    return sum;
}
