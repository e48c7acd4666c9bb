/* Two ways that meet: what the second brings may only be taken for the first if nothing later relies on the difference.
 *
 * In each of these, one way is harmless and looked at first, and the other differs in just one thing.
 */
#include "fixture.h"

__u64 numbers[32];

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_constant(void)
{
    asm(RANDOM(r7) "r6 = 3; if r7 > 5 goto +1; r6 = 300; goto +0; r7 = 0;" INDEX(r6));
}

SEC("socket") EXPECT_ACCEPT __naked int a_constant_that_nothing_relies_on(void)
{
    asm(RANDOM(r7) "r6 = 3; if r7 > 5 goto +1; r6 = 300; r7 = 0; r0 = r6; exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_range(void)
{
    asm(RANDOM(r7) RANDOM(r6) "r6 &= 31; if r7 > 5 goto +1; r6 <<= 4; r7 = 0; r7 += 0;" INDEX(r6));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_constant_on_the_stack(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = 3; if r7 > 5 goto +1; *(u64 *)(r10 - 16) = 300; r7 = 0;"
                   "r6 = *(u64 *)(r10 - 16);" INDEX(r6));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_slot_that_one_way_spoils(void)
{
    asm(RANDOM(r7) RANDOM(r8) "*(u64 *)(r10 - 16) = 0; if r7 > 5 goto +1; *(u8 *)(r10 - 11) = r8; r7 = 0;"
                   "r6 = *(u64 *)(r10 - 16);" INDEX(r6));
}

SEC("socket") EXPECT_REJECT("invalid mem access") __naked int a_pointer_that_one_way_replaces(void)
{
    asm("r6 = r1;" RANDOM(r7) "if r7 > 5 goto +1; r6 = 0; r7 = 0; r7 += 1; r7 += 1; r0 = *(u32 *)(r6 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("map_value_or_null") __naked int a_test_that_one_way_skips(void)
{
    asm(RANDOM(r7) LOOKUP(values) "if r7 > 5 goto +1; if r0 == 0 goto 1f; r7 = 0; r7 += 1; r0 = *(u64 *)(r0 + 0);" END);
}

/* The link between two numbers is lost on one way. */
SEC("socket") EXPECT_REJECT("unbounded") __naked int a_link_that_one_way_breaks(void)
{
    asm(RANDOM(r6) RANDOM(r9) "r7 = r6; if r9 > 5 goto 2f;" RANDOM(r7) "2: r9 = 0; r9 += 1; if r6 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_link_to_the_stack_that_one_way_breaks(void)
{
    asm(RANDOM(r6) RANDOM(r9) "*(u64 *)(r10 - 16) = r6; if r9 > 5 goto 2f;" RANDOM(r8) "*(u64 *)(r10 - 16) = r8;"
        "2: r9 = 0; r8 = 0; r9 += 1; if r6 > 31 goto 1f; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

/* Both ways link, but other pairs. */
SEC("socket") EXPECT_REJECT("unbounded") __naked int other_links_on_each_way(void)
{
    asm(RANDOM(r6) RANDOM(r7) RANDOM(r9) "if r9 > 5 goto 2f; r8 = r6; goto 3f; 2: r8 = r7; 3: r9 = 0; r9 += 1;"
        "if r8 > 31 goto 1f;" INDEX(r6));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_distance_between_linked_numbers(void)
{
    asm(RANDOM(r6) RANDOM(r9) "r7 = r6; if r9 > 5 goto 2f; r7 += 1; goto 3f; 2: r7 += 9; 3: r9 = 0; r9 += 1;"
        "if r6 > 30 goto 1f;" INDEX(r7));
}

/* What is precise in the callee is so in the caller. */
SUBPROG __u64 reads_numbers(void)
{
    asm("r2 = numbers ll; r1 <<= 3; r2 += r1; r0 = *(u64 *)(r2 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int an_index_for_a_callee(void)
{
    asm(RANDOM(r7) "r6 = 3; if r7 > 5 goto +1; r6 = 64; r7 = 0; r7 += 1; r1 = r6; call reads_numbers; exit;");
}

SUBPROG __u64 chooses(void) { asm("r0 = 3; if r1 > 5 goto +1; r0 = 300; r2 = 0; r2 += 1; exit;"); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int an_index_from_a_callee(void)
{
    asm(RANDOM(r7) "r1 = r7; call chooses; r6 = r0;" INDEX(r6));
}

/* A branch decided by a number makes it matter. */
SEC("socket") EXPECT_REJECT("invalid mem access") __naked int a_number_that_decides_a_branch(void)
{
    asm(RANDOM(r7) "r6 = 0; if r7 > 5 goto +1; r6 = 1; r7 = 0; r7 += 1; r7 += 1; if r6 == 0 goto 1f;"
                   "r0 = *(u64 *)(r6 + 0);" END);
}

SEC("socket") EXPECT_REJECT("invalid mem access") __naked int a_computed_number_that_decides_a_branch(void)
{
    asm(RANDOM(r7) "r6 = 0; if r7 > 5 goto +1; r6 = 1; r7 = 0; r8 = r6; r8 *= 3; r8 += r6; r7 += 1; if r8 == 0 goto 1f;"
                   "r0 = *(u64 *)(r6 + 0);" END);
}

SEC("socket") EXPECT_REJECT("invalid write to stack") __naked int a_size_for_a_helper(void)
{
    asm("r6 = r1;" RANDOM(r7) "r8 = 8; if r7 > 5 goto +1; r8 = 80; r7 = 0; r7 += 1; r1 = r10; r1 += -16; r2 = r8; r3 = 0;"
        "*(u64 *)(r10 - 16) = 0; *(u64 *)(r10 - 8) = 0; call 113; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid write to stack") __naked int an_offset_into_the_stack(void)
{
    asm(RANDOM(r7) "r8 = -8; if r7 > 5 goto +1; r8 = 8; r7 = 0; r7 += 1; r1 = r10; r1 += r8; *(u64 *)(r1 + 0) = 1;"
                   "r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_word_in_half_a_slot(void)
{
    asm(RANDOM(r7) "*(u32 *)(r10 - 16) = 3; if r7 > 5 goto +1; *(u32 *)(r10 - 16) = 300; r7 = 0; r7 += 1;"
                   "r6 = *(u32 *)(r10 - 16);" INDEX(r6));
}

SEC("socket") EXPECT_REJECT("R0 invalid mem access 'map_value_or_null'") __naked int the_key_of_an_array(void)
{
    asm(RANDOM(r7) "*(u32 *)(r10 - 8) = 3; if r7 > 5 goto +1; *(u32 *)(r10 - 8) = 300; r7 = 0; r7 += 1; r2 = r10; r2 += -8;"
                   "r1 = values ll; call 1; r0 = *(u64 *)(r0 + 0); exit;");
}

/* Many ways through few states. */
SEC("socket") EXPECT_ACCEPT __naked int many_branches(void)
{
    asm(RANDOM(r7) "r6 = 0;"
        "if r7 & 1 goto +1; r6 += 1;"
        "if r7 & 2 goto +1; r6 += 2;"
        "if r7 & 4 goto +1; r6 += 3;"
        "if r7 & 8 goto +1; r6 += 4;"
        "if r7 & 16 goto +1; r6 += 5;"
        "if r7 & 32 goto +1; r6 += 6;"
        "if r7 & 64 goto +1; r6 += 7;"
        "if r7 & 128 goto +1; r6 += 8;"
        "if r7 & 256 goto +1; r6 += 9;"
        "if r7 & 512 goto +1; r6 += 10;"
        "if r7 & 1024 goto +1; r6 += 11;"
        "if r7 & 2048 goto +1; r6 += 12;"
        "r0 = r6; exit;");
}

/* The second turn of a loop must not be taken for the first. */
SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int an_index_that_grows_with_each_turn(void)
{
    asm("r6 = 0; 2: call 7; r7 = r0; r1 = numbers ll; r2 = r6; r2 <<= 3; r1 += r2; r3 = *(u64 *)(r1 + 0); r6 += 16;"
        "if r6 < 48 goto 2b; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int an_iterator_that_moves_a_pointer(void *ctx)
{
    __u64 *at = numbers, sum = 0;
    struct bpf_iter_num it;

    bpf_iter_num_new(&it, 0, 100);
    while (bpf_iter_num_next(&it)) {
        sum += *at;
        at++;
        barrier(at);
    }
    bpf_iter_num_destroy(&it);
    return sum;
}

/* Only in the second turn is the offset out of bounds, and only if a flag was set in the first. */
SEC("socket") EXPECT_REJECT("invalid access to map value") int an_iterator_that_sets_a_trap(struct __sk_buff *skb)
{
    __u64 index = 0, armed = 0, sum = 0;
    struct bpf_iter_num it;

    bpf_iter_num_new(&it, 0, 100);
    while (bpf_iter_num_next(&it)) {
        barrier(index);
        sum += numbers[index];
        if (armed)
            index = 700;
        barrier(armed);
        if (bpf_get_prandom_u32() == 7)
            armed = 1;
    }
    bpf_iter_num_destroy(&it);
    return sum;
}
