/* The stack: bounds, bytes never written, variable offsets, alignment. */
#include "fixture.h"

SEC("socket") EXPECT_ACCEPT __naked int the_lowest_byte(void)
{
    asm("r1 = 1; *(u8 *)(r10 - 512) = r1; r0 = *(u8 *)(r10 - 512); exit;");
}

SEC("socket") EXPECT_REJECT("invalid write to stack") __naked int below_the_lowest_byte(void)
{
    asm("r1 = 1; *(u8 *)(r10 - 513) = r1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid write to stack") __naked int above_the_frame(void)
{
    asm("r1 = 1; *(u8 *)(r10 + 0) = r1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid write to stack") __naked int across_the_top(void)
{
    asm("r1 = 1; *(u64 *)(r10 - 4) = r1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid read from stack") __naked int read_above_the_frame(void)
{
    asm("r0 = *(u64 *)(r10 + 8); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int each_size(void)
{
    asm("r1 = 5; *(u8 *)(r10 - 1) = r1; *(u16 *)(r10 - 4) = r1; *(u32 *)(r10 - 8) = r1; *(u64 *)(r10 - 16) = r1;"
        "r0 = *(u8 *)(r10 - 1); r1 = *(u16 *)(r10 - 4); r2 = *(u32 *)(r10 - 8); r3 = *(u64 *)(r10 - 16);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("misaligned") __naked int misaligned_spill(void)
{
    asm("*(u64 *)(r10 - 9) = r1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("misaligned") __naked int misaligned_word(void)
{
    asm("r1 = 0; *(u32 *)(r10 - 6) = r1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("misaligned") __naked int misaligned_read(void)
{
    asm("r1 = 0; *(u64 *)(r10 - 8) = r1; *(u64 *)(r10 - 16) = r1; r0 = *(u64 *)(r10 - 12); exit;");
}

/* Whoever may load programs without restriction may read what lies on the stack: it is the kernel's choice, and ours. */
SEC("socket") EXPECT_ACCEPT __naked int bytes_never_written(void) { asm("r0 = *(u64 *)(r10 - 8); exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int bytes_written_on_one_way_only(void)
{
    asm(RANDOM(r7) "if r7 > 3 goto +1; *(u64 *)(r10 - 8) = 0; r0 = *(u64 *)(r10 - 8); exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int bytes_never_written_have_no_range(void)
{
    asm("r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int half_written_then_read_whole(void)
{
    asm("*(u32 *)(r10 - 8) = 0; r0 = *(u64 *)(r10 - 8); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int variable_offset_write(void)
{
    asm(RANDOM(r7) "r7 &= 7; r1 = r10; r1 += -8; r1 += r7; *(u8 *)(r1 + 0) = 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid") __naked int variable_offset_write_below(void)
{
    asm(RANDOM(r7) "r7 &= 7; r1 = r10; r1 += -513; r1 += r7; *(u8 *)(r1 + 0) = 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid") __naked int variable_offset_write_above(void)
{
    asm(RANDOM(r7) "r7 &= 15; r1 = r10; r1 += -8; r1 += r7; *(u8 *)(r1 + 0) = 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int variable_offset_write_unbounded(void)
{
    asm(RANDOM(r7) "r1 = r10; r1 += r7; *(u8 *)(r1 - 8) = 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int variable_offset_read(void)
{
    asm("*(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0;" RANDOM(r7)
        "r7 &= 8; r1 = r10; r1 += -16; r1 += r7; r0 = *(u64 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("invalid") __naked int variable_offset_read_above(void)
{
    asm("*(u64 *)(r10 - 8) = 0;" RANDOM(r7) "r7 &= 8; r1 = r10; r1 += -8; r1 += r7; r0 = *(u64 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("misaligned") __naked int variable_offset_misaligned(void)
{
    asm("*(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0;" RANDOM(r7)
        "r7 &= 7; r1 = r10; r1 += -16; r1 += r7; r0 = *(u64 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int variable_offset_write_spoils_what_was_known(void)
{
    asm("*(u64 *)(r10 - 16) = 7; *(u64 *)(r10 - 24) = 7;" RANDOM(r6) RANDOM(r7)
        "r7 &= 8; r1 = r10; r1 += -24; r1 += r7; *(u64 *)(r1 + 0) = r6; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int variable_offset_write_spoils_nothing_beside(void)
{
    asm("*(u64 *)(r10 - 16) = 7;" RANDOM(r6) RANDOM(r7)
        "r7 &= 8; r1 = r10; r1 += -32; r1 += r7; *(u64 *)(r1 + 0) = r6; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid mem access 'scalar'") __naked int variable_offset_write_over_a_saved_pointer(void)
{
    asm("r6 = r1; *(u64 *)(r10 - 8) = r6; *(u64 *)(r10 - 16) = 0;" RANDOM(r7)
        "r7 &= 8; r1 = r10; r1 += -16; r1 += r7; *(u64 *)(r1 + 0) = r7; r1 = *(u64 *)(r10 - 8);"
        "r0 = *(u32 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int variable_offset_write_of_zero_keeps_zeros(void)
{
    asm("*(u64 *)(r10 - 16) = 0; *(u64 *)(r10 - 24) = 0;" RANDOM(r7)
        "r7 &= 8; r1 = r10; r1 += -24; r1 += r7; r2 = 0; *(u64 *)(r1 + 0) = r2; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("frame pointer is read only") __naked int write_to_the_frame_pointer(void)
{
    asm("r10 = 0; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("frame pointer is read only") __naked int add_to_the_frame_pointer(void)
{
    asm("r10 += -8; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int pointer_moves_down_and_up(void)
{
    asm("r1 = r10; r1 += -600; r1 += 592; *(u64 *)(r1 + 0) = 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("out of bounds") __naked int pointer_moves_too_far(void)
{
    asm("r1 = r10; r1 += -2147483648; *(u64 *)(r1 + 0) = 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT int an_array_on_the_stack(struct __sk_buff *skb)
{
    __u32 counts[16] = {}, i = skb->mark & 15;

    counts[i] = skb->len;
    barrier(i);
    return counts[i & 15];
}

SEC("socket") EXPECT_REJECT("invalid") SUGGESTS("Compare `i` with the number of elements") int an_array_with_a_wrong_mask(struct __sk_buff *skb)
{
    __u64 counts[32] = {}, i = skb->mark & FIX(63, 31);

    barrier(i);
    counts[i] = skb->len;
    barrier(i);
    return counts[i];
}
