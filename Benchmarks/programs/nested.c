#include "bench.h"

#define N 8

/* Matrix product of two 8 × 8 matrices. */
PROGRAM(nested)
{
    const u32 *a = (const u32 *)data, *b = a + N * N;
    u64 trace = 0;
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++) {
            u32 sum = 0;
            for (u32 k = 0; k < N; k++)
                sum += a[i * N + k] * b[k * N + j];
            trace += (u64)sum * (i == j ? 3 : 1);
        }
    return trace;
}
