#include "bench.h"

/* The Internet checksum (RFC 1071). */
PROGRAM(checksum)
{
    const u16 *words = (const u16 *)data;
    u64 sum = 0;
    for (u32 i = 0; i < DATA_BYTES / 2; i++)
        sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (u16)~sum;
}
