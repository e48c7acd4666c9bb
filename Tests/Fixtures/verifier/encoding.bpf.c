/* The shape of a program: control flow, dead code, instructions that do not exist. */
#include "fixture.h"

#define RAW(hex) ".8byte " hex ";"

SEC("socket") EXPECT_ACCEPT __naked int the_smallest(void) { asm("r0 = 0; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int dead_code_behind_a_decided_branch(void)
{
    asm("r1 = 1; if r1 == 1 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int dead_code_behind_a_decided_narrow_branch(void)
{
    asm("w1 = -1; if w1 s< 0 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("wants every instruction reachable; here what is not is never run") __naked int code_that_nothing_leads_to(void)
{
    asm("r0 = 0; goto +1; r0 = 1; exit;");
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("wants every instruction reachable; here what is not is never run") __naked int code_behind_the_exit(void)
{
    asm("r0 = 0; exit; r0 = 1; exit;");
}

SEC("socket") EXPECT_REJECT("last insn is not an exit or jmp") __naked int no_exit(void) { asm("r0 = 0;"); }

SEC("socket") EXPECT_REJECT("jump out of range") __naked int a_jump_past_the_end(void)
{
    asm("r0 = 0; goto +5; exit;");
}

SEC("socket") EXPECT_REJECT("jump out of range") __naked int a_jump_before_the_start(void)
{
    asm("r0 = 0; if r0 == 0 goto -9; exit;");
}

SEC("socket") EXPECT_REJECT("jump into the middle of ldimm64") __naked int a_jump_into_a_wide_load(void)
{
    asm("r0 = 0; if r0 == 1 goto +1; r1 = 0x123456789abcdef0 ll; exit;");
}

SEC("socket") EXPECT_REJECT("opcode") __naked int an_opcode_that_does_not_exist(void)
{
    asm(RAW("0xff") "r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("opcode") __naked int a_zero_instruction(void) { asm(RAW("0") "r0 = 0; exit;"); }

SEC("socket") EXPECT_REJECT("R11 is invalid") __naked int a_register_that_does_not_exist(void)
{
    asm(RAW("0x0bb7") "r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("uses reserved fields") __naked int reserved_bits_of_an_addition(void)
{
    asm("r0 = 0;" RAW("0x0000000000010007") "exit;");
}

SEC("socket") EXPECT_REJECT("uses reserved fields") __naked int reserved_bits_of_an_exit(void) { asm("r0 = 0;" RAW("0x0000000100000095")); }

SEC("socket") EXPECT_REJECT("uses reserved fields") __naked int reserved_bits_of_a_load(void)
{
    asm("r0 = 0;" RAW("0x0000000100000179") "r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("incomplete ld_imm64 insn") __naked int half_a_wide_load(void) { asm("r0 = 0;" RAW("0x0000000000000118")); }

SEC("socket") EXPECT_REJECT("invalid shift") __naked int a_shift_by_64(void) { asm("r0 = 1; r0 <<= 64; exit;"); }

SEC("socket") EXPECT_REJECT("invalid shift") __naked int a_narrow_shift_by_32(void) { asm("r0 = 1; w0 <<= 32; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int a_shift_by_anything(void)
{
    asm(RANDOM(r7) "r0 = 1; r0 <<= r7; r0 >>= r7; w0 s>>= w7; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_shift_by_anything_is_unknown(void)
{
    asm(RANDOM(r8) "r7 = 1; r7 <<= r8;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("!read_ok") __naked int r0_never_set(void) { asm("r1 = r0; r0 = 0; exit;"); }

SEC("socket") EXPECT_REJECT("!read_ok") __naked int r2_on_entry(void) { asm("r0 = r2; exit;"); }

SEC("socket") EXPECT_REJECT("!read_ok") __naked int compared_but_never_set(void)
{
    asm("if r3 == 0 goto 1f;" END);
}

SEC("socket") EXPECT_REJECT("!read_ok") __naked int set_on_one_way_only(void)
{
    asm(RANDOM(r7) "if r7 > 5 goto +1; r6 = 1; r0 = r6; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int set_on_both_ways(void)
{
    asm(RANDOM(r7) "r6 = 0; if r7 > 5 goto +1; r6 = 1; r0 = r6; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_far_jump(void) { asm(RANDOM(r7) "if r7 > 5 goto +1; gotol +1; r7 = 1; r0 = 0; exit;"); }

SEC("socket") EXPECT_REJECT("last insn is not an exit or jmp") __naked int falls_into_the_next_function(void) { asm("r0 = 0; call falls_through; exit;"); }

SUBPROG __u64 falls_through(void) { asm("r0 = 0; if r0 == 0 goto +0; r0 = 1;"); }
SUBPROG __u64 last_function(void) { asm("r0 = 0; exit;"); }

SEC("socket") EXPECT_REJECT("div by zero") __naked int a_remainder_by_the_constant_zero(void)
{
    asm("r0 = 5;" RAW("0x97") "exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int deep_but_short(void)
{
    asm(RANDOM(r7) "if r7 & 1 goto +0; if r7 & 2 goto +0; if r7 & 4 goto +0; if r7 & 8 goto +0; if r7 & 16 goto +0;"
                   "if r7 & 32 goto +0; if r7 & 64 goto +0; if r7 & 128 goto +0; if r7 & 256 goto +0; r0 = 0; exit;");
}
