#include "bench.h"

/* Bubble sort of 24 words, as far as 24 passes go; returns a checksum of the order. */
PROGRAM(bubble)
{
    u32 *words = (u32 *)data;
    u32 state = 12345;
    for (u32 i = 0; i < 24; i++) {
        state = state * 1103515245 + 12345;
        words[i] = state >> 16;
    }
    for (u32 pass = 0; pass < 24; pass++)
        for (u32 i = 0; i < 23; i++) {
            u32 a = words[i], b = words[i + 1];
            if (a > b) {
                words[i] = b;
                words[i + 1] = a;
            }
        }
    u64 sum = 0;
    for (u32 i = 0; i < 24; i++)
        sum = sum * 33 ^ words[i];
    return sum;
}
