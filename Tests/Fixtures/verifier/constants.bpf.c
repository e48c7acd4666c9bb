/* Global data: .rodata is constant to the verifier, .data and .bss are memory of a known size. */
#include "fixture.h"

const volatile __u32 limit = 8;
const volatile __u32 wrong_limit = 64;
const volatile __u64 table_of_sizes[4] = {1, 2, 4, 8};
const volatile bool enabled = false;
const char text[8] = "opsd";
__u64 counters[16];
__u32 last = 3;
static volatile __u64 hidden;

SEC("socket") EXPECT_ACCEPT int bounded_by_a_constant(struct __sk_buff *skb)
{
    __u64 i = skb->mark;

    if (i < limit)
        counters[i]++;
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int bounded_by_a_wrong_constant(struct __sk_buff *skb)
{
    __u64 i = skb->mark;

    if (i < wrong_limit)
        counters[i]++;
    return 0;
}

SEC("socket") EXPECT_REJECT("unbounded") int bounded_by_a_variable(struct __sk_buff *skb)
{
    __u64 i = skb->mark, *end = counters;

    if (i < *(volatile __u32 *)&last)
        end[i]++;
    return 0;
}

SEC("socket") EXPECT_ACCEPT int a_constant_index(struct __sk_buff *skb)
{
    return counters[table_of_sizes[3]];
}

SEC("socket") EXPECT_ACCEPT int a_feature_that_is_off(struct __sk_buff *skb)
{
    if (enabled)
        return *(volatile int *)((void *)skb + 1000);
    return 0;
}

SEC("socket") EXPECT_REJECT("write into map") __naked int a_write_to_a_constant(void)
{
    asm("r1 = limit ll; *(u32 *)(r1 + 0) = 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int behind_the_data(void)
{
    asm("r1 = last ll; r0 = *(u32 *)(r1 + 4096); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_variable_index_into_constants(void)
{
    asm(RANDOM(r7) "r7 &= 24; r1 = table_of_sizes ll; r1 += r7; r0 = *(u64 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_variable_index_gives_no_constant(void)
{
    asm(RANDOM(r7) "r7 &= 24; r1 = table_of_sizes ll; r1 += r7; r7 = *(u64 *)(r1 + 0);" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT int hidden_state(struct __sk_buff *skb)
{
    hidden += skb->len;
    return hidden;
}

SEC("socket") EXPECT_ACCEPT int a_constant_text(struct __sk_buff *skb)
{
    char name[16];

    bpf_get_current_comm(name, sizeof(name));
    return bpf_strncmp(name, sizeof(name), text);
}

SEC("socket") EXPECT_REJECT("R3") int a_text_that_may_change(struct __sk_buff *skb)
{
    static char changing[8] = "opsd";
    char name[16];

    bpf_get_current_comm(name, sizeof(name));
    return bpf_strncmp(name, sizeof(name), changing);
}
