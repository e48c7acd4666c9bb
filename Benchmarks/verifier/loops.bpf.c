/* Bounded loops: nested, with branches, over arrays on the stack and in maps. */
#include "bench.h"

static __always_inline int matrix(int n)
{
    __u32 a[36], sum = 0;

#pragma clang loop unroll(disable)
    for (int i = 0; i < n; i++) {
#pragma clang loop unroll(disable)
        for (int j = 0; j < n; j++)
            a[(i * 6 + j) % 36] = i * 7 + j * 3 + bpf_get_prandom_u32() % 5;
    }
#pragma clang loop unroll(disable)
    for (int i = 0; i < n; i++) {
#pragma clang loop unroll(disable)
        for (int j = 0; j < n; j++)
            sum += a[(i * 6 + j) % 36];
    }
    return sum & 0xffff;
}

static __always_inline int histogram(int bytes)
{
    struct buffer *buffer = get_input();

    if (!buffer)
        return 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < bytes; i++)
        count(buffer->bytes[i] & 63);
    return 0;
}

static __always_inline int search(int haystack, int needle)
{
    struct buffer *buffer = get_input();

    if (!buffer)
        return 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < haystack; i++) {
        int j;

#pragma clang loop unroll(disable)
        for (j = 0; j < needle; j++) {
            if (buffer->bytes[i + j] != buffer->bytes[2048 + j])
                break;
        }
        if (j == needle)
            return i;
    }
    return -1;
}

static __always_inline int sort(int n)
{
    struct buffer *buffer = get_input();

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < n; i++) {
#pragma unroll
        for (int j = 0; j + 1 < n - i; j++) {
            __u8 a = buffer->bytes[j], b = buffer->bytes[j + 1];

            buffer->bytes[j] = a < b ? a : b;
            buffer->bytes[j + 1] = a < b ? b : a;
        }
    }
    return buffer->bytes[0];
}

PROGRAM(sort_12) { return sort(12); }

static __always_inline int classes(int bytes)
{
    struct buffer *buffer = get_input();
    int digits = 0, letters = 0, spaces = 0, others = 0;

    if (!buffer)
        return 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < bytes; i++) {
        __u8 c = buffer->bytes[i];

        if (c >= '0' && c <= '9')
            digits++;
        else if ((c | 32) >= 'a' && (c | 32) <= 'z')
            letters++;
        else if (c == ' ' || c == '\t')
            spaces++;
        else
            others++;
    }
    return digits + letters * 2 + spaces * 3 + others * 5;
}

static long turn(__u32 index, void *context)
{
    __u64 *words = context;
    struct buffer *buffer = get_input();

    if (!buffer || index >= BUFFER_BYTES)
        return 1;
    words[0] += buffer->bytes[index];
    if (words[0] > 100000)
        words[1]++;
    return 0;
}

static long visit(void *map, __u32 *key, __u64 *value, void *context)
{
    __u64 *words = context;

    if (*value > words[0]) {
        words[0] = *value;
        words[1] = *key;
    }
    return 0;
}

#define TURNS(n)                                          \
    ({                                                    \
        __u64 words[2] = {0, 0};                          \
        bpf_loop(n, turn, words, 0);                      \
        bpf_for_each_map_elem(&counters, visit, words, 0); \
        words[0] + words[1];                              \
    })

PROGRAM(callbacks_12)
{
    __u64 sum = 0;

#pragma unroll
    for (int i = 1; i <= 6; i++)
        sum += TURNS(i * 10);
    return sum & 0xff;
}

PROGRAM(sort_8) { return sort(8); }
PROGRAM(sort_10) { return sort(10); }

/* Several loops, one after the other. */
PROGRAM(loops_short) { return histogram(16) + classes(8) + search(8, 4) + matrix(3); }
PROGRAM(loops_medium) { return histogram(64) + classes(16) + search(16, 4) + matrix(6); }
PROGRAM(loops_long) { return histogram(128) + classes(32) + search(32, 6) + matrix(6) + sort(6); }
PROGRAM(loops_twice) { return classes(12) + matrix(4) + histogram(40) + classes(20) + matrix(5); }
