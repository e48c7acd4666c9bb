#include "bench.h"

/* Base64 of the first half of the input, read off as a checksum. */
static inline __attribute__((always_inline)) u8 digit(u32 bits)
{
    bits &= 63;
    if (bits < 26)
        return 'A' + bits;
    if (bits < 52)
        return 'a' + bits - 26;
    if (bits < 62)
        return '0' + bits - 52;
    return bits == 62 ? '+' : '/';
}

PROGRAM(base64)
{
    u64 sum = 0;
    for (u32 i = 0; i + 2 < DATA_BYTES / 2; i += 3) {
        u32 bits = (u32)data[i] << 16 | (u32)data[i + 1] << 8 | data[i + 2];
        u32 text = digit(bits >> 18) | (u32)digit(bits >> 12) << 8 | (u32)digit(bits >> 6) << 16 | (u32)digit(bits) << 24;
        sum = (sum << 5 | sum >> 59) ^ text;
    }
    return sum;
}
