/* Programs that a verifier with one of the faults of the past would have accepted, from the descriptions of what was
 * wrong. Each names the fault; none is a known exploit.
 */
#include "fixture.h"

/* CVE-2020-8835: bounds of the low half were taken for bounds of the whole after a 32-bit comparison. */
SEC("socket") EXPECT_REJECT("unbounded") __naked int a_narrow_comparison_bounds_the_whole(void)
{
    asm(RANDOM(r7) "r8 = 0x100000000 ll; r7 |= r8; if w7 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded memory access") __naked int a_narrow_comparison_of_an_upper_bit(void)
{
    asm(RANDOM(r7) "r8 = 0x200000001 ll; if r7 >= r8 goto 1f; if w7 > 1 goto 1f; r7 >>= 1;" INDEX(r7));
}

/* CVE-2020-27194: the 32-bit bounds of OR came from the 64-bit ones. */
SEC("socket") EXPECT_REJECT("unbounded memory access") __naked int narrow_bounds_of_or_from_wide_ones(void)
{
    asm(RANDOM(r7) "r8 = 0x600000002 ll; if r7 >= r8 goto 1f; if r7 s< 1 goto 1f; r7 |= 0; w7 = w7; r7 >>= 1;" INDEX(r7));
}

/* CVE-2021-3490: bounds of 32-bit AND, OR, XOR were not brought in line with the known bits. */
SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int narrow_and_with_a_half_known_number(void)
{
    asm(RANDOM(r7) "r8 = 0xffffffff00000000 ll; r7 &= r8; r7 += 1; r8 = 0x100000002 ll; r7 &= r8; w7 = w7; r7 *= 100;"
                   "r9 = 33; r9 -= r7;" INDEX(r9));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int narrow_xor_with_a_half_known_number(void)
{
    asm(RANDOM(r7) "r8 = 0xffffffff00000001 ll; r7 &= r8; r8 = 0x100000002 ll; r7 ^= r8; w7 = w7; r7 *= 20;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int narrow_or_with_a_half_known_number(void)
{
    asm(RANDOM(r7) "r8 = 0xffffffff00000001 ll; r7 &= r8; r8 = 0x100000002 ll; r7 |= r8; w7 = w7; r7 *= 20;" INDEX(r7));
}

/* CVE-2021-31440: a lower bound of the whole was taken for one of the low half, and both ends not looked at together. */
SEC("socket") EXPECT_REJECT("unbounded memory access") __naked int the_low_half_of_a_range_across_4_g(void)
{
    asm(RANDOM(r7) "r8 = 0x80000000 ll; if r7 < r8 goto 1f; r8 = 0x100000001 ll; if r7 > r8 goto 1f; w7 = w7;"
                   "r8 = 0x80000000 ll; r7 -= r8; if r7 s< 0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_signed_range_that_leaves_32_bits(void)
{
    asm(RANDOM(r7) "if r7 s< -1 goto 1f; r8 = 0x100000000 ll; if r7 s> r8 goto 1f; w7 = w7; r7 >>= 26;" INDEX(r7));
}

/* CVE-2017-16995: a 32-bit move of a negative immediate was followed as if it were sign-extended. */
SEC("socket") EXPECT_REJECT("R0 invalid mem access") __naked int a_narrow_move_of_minus_one(void)
{
    asm("w7 = -1; r8 = 0xffffffff ll; r0 = 0; if r7 == r8 goto +2; r0 = 0; exit; r0 = *(u64 *)(r0 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_narrow_move_is_zero_extended(void)
{
    asm("w7 = -1; r8 = 0xffffffff ll; if r7 == r8 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int a_wide_move_is_sign_extended(void)
{
    asm("r7 = -1; r8 = 0xffffffff ll; if r7 != r8 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

/* CVE-2017-17852 and its like: narrow shifts and negative numbers in 32-bit arithmetic. */
SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_narrow_shift_of_a_wide_number(void)
{
    asm(RANDOM(r7) "r8 = 0xffffffff00000000 ll; r7 |= r8; r7 >>= 32; w8 = 33; r8 -= r7; r8 += r7; r7 = r8;" INDEX(r7));
}

/* CVE-2017-17853: an arithmetic shift kept the unsigned bounds. */
SEC("socket") EXPECT_REJECT("min value is negative") __naked int an_arithmetic_shift_of_an_unsigned_bound(void)
{
    asm(RANDOM(r7) "r7 |= -32; r7 s>>= 1;" INDEX(r7));
}

/* CVE-2017-17855, 17857: a scalar and a pointer at the same place on the stack taken for each other. */
SEC("socket") EXPECT_REJECT("invalid mem access") __naked int a_number_in_place_of_a_saved_pointer(void)
{
    asm("*(u64 *)(r10 - 8) = r1;" RANDOM(r7) "if r7 > 5 goto +1; *(u64 *)(r10 - 8) = r7; r7 = 0; r7 += 1;"
        "r1 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r1 + 0); exit;");
}

/* CVE-2018-18445: a narrow right shift took the bounds of the wide one. */
SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_narrow_right_shift_of_wide_bounds(void)
{
    asm("r7 = 2; w7 <<= 31; w7 >>= 31; r8 = 0x400000000 ll;" RANDOM(r6) "r6 &= 1; r6 += 32; r7 += r6;" INDEX(r7));
}

/* CVE-2021-33200, 29155: a pointer moved by a number that is masked or negative. */
SEC("socket") EXPECT_REJECT("min value is negative") __naked int a_pointer_moved_back_by_a_bounded_number(void)
{
    asm(RANDOM(r7) "r7 &= 31;" LOOKUP_OR_EXIT(values) "r0 -= r7; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_pointer_moved_by_either_of_two_numbers(void)
{
    asm(RANDOM(r7) "r8 = 16; if r7 & 1 goto +1; r8 = -16;" LOOKUP_OR_EXIT(values) "r0 += r8; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

/* CVE-2021-4204: memory for a helper was checked with the first byte only. */
SEC("socket") EXPECT_REJECT("invalid write to stack") __naked int memory_for_a_helper_across_the_end(void)
{
    asm("*(u64 *)(r10 - 8) = 0; r1 = r10; r1 += -8; r2 = 9; r3 = 0; call 113; r0 = 0; exit;");
}

/* CVE-2022-23222: arithmetic on a pointer that may be NULL, tested afterwards. */
SEC("socket") EXPECT_REJECT("prohibited") __naked int a_ring_buffer_record_moved_before_the_test(void)
{
    asm("r1 = ring ll; r2 = 16; r3 = 0; call 131; r6 = r0; r6 += 8; if r0 == 0 goto 1f; r1 = r0; r2 = 0; call 132;" END);
}

SEC("socket") EXPECT_REJECT("null-check it first") __naked int a_null_record_is_no_number_one(void)
{
    asm("r1 = ring ll; r2 = 16; r3 = 0; call 131; r7 = r0; r7 += 1; if r0 != 0 goto 2f; r7 *= 40;" INDEX(r7)
        "2: r1 = r0; r2 = 0; call 132; r0 = 0; exit;");
}

/* CVE-2023-2163: an operand of a comparison that no pointer depends on was not precise, so that a path was dropped. */
SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int precision_through_a_comparison_of_registers(void)
{
    asm(RANDOM(r6) RANDOM(r9) "r6 &= 0xff; r8 = 0; if r9 > 7 goto +1; r8 = 64; r9 = 0; r9 += 1; r7 = r8; r7 += 0;"
                              "if r6 > r7 goto +1; r6 = 0; if r6 < r8 goto +0;" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int precision_through_a_chain_of_moves(void)
{
    asm(RANDOM(r9) "r6 = 4; if r9 > 7 goto +1; r6 = 400; r9 = 0; r7 = r6; *(u64 *)(r10 - 16) = r7; r8 = *(u64 *)(r10 - 16);"
                   "r7 = 0; r6 = 0; r9 += 1; r8 += 1; r8 -= 1;" INDEX(r8));
}

/* Precision was not followed into spills of the caller's frame. */
SUBPROG __u64 loads_and_uses(void)
{
    asm("r2 = *(u64 *)(r1 + 0); r3 = numbers ll; r3 += r2; r0 = *(u8 *)(r3 + 0); exit;");
}
__u64 numbers[4];
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} ring SEC(".maps");

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int precision_into_the_callers_frame(void)
{
    asm(RANDOM(r9) "*(u64 *)(r10 - 16) = 4; if r9 > 7 goto +1; *(u64 *)(r10 - 16) = 400; r9 = 0; r9 += 1; r9 += 1;"
                   "r1 = r10; r1 += -16; call loads_and_uses; exit;");
}

/* A comparison with the constant on the left and one of equality against a range: which side learns what. */
SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int equality_with_a_wider_register(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r7 &= 31; r8 &= 63; if r7 == r8 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded min value") __naked int narrow_equality_says_nothing_of_the_upper_half(void)
{
    asm(RANDOM(r7) "w8 = 5; if w7 != w8 goto 1f;" INDEX(r7));
}

/* Refinement after JSET: the taken way knows that some bit is set, not which. */
SEC("socket") EXPECT_REJECT("min value is negative") __naked int jset_of_two_bits(void)
{
    asm(RANDOM(r7) "r7 &= 33; if r7 & 33 goto +2; r0 = 0; exit; r7 -= 1;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int jset_untaken_clears_only_its_bits(void)
{
    asm(RANDOM(r7) "r7 &= 127; if r7 & 32 goto 1f;" INDEX(r7));
}

/* Faults of sign extension: bounds of an extended byte, and of one that crosses zero. */
SEC("socket") EXPECT_REJECT("min value is negative") __naked int sign_extension_of_a_range_across_128(void)
{
    asm(RANDOM(r7) "r7 &= 15; r7 += 120; r7 = (s8)r7; r7 += 16;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int sign_extension_of_a_half_word_across_32768(void)
{
    asm(RANDOM(r7) "r7 &= 15; r7 += 0x7ff8; r7 = (s16)r7; r7 += 16;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded memory access") __naked int narrow_sign_extension_clears_the_upper_half(void)
{
    asm(RANDOM(r7) "r7 &= 1; r7 += 127; w7 = (s8)w7; r7 += 1;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int a_sign_extending_load_of_a_spill(void)
{
    asm(RANDOM(r7) "r7 &= 0xff; *(u64 *)(r10 - 16) = r7; r8 = *(s8 *)(r10 - 16); r8 += 100;" INDEX(r8));
}

/* A 64-bit spill filled as a word, and a word filled whole: the rest of the slot counts. */
SEC("socket") EXPECT_REJECT("unbounded min value") __naked int a_word_of_a_wide_spill_does_not_bound_it(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = r7; r8 = *(u32 *)(r10 - 16); if r8 > 31 goto 1f; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded min value") __naked int a_word_over_a_wide_spill(void)
{
    asm(RANDOM(r7) "r6 = 3; *(u64 *)(r10 - 16) = r6; *(u32 *)(r10 - 12) = r7; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_byte_in_the_middle_of_a_spill(void)
{
    asm(RANDOM(r7) "r6 = 3; *(u64 *)(r10 - 16) = r6; *(u8 *)(r10 - 15) = r7; r8 = *(u16 *)(r10 - 16);" INDEX(r8));
}

/* Multiplication and subtraction whose ends wrap. */
SEC("socket") EXPECT_REJECT("min value is negative") __naked int a_product_of_negative_numbers(void)
{
    asm(RANDOM(r7) "if r7 s< -6 goto 1f; if r7 s> 2 goto 1f; r7 *= r7; r7 -= 5;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded memory access") __naked int a_narrow_product_wraps(void)
{
    asm(RANDOM(r7) "w7 &= 3; w8 = 0x50000001; w7 *= w8;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int a_subtraction_of_a_range(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r7 &= 31; r8 &= 31; r7 -= r8;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded memory access") __naked int a_narrow_subtraction_of_a_range(void)
{
    asm(RANDOM(r7) RANDOM(r8) "w7 &= 31; w8 &= 31; w7 -= w8;" INDEX(r7));
}

/* A may_goto or an iterator whose later turns differ from the first (faults of convergence). */
SEC("socket") EXPECT_REJECT("invalid access to map value") int an_iterator_whose_later_turns_differ(void *ctx)
{
    struct bpf_iter_num it;
    __u64 index = 4, next = 4;

    bpf_iter_num_new(&it, 0, 10);
    while (bpf_iter_num_next(&it)) {
        barrier(index);
        ((volatile __u8 *)numbers)[index];
        index = next;
        barrier(next);
        next = bpf_get_prandom_u32() & 1 ? 4 : 4000;
        barrier(next);
    }
    bpf_iter_num_destroy(&it);
    return 0;
}

/* A callback that runs no time, once, or often: what it changes must count after it. */
static long set_to_4000(__u32 i, __u64 *index)
{
    *index = 4000;
    return 1;
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int a_callback_that_runs_once(void *ctx)
{
    volatile __u64 index = 1;

    bpf_loop(1, set_to_4000, (void *)&index, 0);
    return numbers[index];
}

static long grows(__u32 i, __u64 *index)
{
    *index += 1;
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int a_callback_that_runs_often(void *ctx)
{
    volatile __u64 index = 0;

    bpf_loop(100, grows, (void *)&index, 0);
    return numbers[index];
}
