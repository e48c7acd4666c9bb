/* What a comparison with a constant says about a number: 64 bits, signed and unsigned. */
#include "fixture.h"

SEC("socket") EXPECT_ACCEPT __naked int above(void) { asm(RANDOM(r7) "if r7 > 31 goto 1f;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int above_by_one(void)
{
    asm(RANDOM(r7) "if r7 > 32 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int above_or_equal(void) { asm(RANDOM(r7) "if r7 >= 32 goto 1f;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int above_or_equal_by_one(void)
{
    asm(RANDOM(r7) "if r7 >= 33 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int below(void)
{
    asm(RANDOM(r7) "if r7 < 32 goto +2; r0 = 0; exit;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int below_or_equal(void)
{
    asm(RANDOM(r7) "if r7 <= 31 goto +2; r0 = 0; exit;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int below_or_equal_by_one(void)
{
    asm(RANDOM(r7) "if r7 <= 32 goto +2; r0 = 0; exit;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int only_lower_bound(void)
{
    asm(RANDOM(r7) "if r7 < 4 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int unchecked(void) { asm(RANDOM(r7) INDEX(r7)); }

SEC("socket") EXPECT_REJECT("unbounded min value") __naked int signed_above_alone(void)
{
    asm(RANDOM(r7) "if r7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int signed_both_sides(void)
{
    asm(RANDOM(r7) "if r7 s> 31 goto 1f; if r7 s< 0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int signed_lower_first(void)
{
    asm(RANDOM(r7) "if r7 s< 0 goto 1f; if r7 s>= 32 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int signed_lower_too_low(void)
{
    asm(RANDOM(r7) "if r7 s< -1 goto 1f; if r7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int signed_greater_or_equal_zero(void)
{
    asm(RANDOM(r7) "if r7 s>= 0 goto +2; r0 = 0; exit; if r7 s<= 31 goto +2; r0 = 0; exit;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("forgets a signed bound that only the unsigned one makes useful")
__naked int signed_then_unsigned(void)
{
    asm(RANDOM(r7) "if r7 s> 31 goto 1f; if r7 > 100 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int equal(void) { asm(RANDOM(r7) "if r7 != 31 goto 1f;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int equal_outside(void)
{
    asm(RANDOM(r7) "if r7 != 32 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int equal_jumps(void)
{
    asm(RANDOM(r7) "if r7 == 31 goto +2; r0 = 0; exit;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int not_equal_cuts_the_upper_end(void)
{
    asm(RANDOM(r7) "if r7 > 32 goto 1f; if r7 == 32 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int not_equal_cuts_the_lower_end(void)
{
    asm(RANDOM(r7) "if r7 > 32 goto 1f; if r7 == 0 goto 1f; r7 -= 1;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int not_equal_inside_cuts_nothing(void)
{
    asm(RANDOM(r7) "if r7 > 32 goto 1f; if r7 == 16 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int mask(void) { asm(RANDOM(r7) "r7 &= 31;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int mask_too_wide(void)
{
    asm(RANDOM(r7) "r7 &= 63;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int mask_with_a_gap(void) { asm(RANDOM(r7) "r7 &= 0x15;" INDEX(r7)); }

SEC("socket") EXPECT_ACCEPT __naked int mask_then_add(void) { asm(RANDOM(r7) "r7 &= 15; r7 += 16;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int mask_then_add_too_much(void)
{
    asm(RANDOM(r7) "r7 &= 15; r7 += 17;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("knows nothing of the result of a remainder") __naked int modulo(void)
{
    asm(RANDOM(r7) "r7 &= 0xff; r7 %= 32;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int modulo_by_one_more(void)
{
    asm(RANDOM(r7) "r7 &= 0xff; r7 %= 33;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int right_shift(void) { asm(RANDOM(r7) "r7 >>= 59;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int right_shift_too_little(void)
{
    asm(RANDOM(r7) "r7 >>= 58;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int left_shift(void) { asm(RANDOM(r7) "r7 &= 3; r7 <<= 3;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int left_shift_too_far(void)
{
    asm(RANDOM(r7) "r7 &= 3; r7 <<= 4;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int arithmetic_shift_of_a_positive(void)
{
    asm(RANDOM(r7) "r7 &= 0xff; r7 s>>= 3;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int arithmetic_shift_keeps_the_sign(void)
{
    asm(RANDOM(r7) "r7 s>>= 63;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int arithmetic_shift_then_mask(void)
{
    asm(RANDOM(r7) "r7 s>>= 63; r7 &= 31;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int product(void) { asm(RANDOM(r7) "r7 &= 7; r7 *= 4;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int product_too_large(void)
{
    asm(RANDOM(r7) "r7 &= 7; r7 *= 5;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int product_that_wraps(void)
{
    asm(RANDOM(r7) "r7 &= 7; r1 = 0x4000000000000001 ll; r7 *= r1;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int difference(void)
{
    asm(RANDOM(r7) "r7 &= 15; r8 = 31; r8 -= r7;" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("negative") __naked int difference_below_zero(void)
{
    asm(RANDOM(r7) "r7 &= 15; r8 = 14; r8 -= r7;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int or_of_small_numbers(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r7 &= 15; r8 &= 16; r7 |= r8;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int xor_of_small_numbers(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r7 &= 15; r8 &= 31; r7 ^= r8;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int or_reaches_the_next_power(void)
{
    asm(RANDOM(r7) "r7 &= 15; r7 |= 32;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int negation_twice(void)
{
    asm(RANDOM(r7) "r7 &= 31; r7 = -r7; r7 = -r7;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int negation_once(void)
{
    asm(RANDOM(r7) "r7 &= 31; r7 = -r7;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int add_negative_constant(void)
{
    asm(RANDOM(r7) "if r7 < 100 goto 1f; if r7 > 131 goto 1f; r7 += -100;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int add_wraps_around(void)
{
    asm(RANDOM(r7) "if r7 > 31 goto 1f; r1 = 0x7fffffffffffffff ll; r7 += r1;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int quotient(void) { asm(RANDOM(r7) "r7 &= 0xff; r7 >>= 3;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") SUGGESTS("if (i >= 32) return 0;") __naked int an_inclusive_bound(void)
{
    asm(RANDOM(r7) FIX("if r7 > 32 goto 1f;", "if r7 > 31 goto 1f;") INDEX(r7));
}
