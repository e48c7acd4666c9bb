#include "bench.h"

#define N 32

/* Insertion sort of freshly made numbers. */
PROGRAM(sort)
{
    u32 *v = (u32 *)data;
    u32 x = 1;
    for (u32 i = 0; i < N; i++) {
        x = x * 1664525 + 1013904223;
        v[i] = x;
    }
    for (u32 i = 1; i < N; i++) {
        u32 key = v[i];
        u32 j = i;
        while (j > 0 && j < N && v[j - 1] > key) {
            v[j] = v[j - 1];
            j--;
        }
        if (j < N)
            v[j] = key;
    }
    return v[0] ^ v[N - 1];
}
