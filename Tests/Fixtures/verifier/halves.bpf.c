/* What 32-bit operations and comparisons say about the whole register, and the other way round. */
#include "fixture.h"

SEC("socket") EXPECT_ACCEPT __naked int narrow_move_clears_the_upper_half(void)
{
    asm(RANDOM(r7) "w7 = w7; if r7 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_check_after_narrow_move(void)
{
    asm(RANDOM(r7) "w7 = w7; if w7 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_check_of_a_wide_number(void)
{
    asm(RANDOM(r7) "if w7 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_check_then_narrow_move(void)
{
    asm(RANDOM(r7) "if w7 > 31 goto 1f; w7 = w7;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_check_then_wide_upper_check(void)
{
    asm(RANDOM(r7) "if w7 > 31 goto 1f; r1 = 0xffffffff ll; if r7 > r1 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int narrow_check_by_one(void)
{
    asm(RANDOM(r7) "w7 = w7; if w7 > 32 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_signed_both_sides(void)
{
    asm(RANDOM(r7) "w7 = w7; if w7 s> 31 goto 1f; if w7 s< 0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_signed_above_alone(void)
{
    asm(RANDOM(r7) "w7 = w7; if w7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_equal(void)
{
    asm(RANDOM(r7) "w7 = w7; if w7 != 7 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_equal_of_a_wide_number(void)
{
    asm(RANDOM(r7) "if w7 != 7 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_mask(void) { asm(RANDOM(r7) "w7 &= 31;" INDEX(r7)); }

SEC("socket") EXPECT_ACCEPT __naked int narrow_shift_right(void) { asm(RANDOM(r7) "w7 >>= 27;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int narrow_shift_right_too_little(void)
{
    asm(RANDOM(r7) "w7 >>= 26;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_shift_left(void)
{
    asm(RANDOM(r7) "w7 &= 1; w7 <<= 4;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_arithmetic_shift_of_a_positive(void)
{
    asm(RANDOM(r7) "w7 &= 0xff; w7 s>>= 3;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_arithmetic_shift_of_a_negative(void)
{
    asm(RANDOM(r7) "w7 s>>= 31;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_add(void) { asm(RANDOM(r7) "w7 &= 15; w7 += 16;" INDEX(r7)); }

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_add_wraps(void)
{
    asm(RANDOM(r7) "w7 = w7; w7 += 1; if w7 < 1 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_subtract(void)
{
    asm(RANDOM(r7) "w7 &= 15; w8 = 31; w8 -= w7;" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_subtract_below_zero(void)
{
    asm(RANDOM(r7) "w7 &= 15; w8 = 14; w8 -= w7;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_multiply(void) { asm(RANDOM(r7) "w7 &= 7; w7 *= 4;" INDEX(r7)); }

SEC("socket") EXPECT_ACCEPT __naked int narrow_or(void) { asm(RANDOM(r7) "w7 &= 15; w7 |= 16;" INDEX(r7)); }

SEC("socket") EXPECT_ACCEPT __naked int narrow_xor(void) { asm(RANDOM(r7) "w7 &= 15; w7 ^= 16;" INDEX(r7)); }

SEC("socket") EXPECT_ACCEPT __naked int narrow_bounds_by_register(void)
{
    asm(RANDOM(r7) "w7 = w7; w8 = 32; if w7 >= w8 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int wide_check_bounds_the_low_half(void)
{
    asm(RANDOM(r7) "if r7 > 31 goto 1f; w8 = w7;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int copy_before_narrow_check(void)
{
    asm(RANDOM(r7) "w7 = w7; r8 = r7; if w7 > 31 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_copy_of_a_small_number_is_linked(void)
{
    asm(RANDOM(r7) "w7 = w7; w8 = w7; if r8 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_copy_of_a_wide_number_is_not_linked(void)
{
    asm(RANDOM(r7) "w8 = w7; if r8 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int load_of_a_word_has_32_bits(void)
{
    asm("r7 = *(u32 *)(r1 + 0); if w7 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int load_of_a_byte_masks(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = r7; r7 = *(u8 *)(r10 - 16); r7 >>= 3;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int shifts_up_and_down_extend_zeros(void)
{
    asm(RANDOM(r7) "r7 <<= 32; r7 >>= 32; if r7 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int shifts_up_and_down_extend_the_sign(void)
{
    asm(RANDOM(r7) "r7 <<= 32; r7 s>>= 32; if r7 s< 0 goto 1f; if r7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int sign_extended_check_bounds_the_whole(void)
{
    asm(RANDOM(r7) "r7 = (s32)r7; if w7 s< 0 goto 1f; if w7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded min value") __naked int sign_extended_negative(void)
{
    asm(RANDOM(r7) "r7 = (s32)r7; if w7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_division(void)
{
    asm(RANDOM(r7) "w7 &= 0xff; w7 >>= 2; w7 >>= 1;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int upper_half_known_after_constant(void)
{
    asm(RANDOM(r7) "r8 = 0; w8 = w7; w8 &= 31;" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int upper_half_survives_wide_or(void)
{
    asm(RANDOM(r7) "w8 = w7; w8 &= 31; r7 >>= 32; r7 <<= 32; r8 |= r7;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int narrow_negation(void)
{
    asm(RANDOM(r7) "w7 &= 15; w7 = -w7; w7 += 16;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int narrow_negation_is_zero_extended(void)
{
    asm(RANDOM(r7) "w7 &= 15; w7 = -w7;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int one_check_on_each_half(void)
{
    asm(RANDOM(r7) "r8 = r7; r8 >>= 32; if r8 != 0 goto 1f; w7 = w7; if w7 > 31 goto 1f;" INDEX(r7));
}
