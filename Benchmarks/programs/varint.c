#include "bench.h"

/* Decodes LEB128 numbers of up to five bytes from the input and sums them, zigzag undone. */
PROGRAM(varint)
{
    u64 sum = 0;
    u32 value = 0, shift = 0, count = 0;
    for (u32 i = 0; i < DATA_BYTES; i++) {
        u8 byte = data[i];
        value |= (u32)(byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80 && shift < 35)
            continue;
        sum += (u64)(s32)(value >> 1 ^ -(value & 1));
        count++;
        value = 0;
        shift = 0;
    }
    return sum ^ (u64)count << 48;
}
