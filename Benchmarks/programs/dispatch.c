#include "bench.h"

/* A bytecode interpreter of eight operations. */
PROGRAM(dispatch)
{
    u64 a = 1, b = 2;
    for (u32 i = 0; i < DATA_BYTES / 2; i++) {
        switch (data[i] & 7) {
        case 0: a += b; break;
        case 1: a -= b; break;
        case 2: a ^= b << 3; break;
        case 3: b = a; break;
        case 4: a *= 31; break;
        case 5: b += data[i]; break;
        case 6: a >>= 1; break;
        default: b = ~b; break;
        }
    }
    return a ^ b;
}
