/* Atomic operations, sign extension, byte order, and what remains known of their results. */
#include "fixture.h"

__u64 counter;
__u32 small_counter;

#define AT_COUNTER "r1 = counter ll;"

SEC("socket") EXPECT_ACCEPT __naked int add(void) { asm(AT_COUNTER "r2 = 1; lock *(u64 *)(r1 + 0) += r2;" RETURN_0); }

SEC("socket") EXPECT_ACCEPT __naked int each_operation(void)
{
    asm(AT_COUNTER "r2 = 1; lock *(u64 *)(r1 + 0) += r2; lock *(u64 *)(r1 + 0) |= r2; lock *(u64 *)(r1 + 0) &= r2;"
                   "lock *(u64 *)(r1 + 0) ^= r2; lock *(u32 *)(r1 + 0) += w2;" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int fetch(void)
{
    asm(AT_COUNTER "r2 = 1; r2 = atomic_fetch_add((u64 *)(r1 + 0), r2); r0 = r2; exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_fetched_value_is_unknown(void)
{
    asm(AT_COUNTER "r7 = 1; r7 = atomic_fetch_add((u64 *)(r1 + 0), r7);" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_fetched_word_has_32_bits(void)
{
    asm("r1 = small_counter ll; w7 = 1; w7 = atomic_fetch_add((u32 *)(r1 + 0), w7); if w7 > 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int exchange(void)
{
    asm(AT_COUNTER "r2 = 5; r2 = xchg_64(r1 + 0, r2); r0 = r2; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int compare_and_exchange(void)
{
    asm(AT_COUNTER "r0 = 0; r2 = 5; r0 = cmpxchg_64(r1 + 0, r0, r2); exit;");
}

SEC("socket") EXPECT_REJECT("R0 !read_ok") __naked int compare_with_nothing(void)
{
    asm(AT_COUNTER "r2 = 5; r0 = cmpxchg_64(r1 + 0, r0, r2); exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_compared_value_is_unknown(void)
{
    asm(AT_COUNTER "r0 = 3; r2 = 5; r0 = cmpxchg_64(r1 + 0, r0, r2); r7 = r0;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("misaligned") __naked int misaligned(void)
{
    asm("*(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; r2 = 1; lock *(u64 *)(r10 - 12) += r2; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int out_of_bounds(void)
{
    asm(LOOKUP_OR_EXIT(values) "r2 = 1; lock *(u64 *)(r0 + 32) += r2;" RETURN_0);
}

SEC("socket") EXPECT_REJECT("map_value_or_null") __naked int on_what_may_be_null(void)
{
    asm(LOOKUP(values) "r2 = 1; lock *(u64 *)(r0 + 0) += r2;" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int on_the_stack(void)
{
    asm("*(u64 *)(r10 - 8) = 3; r2 = 1; lock *(u64 *)(r10 - 8) += r2; r0 = *(u64 *)(r10 - 8); exit;");
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int on_the_stack_forgets_the_value(void)
{
    asm("*(u64 *)(r10 - 16) = 3; r2 = 1; lock *(u64 *)(r10 - 16) += r2; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int on_the_stack_never_written(void)
{
    asm("r2 = 1; lock *(u64 *)(r10 - 8) += r2; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int of_a_pointer(void)
{
    asm("r6 = r1;" AT_COUNTER "lock *(u64 *)(r1 + 0) += r6;" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int exchange_of_a_pointer(void)
{
    asm("r6 = r1;" AT_COUNTER "r6 = xchg_64(r1 + 0, r6);" RETURN_0);
}

SEC("xdp") EXPECT_REJECT("pkt") __naked int on_a_packet(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 8; if r4 > r3 goto 1f; r5 = 1;"
        "lock *(u64 *)(r2 + 0) += r5;" END);
}

SEC("socket") EXPECT_ACCEPT __naked int load_acquire(void)
{
    asm(AT_COUNTER "r0 = load_acquire((u64 *)(r1 + 0)); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int store_release(void)
{
    asm(AT_COUNTER "r2 = 1; store_release((u64 *)(r1 + 0), r2);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int load_acquire_out_of_bounds(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 = load_acquire((u64 *)(r0 + 32));" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int store_release_out_of_bounds(void)
{
    asm(LOOKUP_OR_EXIT(values) "r2 = 1; store_release((u64 *)(r0 + 32), r2);" RETURN_0);
}

/* ---- sign extension ---- */

SEC("socket") EXPECT_ACCEPT __naked int a_signed_byte_in_range(void)
{
    asm(RANDOM(r7) "r7 = (s8)r7; if r7 s< 0 goto 1f; r7 >>= 2;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_signed_byte_reaches_127(void)
{
    asm(RANDOM(r7) "r7 = (s8)r7; if r7 s< 0 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("negative") __naked int a_signed_byte_may_be_negative(void)
{
    asm(RANDOM(r7) "r7 = (s8)r7; if r7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_small_number_survives_extension(void)
{
    asm(RANDOM(r7) "r7 &= 31; r7 = (s8)r7;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_byte_changes_its_sign(void)
{
    asm("r7 = 0x80; r7 = (s8)r7;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_constant_is_extended(void)
{
    asm("r7 = 0xff; r7 = (s8)r7; r7 += 5;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_signed_half_word(void)
{
    asm(RANDOM(r7) "r7 = (s16)r7; r7 += 0x8000; r7 >>= 11;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_narrow_signed_byte_is_zero_extended(void)
{
    asm(RANDOM(r7) "w7 = (s8)w7; r7 >>= 27;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_narrow_signed_byte_is_no_small_number(void)
{
    asm(RANDOM(r7) "w7 = (s8)w7; if w7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_load_with_sign(void)
{
    asm(LOOKUP_OR_EXIT(values) "r7 = *(s8 *)(r0 + 0); if r7 s< 0 goto 1f; r7 >>= 2;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded min value") __naked int a_load_with_sign_may_be_negative(void)
{
    asm(LOOKUP_OR_EXIT(values) "r7 = *(s32 *)(r0 + 0); if r7 s> 31 goto 1f;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_copy_with_sign_is_not_linked(void)
{
    asm(RANDOM(r7) "r8 = (s8)r7; if r8 > 31 goto 1f;" INDEX(r7));
}

/* ---- byte order ---- */

SEC("socket") EXPECT_ACCEPT __naked int swapped_half_word_has_16_bits(void)
{
    asm(RANDOM(r7) "r7 = be16 r7; r7 >>= 11;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int swapped_word_has_32_bits(void)
{
    asm(RANDOM(r7) "r7 = be32 r7; r7 >>= 27;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int swapped_whole_is_unknown(void)
{
    asm(RANDOM(r7) "r7 &= 31; r7 = bswap64 r7;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_swapped_small_number_is_large(void)
{
    asm(RANDOM(r7) "r7 &= 31; r7 = bswap16 r7;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_constant_swapped(void) { asm("r7 = 0x700; r7 = bswap16 r7;" INDEX(r7)); }

SEC("socket") EXPECT_ACCEPT __naked int swapped_twice(void)
{
    asm("r7 = 7; r7 = bswap64 r7; r7 = bswap64 r7;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int little_endian_cuts(void)
{
    asm(RANDOM(r7) "r7 = le16 r7; r7 >>= 11;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("R1") __naked int a_pointer_swapped(void)
{
    asm("r1 = bswap64 r1; r0 = *(u32 *)(r1 + 0); exit;");
}

/* ---- signed division ---- */

SEC("socket") EXPECT_ACCEPT __naked int by_zero(void)
{
    asm(RANDOM(r7) RANDOM(r8) "r7 /= r8; r7 s/= r8; r7 %= r8; r7 s%= r8; w7 s/= w8; w7 s%= w8;" RETURN_0);
}

SEC("socket") EXPECT_REJECT("div by zero") __naked int by_the_constant_zero(void)
{
    asm(RANDOM(r7) ".8byte 0x737; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("out of bounds") __naked int the_least_number_by_minus_one(void)
{
    asm("r7 = 0x8000000000000000 ll; r7 s/= -1;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int a_signed_remainder_may_be_negative(void)
{
    asm(RANDOM(r7) "r7 s%= 8;" INDEX(r7));
}
