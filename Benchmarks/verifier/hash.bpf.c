/* Hashes: straight lines of arithmetic, and loops of it. */
#include "bench.h"

static __always_inline __u32 rotate(__u32 x, int n) { return x << n | x >> (32 - n); }
static __always_inline __u64 rotate64(__u64 x, int n) { return x << n | x >> (64 - n); }

#define SIP_ROUND(a, b, c, d)                                                          \
    do {                                                                               \
        a += b; b = rotate64(b, 13); b ^= a; a = rotate64(a, 32);                      \
        c += d; d = rotate64(d, 16); d ^= c;                                           \
        a += d; d = rotate64(d, 21); d ^= a;                                           \
        c += b; b = rotate64(b, 17); b ^= c; c = rotate64(c, 32);                      \
    } while (0)

static __always_inline int siphash(int words, int is_unrolled)
{
    struct buffer *buffer = get_input();
    __u64 a = 0x736f6d6570736575, b = 0x646f72616e646f6d, c = 0x6c7967656e657261, d = 0x7465646279746573;

    if (!buffer)
        return 0;
    if (is_unrolled) {
#pragma unroll
        for (int i = 0; i < words; i++) {
            __u64 m = ((__u64 *)buffer)[i];

            d ^= m;
            SIP_ROUND(a, b, c, d);
            SIP_ROUND(a, b, c, d);
            a ^= m;
        }
    } else {
#pragma clang loop unroll(disable)
        for (int i = 0; i < words; i++) {
            __u64 m = ((__u64 *)buffer)[i];

            d ^= m;
            SIP_ROUND(a, b, c, d);
            SIP_ROUND(a, b, c, d);
            a ^= m;
        }
    }
    return (a ^ b ^ c ^ d) & 0x7fffffff;
}

PROGRAM(siphash_4) { return siphash(4, 1); }
PROGRAM(siphash_8) { return siphash(8, 1); }
PROGRAM(siphash_16) { return siphash(16, 1); }
PROGRAM(siphash_32) { return siphash(32, 1); }
PROGRAM(siphash_48) { return siphash(48, 1); }
PROGRAM(siphash_loop) { return siphash(64, 0); }

#define JENKINS_MIX(a, b, c)                             \
    do {                                                 \
        a -= c; a ^= rotate(c, 4); c += b;               \
        b -= a; b ^= rotate(a, 6); a += c;               \
        c -= b; c ^= rotate(b, 8); b += a;               \
        a -= c; a ^= rotate(c, 16); c += b;              \
        b -= a; b ^= rotate(a, 19); a += c;              \
        c -= b; c ^= rotate(b, 4); b += a;               \
    } while (0)

static __always_inline int jenkins(int blocks)
{
    struct buffer *buffer = get_input();
    __u32 a = 0xdeadbeef, b = a, c = a;
    __u64 key;

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < blocks; i++) {
        __u32 *word = (__u32 *)buffer + i * 3;

        a += word[0];
        b += word[1];
        c += word[2];
        JENKINS_MIX(a, b, c);
    }
    key = c;
    return bpf_map_lookup_elem(&table, &key) != 0;
}

PROGRAM(jenkins_2) { return jenkins(2); }
PROGRAM(jenkins_5) { return jenkins(5); }
PROGRAM(jenkins_12) { return jenkins(12); }

static __always_inline int fnv(int bytes)
{
    struct buffer *buffer = get_input();
    __u64 hash = 0xcbf29ce484222325, key;
    __u64 *value;

    if (!buffer)
        return 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < bytes; i++) {
        hash ^= buffer->bytes[i];
        hash *= 0x100000001b3;
    }
    key = hash & 1023;
    value = bpf_map_lookup_elem(&table, &key);
    if (value)
        value[hash >> 10 & 3]++;
    return 0;
}


#define QUARTER(a, b, c, d)                                                            \
    do {                                                                               \
        a += b; d = rotate(d ^ a, 16);                                                 \
        c += d; b = rotate(b ^ c, 12);                                                 \
        a += b; d = rotate(d ^ a, 8);                                                  \
        c += d; b = rotate(b ^ c, 7);                                                  \
    } while (0)

/* Sixteen words that do not fit registers: spills all over. */
static __always_inline int chacha(int rounds, int is_unrolled)
{
    struct buffer *buffer = get_input();
    __u32 x[16];

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < 16; i++)
        x[i] = ((__u32 *)buffer)[i];
    if (is_unrolled) {
#pragma unroll
        for (int i = 0; i < rounds; i += 2) {
            QUARTER(x[0], x[4], x[8], x[12]); QUARTER(x[1], x[5], x[9], x[13]);
            QUARTER(x[2], x[6], x[10], x[14]); QUARTER(x[3], x[7], x[11], x[15]);
            QUARTER(x[0], x[5], x[10], x[15]); QUARTER(x[1], x[6], x[11], x[12]);
            QUARTER(x[2], x[7], x[8], x[13]); QUARTER(x[3], x[4], x[9], x[14]);
        }
    } else {
#pragma clang loop unroll(disable)
        for (int i = 0; i < rounds; i += 2) {
            QUARTER(x[0], x[4], x[8], x[12]); QUARTER(x[1], x[5], x[9], x[13]);
            QUARTER(x[2], x[6], x[10], x[14]); QUARTER(x[3], x[7], x[11], x[15]);
            QUARTER(x[0], x[5], x[10], x[15]); QUARTER(x[1], x[6], x[11], x[12]);
            QUARTER(x[2], x[7], x[8], x[13]); QUARTER(x[3], x[4], x[9], x[14]);
        }
    }
#pragma unroll
    for (int i = 0; i < 16; i++)
        ((__u32 *)buffer)[i + 16] = x[i];
    return x[0] & 0xff;
}

PROGRAM(chacha_4) { return chacha(4, 1); }
PROGRAM(chacha_8) { return chacha(8, 1); }
PROGRAM(chacha_20) { return chacha(20, 1); }
PROGRAM(chacha_loop) { return chacha(20, 0); }
PROGRAM(hash_loops) { return fnv(300) + siphash(40, 0); }
