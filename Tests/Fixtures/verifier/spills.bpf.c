/* Registers saved to the stack and loaded again, whole and in part. */
#include "fixture.h"

SEC("socket") EXPECT_ACCEPT __naked int a_pointer(void)
{
    asm("*(u64 *)(r10 - 8) = r1; r2 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r2 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_maybe_null_pointer_tested_after_the_fill(void)
{
    asm(LOOKUP(values) "*(u64 *)(r10 - 16) = r0; r1 = *(u64 *)(r10 - 16); if r1 == 0 goto 1f; r0 = *(u64 *)(r1 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int a_test_of_one_copy_counts_for_the_saved_one(void)
{
    asm(LOOKUP(values) "*(u64 *)(r10 - 16) = r0; if r0 == 0 goto 1f; r1 = *(u64 *)(r10 - 16); r0 = *(u64 *)(r1 + 0);" END);
}

SEC("socket") EXPECT_REJECT("map_value_or_null") __naked int a_saved_pointer_not_tested(void)
{
    asm(LOOKUP(values) "*(u64 *)(r10 - 16) = r0; r1 = *(u64 *)(r10 - 16); r0 = *(u64 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("invalid") __naked int a_pointer_in_half(void)
{
    asm("*(u32 *)(r10 - 8) = r1; r0 = 0; exit;");
}

/* Reading half of a saved pointer gives a number: no more than privileged programs may see. */
SEC("socket") EXPECT_REJECT("invalid size of register fill") __naked int half_of_a_saved_pointer(void)
{
    asm("*(u64 *)(r10 - 8) = r1; r0 = *(u32 *)(r10 - 8); exit;");
}

SEC("socket") EXPECT_REJECT("invalid mem access 'scalar'") __naked int a_pointer_partly_overwritten(void)
{
    asm("*(u64 *)(r10 - 8) = r1; *(u8 *)(r10 - 8) = 1; r2 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r2 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("invalid mem access 'scalar'") __naked int a_pointer_with_its_last_byte_overwritten(void)
{
    asm("*(u64 *)(r10 - 8) = r1; *(u8 *)(r10 - 1) = 0; r2 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r2 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_bounded_number(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u64 *)(r10 - 16) = r7; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_bounded_number_as_a_word(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u32 *)(r10 - 16) = r7; r8 = *(u32 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_bounded_number_as_a_half_word(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u16 *)(r10 - 16) = r7; r8 = *(u16 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_bounded_number_as_a_byte(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u8 *)(r10 - 16) = r7; r8 = *(u8 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_word_spilled_and_filled_whole(void)
{
    asm(RANDOM(r7) RANDOM(r6)
        "r7 &= 31; *(u64 *)(r10 - 16) = r6; *(u32 *)(r10 - 16) = r7; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_number_spilled_whole_and_filled_as_a_word(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u64 *)(r10 - 16) = r7; r8 = *(u32 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_number_spilled_whole_and_filled_as_a_byte(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = r7; r8 = *(u8 *)(r10 - 16); r8 >>= 3;" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int the_upper_bytes_of_a_number(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u64 *)(r10 - 16) = r7; r8 = *(u8 *)(r10 - 15);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int the_upper_bytes_of_zero(void)
{
    asm("*(u64 *)(r10 - 16) = 0; r8 = *(u8 *)(r10 - 13);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("forgets a narrow zero when the slot's other bytes are written")
__naked int zeros_in_pieces(void)
{
    asm("*(u32 *)(r10 - 16) = 0; *(u16 *)(r10 - 12) = 0; *(u8 *)(r10 - 10) = 0; *(u8 *)(r10 - 9) = 0;"
        "r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int zeros_across_two_slots_in_bytes(void)
{
    asm("*(u64 *)(r10 - 16) = 0; *(u64 *)(r10 - 24) = 0; r8 = *(u16 *)(r10 - 18);" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int one_byte_of_zeros_overwritten(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = 0; *(u8 *)(r10 - 9) = r7; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_known_constant_comes_back(void)
{
    asm("*(u64 *)(r10 - 16) = 31; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_known_constant_as_a_word(void)
{
    asm("*(u32 *)(r10 - 16) = 31; r8 = *(u32 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_constant_outside_comes_back(void)
{
    asm("*(u64 *)(r10 - 16) = 32; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_narrow_store_of_a_wide_number_does_not_link(void)
{
    asm(RANDOM(r7) "*(u32 *)(r10 - 16) = r7; r8 = *(u32 *)(r10 - 16); if r8 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_narrow_store_of_a_small_number_links(void)
{
    asm(RANDOM(r7) "w7 = w7; *(u32 *)(r10 - 16) = r7; r8 = *(u32 *)(r10 - 16); if r8 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_check_reaches_the_narrow_slot(void)
{
    asm(RANDOM(r7) "w7 = w7; *(u32 *)(r10 - 16) = r7; if r7 > 31 goto 1f; r8 = *(u32 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int an_overwritten_slot_does_not_learn(void)
{
    asm(RANDOM(r7) RANDOM(r6)
        "*(u64 *)(r10 - 16) = r7; *(u64 *)(r10 - 16) = r6; if r7 > 31 goto 1f; r8 = *(u64 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_number_in_the_upper_half_of_a_slot(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u32 *)(r10 - 12) = r7; r8 = *(u32 *)(r10 - 12); r8 &= 31;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_fill_with_sign_extension(void)
{
    asm(RANDOM(r7) "r7 &= 31; *(u8 *)(r10 - 16) = r7; r8 = *(s8 *)(r10 - 16);" INDEX(r8));
}

SEC("socket") EXPECT_REJECT("negative") __naked int a_fill_with_sign_extension_of_any_byte(void)
{
    asm(RANDOM(r7) "*(u8 *)(r10 - 16) = r7; r8 = *(s8 *)(r10 - 16); if r8 s> 31 goto 1f;" INDEX(r8));
}

SEC("socket") EXPECT_ACCEPT __naked int a_map_value_pointer_with_a_variable_offset(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values)
        "r0 += r7; *(u64 *)(r10 - 16) = r0; r1 = *(u64 *)(r10 - 16); r0 = *(u8 *)(r1 + 16);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_map_value_pointer_with_too_much_offset(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values)
        "r0 += r7; *(u64 *)(r10 - 16) = r0; r1 = *(u64 *)(r10 - 16); r0 = *(u8 *)(r1 + 17);" RETURN_0);
}

/* A helper changes the memory it writes, also where a pointer was saved. */
SEC("socket") EXPECT_REJECT("invalid mem access 'scalar'") __naked int a_helper_overwrites_a_saved_pointer(void)
{
    asm("*(u64 *)(r10 - 8) = r1; r6 = r1; r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 113; r1 = *(u64 *)(r10 - 8);"
        "r0 = *(u32 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_helper_overwrites_a_saved_number(void)
{
    asm("*(u64 *)(r10 - 16) = 3; r1 = r10; r1 += -16; r2 = 8; r3 = 0; call 113; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

/* Pointers to the caller's stack: what a callee writes there, the caller finds. */
SUBPROG __u64 write_seven(void) { asm("*(u64 *)(r1 + 0) = 7; r0 = 0; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int a_callee_writes_the_callers_slot(void)
{
    asm("r1 = r10; r1 += -16; *(u64 *)(r10 - 16) = 99; call write_seven; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SUBPROG __u64 store_argument(void) { asm("*(u64 *)(r1 + 0) = r2; r0 = 0; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int a_callee_saves_a_pointer_for_its_caller(void)
{
    asm("r2 = r1; r1 = r10; r1 += -16; call store_argument; r1 = *(u64 *)(r10 - 16); r0 = *(u32 *)(r1 + 0); exit;");
}

SUBPROG __u64 store_own_stack(void)
{
    asm("*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; *(u64 *)(r1 + 0) = r2; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("cannot spill pointers to stack into stack frame of the caller")
__naked int a_callee_saves_its_own_stack_for_its_caller(void)
{
    asm("r1 = r10; r1 += -16; call store_own_stack; r0 = 0; exit;");
}
