#include "bench.h"

/* Sums the decimal numbers in what is read as text: a small state machine over bytes. */
PROGRAM(parse)
{
    u64 total = 0, number = 0, numbers = 0;
    u32 in_number = 0;
    for (u32 i = 0; i < DATA_BYTES; i++) {
        u8 c = data[i] & 0x3f;
        if (c >= '0' && c <= '9') {
            number = number * 10 + (c - '0');
            in_number = 1;
        } else if (in_number) {
            total += number;
            numbers++;
            number = 0;
            in_number = 0;
        }
    }
    return total ^ numbers << 32;
}
