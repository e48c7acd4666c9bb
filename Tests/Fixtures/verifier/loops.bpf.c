/* Loops: bounded ones followed turn by turn, may_goto, bpf_loop, open-coded iterators. */
#include "fixture.h"

__u64 numbers[32];
volatile __u64 seen;

#define MAY_GOTO(label) ".8byte (" label " - . - 8) / 8 << 16 | 0xe5;"

SEC("socket") EXPECT_ACCEPT __naked int counts_up(void)
{
    asm("r0 = 0; 2: r0 += 1; if r0 < 100 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int counts_down(void)
{
    asm("r0 = 100; 2: r0 -= 1; if r0 != 0 goto 2b; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int counts_to_a_bounded_number(void)
{
    asm(RANDOM(r7) "r7 &= 63; r6 = 0; 2: if r6 >= r7 goto 1f; r6 += 1; goto 2b;" END);
}

SEC("socket") EXPECT_REJECT("infinite loop") __naked int for_ever(void) { asm("r0 = 0; 2: goto 2b;"); }

SEC("socket") EXPECT_REJECT("infinite loop") __naked int for_ever_with_a_test(void)
{
    asm("r6 = 0; 2:" RANDOM(r7) "if r7 > 5 goto 2b; goto 2b;");
}

SEC("socket") EXPECT_REJECT("infinite loop") __naked int until_chance_ends_it(void)
{
    asm("2:" RANDOM(r7) "if r7 != 5 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("infinite loop") __naked int a_counter_that_stands_still(void)
{
    asm("r6 = 0; 2: r6 += 0; if r6 < 10 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("BPF program is too large") __naked int more_than_a_million_turns(void)
{
    asm("r6 = 0; 2: r6 += 1; if r6 < 2000000 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_hundred_thousand_turns(void)
{
    asm("r6 = 0; 2: r6 += 1; if r6 < 100000 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_loop_within_a_loop(void)
{
    asm("r6 = 0; 2: r7 = 0; 3: r7 += 1; if r7 < 20 goto 3b; r6 += 1; if r6 < 20 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int an_index_that_the_loop_bounds(void)
{
    asm("r6 = 0; r7 = 0; 2: r1 = numbers ll; r2 = r6; r2 <<= 3; r1 += r2; r1 = *(u64 *)(r1 + 0); r7 += r1; r6 += 1;"
        "if r6 < 32 goto 2b; r0 = r7; exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int an_index_that_leaves_in_the_last_turn(void)
{
    asm("r6 = 0; r7 = 0; 2: r1 = numbers ll; r2 = r6; r2 <<= 3; r1 += r2; r1 = *(u64 *)(r1 + 0); r7 += r1; r6 += 1;"
        "if r6 < 34 goto 2b; r0 = r7; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_pointer_that_moves(void)
{
    asm("r1 = numbers ll; r6 = 0; 2: r2 = *(u64 *)(r1 + 0); r1 += 8; r6 += 1; if r6 < 32 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_pointer_that_moves_too_far(void)
{
    asm("r1 = numbers ll; r6 = 0; 2: r2 = *(u64 *)(r1 + 0); r1 += 8; r6 += 1; if r6 < 64 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT int over_an_array(struct __sk_buff *skb)
{
    __u64 sum = 0;

    for (int i = 0; i < 32; i++)
        sum += numbers[i] ^ skb->mark;
    return sum;
}

SEC("socket") EXPECT_ACCEPT int left_early(struct __sk_buff *skb)
{
    int i;

#pragma nounroll
    for (i = 0; i < 32; i++)
        if (numbers[i] == skb->mark)
            break;
    return i;
}

SEC("socket") EXPECT_ACCEPT int as_often_as_a_number_says(struct __sk_buff *skb)
{
    __u32 n = skb->len & 31;
    __u64 sum = 0;

#pragma nounroll
    for (__u32 i = 0; i < n; i++) {
        barrier(i);
        sum += numbers[i & 31];
    }
    return sum;
}

SEC("socket") EXPECT_REJECT("infinite loop") SUGGESTS("bpf_loop") int as_often_as_an_unbounded_number_says(struct __sk_buff *skb)
{
    __u32 n = FIX(skb->len, skb->len & 63), i = 0;

    while (i < n) {
        FIX(i = bpf_get_prandom_u32(), i++);
        barrier(i);
    }
    return 0;
}

/* ---- may_goto ---- */

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("follows a counter that is compared turn by turn, up to its limit")
__naked int may_end(void)
{
    asm("r6 = 0; 2:" MAY_GOTO("1f") "r6 += 1; if r6 != 0 goto 2b;" END);
}

SEC("socket") EXPECT_ACCEPT __naked int may_end_though_nothing_else_ends_it(void)
{
    asm("2:" MAY_GOTO("1f") "goto 2b;" END);
}

SEC("socket") EXPECT_ACCEPT __naked int may_end_with_a_checked_index(void)
{
    asm("r6 = 0; 2:" MAY_GOTO("1f") "if r6 >= 32 goto 1f; r1 = numbers ll; r2 = r6; r2 <<= 3; r1 += r2;"
        "r1 = *(u64 *)(r1 + 0); r6 += 1; goto 2b;" END);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int may_end_with_an_unchecked_index(void)
{
    asm("r6 = 0; 2:" MAY_GOTO("1f") "r1 = numbers ll; r2 = r6; r2 <<= 3; r1 += r2;"
        "r1 = *(u64 *)(r1 + 0); r6 += 1; goto 2b;" END);
}

SEC("socket") EXPECT_REJECT("!read_ok") __naked int may_end_before_something_is_set(void)
{
    asm(MAY_GOTO("1f") "r7 = 1; 1: r0 = r7; exit;");
}

/* ---- bpf_loop ---- */

static long add_number(__u32 i, __u64 *sum)
{
    if (i < 32)
        *sum += numbers[i];
    return 0;
}
static long add_unchecked(__u32 i, __u64 *sum)
{
    *sum += numbers[i];
    return 0;
}
static long stop_at_once(__u32 i, void *data) { return 1; }
static long answer_two(__u32 i, void *data) { return 2; }
static long set_large(__u32 i, __u64 *index)
{
    *index = 100;
    return 0;
}
static long count_and_clamp(__u32 i, __u64 *index)
{
    *index = *index + 1;
    if (*index > 31)
        *index = 0;
    return 0;
}
static long write_elsewhere(__u32 i, __u64 *at)
{
    at[1] = i;
    return 0;
}

SEC("socket") EXPECT_ACCEPT int a_callback_with_a_checked_index(void *ctx)
{
    __u64 sum = 0;

    bpf_loop(100, add_number, &sum, 0);
    return sum;
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("does not bound the index of a callback by the number of turns") int a_callback_with_an_unchecked_index(void *ctx)
{
    __u64 sum = 0;

    bpf_loop(8, add_unchecked, &sum, 0);
    return sum;
}

SEC("socket") EXPECT_ACCEPT int a_callback_that_stops(void *ctx) { return bpf_loop(10, stop_at_once, NULL, 0); }

SEC("socket") EXPECT_REJECT("R0") int a_callback_with_a_wrong_answer(void *ctx)
{
    return bpf_loop(10, answer_two, NULL, 0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int a_callback_that_spoils_an_index(void *ctx)
{
    volatile __u64 index = 3;

    bpf_loop(10, set_large, (void *)&index, 0);
    return numbers[index];
}

SEC("socket") EXPECT_ACCEPT int a_callback_that_keeps_an_index_in_bounds(void *ctx)
{
    volatile __u64 index = 3;

    bpf_loop(10, count_and_clamp, (void *)&index, 0);
    return numbers[index];
}

SEC("socket") EXPECT_REJECT("invalid") int a_callback_that_writes_behind_its_data(void *ctx)
{
    __u64 at = 0;

    bpf_loop(10, write_elsewhere, &at, 0);
    return at;
}

/* The helper answers EINVAL. */
SEC("socket") EXPECT_ACCEPT int loop_flags_that_do_not_exist(void *ctx) { return bpf_loop(10, stop_at_once, NULL, 1); }

SEC("socket") EXPECT_ACCEPT int any_number_of_turns(struct __sk_buff *skb)
{
    __u64 sum = 0;

    bpf_loop(skb->len, add_number, &sum, 0);
    return sum;
}

static long loop_inside(__u32 i, __u64 *sum)
{
    bpf_loop(4, add_number, sum, 0);
    return 0;
}

SEC("socket") EXPECT_ACCEPT int a_loop_in_a_callback(void *ctx)
{
    __u64 sum = 0;

    bpf_loop(4, loop_inside, &sum, 0);
    return sum;
}

/* ---- for_each_map_elem ---- */

static long add_entry(void *map, __u32 *key, struct entry *entry, __u64 *sum)
{
    *sum += entry->a + *key;
    return 0;
}
static long write_key(void *map, __u32 *key, struct entry *entry, void *data)
{
    *key = 1;
    return 0;
}
static long write_entry(void *map, __u32 *key, struct entry *entry, void *data)
{
    entry->a = 1;
    return 0;
}
static long behind_entry(void *map, __u32 *key, struct entry *entry, __u64 *sum)
{
    *sum = *(volatile __u64 *)(entry + 1);
    return 0;
}

SEC("socket") EXPECT_ACCEPT int each_entry(void *ctx)
{
    __u64 sum = 0;

    bpf_for_each_map_elem(&values, add_entry, &sum, 0);
    return sum;
}

SEC("socket") EXPECT_ACCEPT int each_entry_written(void *ctx)
{
    return bpf_for_each_map_elem(&values, write_entry, NULL, 0);
}

SEC("socket") EXPECT_REJECT("R") int each_key_written(void *ctx)
{
    return bpf_for_each_map_elem(&values, write_key, NULL, 0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int behind_each_entry(void *ctx)
{
    __u64 sum = 0;

    bpf_for_each_map_elem(&values, behind_entry, &sum, 0);
    return sum;
}

/* ---- iterators ---- */

SEC("socket") EXPECT_ACCEPT int numbers_in_a_range(void *ctx)
{
    __u64 sum = 0;
    int i;

    for_number(i, 0, 100)
        sum += i;
    return sum;
}

SEC("socket") EXPECT_ACCEPT int a_checked_number_of_a_range(void *ctx)
{
    __u64 sum = 0;
    int i;

    for_number(i, 0, 32)
        if (i >= 0 && i < 32)
            sum += numbers[i];
    return sum;
}

SEC("socket") EXPECT_REJECT("unbounded min value") int an_unchecked_number_of_a_range(void *ctx)
{
    __u64 sum = 0;
    int i;

    for_number(i, 0, 32)
        sum += numbers[i];
    return sum;
}

SEC("socket") EXPECT_ACCEPT int an_iterator_within_an_iterator(void *ctx)
{
    __u64 sum = 0;
    int i, j;

    for_number(i, 0, 10)
        for_number(j, 0, 10)
            sum += i * j;
    return sum;
}

SEC("socket") EXPECT_ACCEPT int an_iterator_left_early(struct __sk_buff *skb)
{
    int i;

    for_number(i, 0, 1000)
        if (i == skb->mark)
            break;
    return 0;
}

SEC("socket") EXPECT_REJECT("Unreleased reference") int an_iterator_not_destroyed(void *ctx)
{
    struct bpf_iter_num it;

    bpf_iter_num_new(&it, 0, 5);
    return bpf_iter_num_next(&it) != NULL;
}

SEC("socket") EXPECT_REJECT("expected an initialized iter_") int an_iterator_not_made(void *ctx)
{
    struct bpf_iter_num it = {};

    return bpf_iter_num_next(&it) != NULL;
}

SEC("socket") EXPECT_REJECT("expected uninitialized iter_") int an_iterator_made_twice(void *ctx)
{
    struct bpf_iter_num it;

    bpf_iter_num_new(&it, 0, 5);
    bpf_iter_num_new(&it, 0, 5);
    bpf_iter_num_destroy(&it);
    return 0;
}

SEC("socket") EXPECT_REJECT("expected an initialized iter_") int an_iterator_destroyed_twice(void *ctx)
{
    struct bpf_iter_num it;

    bpf_iter_num_new(&it, 0, 5);
    bpf_iter_num_destroy(&it);
    bpf_iter_num_destroy(&it);
    return 0;
}

SEC("socket") EXPECT_REJECT("R") int a_number_not_tested(void *ctx)
{
    struct bpf_iter_num it;

    bpf_iter_num_new(&it, 0, 5);
    seen = *bpf_iter_num_next(&it);
    bpf_iter_num_destroy(&it);
    return 0;
}

SEC("socket") EXPECT_REJECT("cannot overwrite the iterator") int an_iterator_overwritten(void *ctx)
{
    struct bpf_iter_num it;

    bpf_iter_num_new(&it, 0, 5);
    *(volatile __u64 *)&it = 3;
    bpf_iter_num_destroy(&it);
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int an_index_made_large_in_an_iterator(void *ctx)
{
    __u64 index = 0;
    int i;

    for_number(i, 0, 10)
    {
        if (i == 5)
            index = 1000;
        barrier(index);
    }
    return numbers[index];
}

SEC("socket") EXPECT_ACCEPT int an_index_kept_small_in_an_iterator(void *ctx)
{
    __u64 index = 0;
    int i;

    for_number(i, 0, 10)
    {
        if (i < 9 && index < 30)
            index++;
        barrier(index);
    }
    return numbers[index & 31];
}
