/* Many decisions: chains of independent tests, switches, rules with several conditions. */
#include "bench.h"

#define BIT_TEST(i) if (word & (1ULL << (i))) sum += (i) * 3; else sum ^= (i);
#define BITS_8(i) BIT_TEST(i) BIT_TEST(i + 1) BIT_TEST(i + 2) BIT_TEST(i + 3) \
                  BIT_TEST(i + 4) BIT_TEST(i + 5) BIT_TEST(i + 6) BIT_TEST(i + 7)

static __always_inline __u64 some_word(void)
{
    struct buffer *buffer = get_input();

    return buffer ? *(__u64 *)buffer : 0;
}

PROGRAM(bits_16) { __u64 word = some_word(), sum = 0; BITS_8(0) BITS_8(8) return sum & 0xffff; }
PROGRAM(bits_64)
{
    __u64 word = some_word(), sum = 0;

    BITS_8(0) BITS_8(8) BITS_8(16) BITS_8(24) BITS_8(32) BITS_8(40) BITS_8(48) BITS_8(56)
    return sum & 0xffff;
}

PROGRAM(bits_32) { __u64 word = some_word(), sum = 0; BITS_8(0) BITS_8(8) BITS_8(16) BITS_8(24) return sum & 0xffff; }

/* Ranges of one number, as a table of rules would test them. */
#define RULE(n) if (port >= (n) * 37 && port < (n) * 37 + 20 && (proto == 6 || proto == (n))) { count((n) & 63); return n; }
#define RULES_8(n) RULE(n) RULE(n + 1) RULE(n + 2) RULE(n + 3) RULE(n + 4) RULE(n + 5) RULE(n + 6) RULE(n + 7)

PROGRAM(rules_8)
{
    __u64 word = some_word();
    __u32 port = word & 0xffff, proto = word >> 16 & 0xff;

    RULES_8(1)
    return 0;
}
PROGRAM(rules_48)
{
    __u64 word = some_word();
    __u32 port = word & 0xffff, proto = word >> 16 & 0xff;

    RULES_8(1) RULES_8(9) RULES_8(17) RULES_8(25) RULES_8(33) RULES_8(41)
    return 0;
}

#define CASE(n) case (n) * 5: value = value * (n) + 3; break; case (n) * 5 + 1: value ^= 0x55 + (n); break; \
                case (n) * 5 + 2: count((n) & 63); break;

static __always_inline int machine(int steps)
{
    struct buffer *buffer = get_input();
    __u64 value = 1;

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < steps; i++) {
        switch (buffer->bytes[i]) {
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
        default: value++;
        }
    }
    return value & 0xff;
}

PROGRAM(machine_1) { return machine(1); }
PROGRAM(machine_3) { return machine(3); }
PROGRAM(machine_6) { return machine(6); }
PROGRAM(machine_12) { return machine(12); }
PROGRAM(machine_24) { return machine(24); }

/* Clamps: each test narrows a range that the next relies on. */
static __always_inline int clamps(int n)
{
    struct buffer *buffer = get_input();
    __s64 index = some_word();
    int sum = 0;

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < n; i++) {
        __s64 place = index >> (i & 15);

        opaque(place);
        if (place < 0)
            place = 0;
        if (place > BUFFER_BYTES - 8)
            place = BUFFER_BYTES - 8;
        sum += *(__u32 *)(buffer->bytes + place);
        index += sum;
    }
    return sum;
}

PROGRAM(clamps_8) { return clamps(8); }
PROGRAM(clamps_20) { return clamps(20); }
PROGRAM(clamps_40) { return clamps(40); }

/* A decision tree over bytes, compiled to compares. */
#define NODE(d, l, r) (buffer->bytes[d] < ((d) * 11 + 9) % 251 ? (l) : (r))
#define TREE_1(d) NODE(d, (d) + 1, (d) + 2)
#define TREE_2(d) NODE(d, TREE_1((d) * 2 + 1), TREE_1((d) * 2 + 2))
#define TREE_3(d) NODE(d, TREE_2((d) * 2 + 1), TREE_2((d) * 2 + 2))
#define TREE_4(d) NODE(d, TREE_3((d) * 2 + 1), TREE_3((d) * 2 + 2))
#define TREE_5(d) NODE(d, TREE_4((d) * 2 + 1), TREE_4((d) * 2 + 2))

PROGRAM(tree_5x3)
{
    struct buffer *buffer = get_input();

    return buffer ? TREE_5(0) + TREE_5(1) * 3 + TREE_5(2) * 5 : 0;
}
