/* Bit tricks and checksums: shifts, masks, sign extension, both widths. */
#include "bench.h"

static __always_inline int checksum(int words, int is_unrolled)
{
    struct buffer *buffer = get_input();
    __u64 sum = 0;

    if (!buffer)
        return 0;
    if (is_unrolled) {
#pragma unroll
        for (int i = 0; i < words; i++)
            sum += ((__u16 *)buffer->bytes)[i];
    } else {
#pragma clang loop unroll(disable)
        for (int i = 0; i < words; i++)
            sum += ((__u16 *)buffer->bytes)[i];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

PROGRAM(checksum_40) { return checksum(40, 1); }
PROGRAM(checksum_120) { return checksum(120, 1); }

static __always_inline __u64 reverse(__u64 x)
{
    x = (x & 0x5555555555555555) << 1 | (x >> 1 & 0x5555555555555555);
    x = (x & 0x3333333333333333) << 2 | (x >> 2 & 0x3333333333333333);
    x = (x & 0x0f0f0f0f0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f0f0f0f0f);
    return __builtin_bswap64(x);
}

static __always_inline int weight(__u64 x)
{
    x -= x >> 1 & 0x5555555555555555;
    x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return x * 0x0101010101010101 >> 56;
}

static __always_inline int tricks(int words)
{
    struct buffer *buffer = get_input();
    int sum = 0;

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < words; i++) {
        __u64 word = ((__u64 *)buffer->bytes)[i];

        sum += weight(reverse(word)) + (__s8)word + (__s16)(word >> 8);
        buffer->bytes[sum & 1023]++;
    }
    return sum;
}

PROGRAM(tricks_4) { return tricks(4); }
PROGRAM(tricks_12) { return tricks(12); }
PROGRAM(tricks_32) { return tricks(32); }

/* Signed division and remainders, square and cube roots by Newton's steps. */
static __always_inline int roots(int n)
{
    __u64 sum = 0;

#pragma unroll
    for (int i = 0; i < n; i++) {
        __u64 value = bpf_ktime_get_ns() >> (i & 31), root = 1000 + i;

#pragma unroll
        for (int step = 0; step < 6; step++)
            root = root ? (root + value / root) / 2 : 1;
        sum += root;
    }
    return sum & 0xffff;
}

PROGRAM(roots_4) { return roots(4); }
PROGRAM(roots_12) { return roots(12); }
PROGRAM(roots_24) { return roots(24); }

/* Varints: a loop that ends at the first byte without its top bit. */
static __always_inline int varints(int numbers)
{
    struct buffer *buffer = get_input();
    __u32 at = 0;
    __u64 sum = 0;

    if (!buffer)
        return 0;
    for (int n = 0; n < numbers; n++) {
        __u64 value = 0;

        for (int i = 0; i < 5; i++) {
            __u8 byte;

            if (at >= BUFFER_BYTES)
                return -1;
            byte = buffer->bytes[at++];
            value |= (__u64)(byte & 127) << (i * 7);
            if (!(byte & 128))
                break;
        }
        sum += value;
    }
    return sum & 0xffff;
}

PROGRAM(varints_and_checksum) { return varints(3) + checksum(200, 0) + checksum(20, 1); }
