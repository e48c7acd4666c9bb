/* Functions that are not inlined: called often, in chains, with pointers to the caller's stack. */
#include "bench.h"

#define NOINLINE static __attribute__((noinline))

NOINLINE __u32 mix(__u32 a, __u32 b)
{
    a ^= b << 7;
    a += b >> 3;
    return a * 2654435761u;
}

NOINLINE int clamp(int value, int low, int high)
{
    if (value < low)
        return low;
    if (value > high)
        return high;
    return value;
}

NOINLINE int read_at(struct buffer *buffer, __u32 index)
{
    if (!buffer || index >= BUFFER_BYTES)
        return -1;
    return buffer->bytes[index];
}

NOINLINE void fill(__u64 *words, __u32 seed)
{
    words[0] = seed;
    words[1] = mix(seed, 1);
    words[2] = mix(seed, 2);
    words[3] = words[1] ^ words[2];
}

NOINLINE int store_words(__u64 *words)
{
    __u64 key = words[0];

    return bpf_map_update_elem(&table, &key, words, 0);
}

static __always_inline int calls(int n)
{
    struct buffer *buffer = get_input();
    __u32 hash = 1;

#pragma unroll
    for (int i = 0; i < n; i++) {
        int byte = read_at(buffer, hash & (BUFFER_BYTES - 1));

        hash = mix(hash, clamp(byte, 3, 200));
    }
    return hash & 0xffff;
}

PROGRAM(calls_12) { return calls(12); }
PROGRAM(calls_24) { return calls(24); }
PROGRAM(calls_40) { return calls(40); }

static __always_inline int records(int n)
{
    __u64 words[4];
    int sum = 0;

#pragma unroll
    for (int i = 0; i < n; i++) {
        fill(words, i * 77 + sum);
        sum += store_words(words);
    }
    return sum;
}

PROGRAM(records_12) { return records(12); }
PROGRAM(records_24) { return records(24); }

NOINLINE int deep_5(__u32 x) { return mix(x, 5) & 0xff; }
NOINLINE int deep_4(__u32 x) { return x & 1 ? deep_5(x + 1) : deep_5(x * 3) + 1; }
NOINLINE int deep_3(__u32 x) { return x & 2 ? deep_4(x + 1) : deep_4(x * 3) + 1; }
NOINLINE int deep_2(__u32 x) { return x & 4 ? deep_3(x + 1) : deep_3(x * 3) + 1; }
NOINLINE int deep_1(__u32 x) { return x & 8 ? deep_2(x + 1) : deep_2(x * 3) + 1; }

PROGRAM(deep_many)
{
    int sum = 0;

#pragma unroll
    for (int i = 0; i < 12; i++)
        sum += deep_1(bpf_get_prandom_u32() + sum);
    return sum & 0xff;
}
