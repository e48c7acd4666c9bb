/* Comparisons between two registers, JSET, and what copies of one number learn from a check of another. */
#include "fixture.h"

SEC("socket") EXPECT_ACCEPT __naked int below_a_constant_register(void)
{
    asm(RANDOM(r7) "r8 = 32; if r7 >= r8 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int below_a_bounded_register(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r8 &= 31; if r7 > r8 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int below_a_wider_register(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r8 &= 63; if r7 > r8 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int below_an_unknown_register(void)
{
    asm(RANDOM(r7) RANDOM(r8) "if r7 > r8 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int equal_to_a_bounded_register(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r8 &= 31; if r7 != r8 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int equality_bounds_both(void)
{
    asm(RANDOM(r7) RANDOM(r8) "if r7 > 63 goto 1f; if r8 > 31 goto 1f; if r7 == r8 goto +2; r0 = 0; exit;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int inequality_bounds_neither(void)
{
    asm(RANDOM(r7) RANDOM(r8) "if r7 > 63 goto 1f; if r8 > 31 goto 1f; if r7 == r8 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int signed_between_registers(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r8 &= 31; if r7 s> r8 goto 1f; if r7 s< 0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int lower_bound_from_a_register(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r8 &= 31; if r8 s> r7 goto 1f; if r7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_copy_learns_the_upper_bound(void)
{
    asm(RANDOM(r7) "r8 = r7; if r7 > 31 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_copy_of_a_copy_learns(void)
{
    asm(RANDOM(r7) "r8 = r7; r9 = r8; if r7 > 31 goto 1f;" INDEX(r9));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_changed_copy_does_not_learn(void)
{
    asm(RANDOM(r7) "r8 = r7; r8 *= 3; if r7 > 31 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int an_overwritten_original_teaches_nothing(void)
{
    asm(RANDOM(r7) "r8 = r7; r7 >>= 1; if r7 > 15 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_spilled_copy_learns(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = r7; if r7 > 31 goto 1f; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int the_original_learns_from_a_fill(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = r7; r8 = *(u64 *)(r10 - 16); if r8 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_copy_plus_a_constant_learns(void)
{
    asm(RANDOM(r7) "r8 = r7; r8 += 4; if r7 > 27 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int the_original_learns_from_a_copy_plus_a_constant(void)
{
    asm(RANDOM(r7) "r8 = r7; r8 += 1; if r8 > 32 goto 1f; if r8 == 0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_copy_plus_too_much(void)
{
    asm(RANDOM(r7) "r8 = r7; r8 += 4; if r7 > 28 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int two_copies_with_different_sums(void)
{
    asm(RANDOM(r7) "r7 &= 0xff; r8 = r7; r8 += 2; r9 = r7; r9 += 4; if r8 > 29 goto 1f;" INDEX(r9));
}

SEC("socket") EXPECT_ACCEPT __naked int jset_excludes_high_bits(void)
{
    asm(RANDOM(r7) "r1 = 0xffffffffffffffe0 ll; if r7 & r1 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int jset_constant_excludes_a_bit(void)
{
    asm(RANDOM(r7) "r7 &= 63; if r7 & 32 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int jset_taken_excludes_nothing(void)
{
    asm(RANDOM(r7) "r7 &= 63; if r7 & 31 goto +2; r0 = 0; exit;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int jset_of_one_bit_sets_it(void)
{
    asm(RANDOM(r7) "r7 &= 32; if r7 & 32 goto +2; r0 = 0; exit; r7 -= 32;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int jset_that_never_holds(void)
{
    asm(RANDOM(r7) "r7 &= 31; if r7 & 32 goto 2f;" INDEX(r7) "2: r0 = *(u64 *)(r0 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int jset_that_always_holds(void)
{
    asm(RANDOM(r7) "r7 |= 32; if r7 & 32 goto +2; r0 = *(u64 *)(r0 + 0); r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_jset(void)
{
    asm(RANDOM(r7) "w7 = w7; if w7 & 0xffffffe0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_jset_of_a_wide_number(void)
{
    asm(RANDOM(r7) "if w7 & 0xffffffe0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("does not see that a register equals itself")
__naked int the_same_register_equals_itself(void)
{
    asm(RANDOM(r7) "if r7 == r7 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int a_branch_decided_by_ranges(void)
{
    asm(RANDOM(r7) "r7 &= 15; if r7 < 16 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_REJECT("R0 invalid mem access") __naked int a_branch_not_decided_by_ranges(void)
{
    asm(RANDOM(r7) "r7 &= 15; if r7 < 15 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int a_branch_decided_by_signed_ranges(void)
{
    asm(RANDOM(r7) "r7 |= 1; r7 &= 15; if r7 s> 0 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int a_branch_decided_by_known_bits(void)
{
    asm(RANDOM(r7) "r7 |= 4; if r7 == 3 goto 2f; r0 = 0; exit; 2: r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int disjoint_registers_are_not_equal(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r7 &= 7; r8 &= 7; r8 += 8; if r7 != r8 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int the_index_is_clamped_by_hand(void)
{
    asm(RANDOM(r7) "if r7 <= 31 goto +1; r7 = 31;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int the_index_is_clamped_one_too_high(void)
{
    asm(RANDOM(r7) "if r7 <= 31 goto +1; r7 = 32;" INDEX(r7));
}
