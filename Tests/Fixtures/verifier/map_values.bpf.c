/* Map values: null tests, bounds, keys, read-only and write-only maps, what may not be touched at all. */
#include "fixture.h"

struct locked {
    __u64 before;
    struct bpf_spin_lock lock;
    __u32 after;
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct locked);
} locked SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __type(key, __u32);
    __type(value, __u64);
} read_only SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __uint(map_flags, BPF_F_WRONLY_PROG);
    __type(key, __u32);
    __type(value, __u64);
} write_only SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} per_cpu SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_QUEUE);
    __uint(max_entries, 8);
    __type(value, __u64);
} queue SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, __u64);
} recent SEC(".maps");

SEC("socket") EXPECT_ACCEPT int tested(void *ctx)
{
    __u32 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&values, &key);

    return entry ? entry->c : 0;
}

SEC("socket") EXPECT_REJECT("map_value_or_null") SUGGESTS("if (!entry) return 0;") int not_tested(void *ctx)
{
    __u64 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    FIX(, if (!entry) return 0;)
    return entry->c;
}

SEC("socket") EXPECT_REJECT("map_value_or_null") SUGGESTS("if (!entry) return 0;") int written_not_tested(void *ctx)
{
    __u64 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    FIX(, if (!entry) return 0;)
    entry->d = 1;
    return 0;
}

SEC("socket") EXPECT_REJECT("R0 invalid mem access 'scalar'") __naked int tested_the_wrong_way_round(void)
{
    asm(LOOKUP(values) "if r0 != 0 goto 1f; r0 = *(u64 *)(r0 + 0); exit;" END);
}

SEC("socket") EXPECT_REJECT("R0 invalid mem access 'scalar'") __naked int null_is_a_number(void)
{
    asm(LOOKUP(values) "if r0 == 0 goto +2; r0 = 0; exit; r0 = *(u64 *)(r0 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("prohibited") __naked int arithmetic_before_the_test(void)
{
    asm(LOOKUP(values) "r0 += 8; if r0 == 0 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int one_test_for_two_copies(void)
{
    asm(LOOKUP(values) "r7 = r0; if r0 == 0 goto 1f; r0 = *(u64 *)(r7 + 0);" END);
}

SEC("socket") EXPECT_REJECT("map_value_or_null") __naked int one_test_for_two_lookups(void)
{
    asm(LOOKUP(values) "r7 = r0;" LOOKUP(values) "if r0 == 0 goto 1f; r0 = *(u64 *)(r7 + 0);" END);
}

SEC("socket") EXPECT_ACCEPT __naked int the_last_byte(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 = *(u8 *)(r0 + 31);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int behind_the_last_byte(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 = *(u8 *)(r0 + 32);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int across_the_end(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 = *(u64 *)(r0 + 25);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int before_the_start(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 = *(u8 *)(r0 - 1);" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int back_and_forth(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 += 40; r0 += -16; r0 = *(u64 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int unaligned_inside(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 = *(u64 *)(r0 + 3);" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int variable_offset_and_constant(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values) "r0 += r7; r0 += 8; r0 = *(u64 *)(r0 + 1);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int variable_offset_and_too_much(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values) "r0 += r7; r0 += 8; r0 = *(u64 *)(r0 + 2);" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("takes a variable offset below zero for a huge one")
__naked int subtract_a_bounded_number(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values) "r0 += 15; r0 -= r7; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("min value is negative") __naked int subtract_too_much(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values) "r0 += 14; r0 -= r7; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int number_plus_pointer(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values) "r7 += r0; r0 = *(u8 *)(r7 + 0);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("subtract pointer from scalar") __naked int number_minus_pointer(void)
{
    asm(LOOKUP_OR_EXIT(values) "r7 = 5; r7 -= r0;" RETURN_0);
}

SEC("socket") EXPECT_REJECT("prohibited") __naked int multiplied_pointer(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 *= 2; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("R0") __naked int masked_pointer(void)
{
    asm(LOOKUP_OR_EXIT(values) "r0 &= -8; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("R0") __naked int narrow_addition(void)
{
    asm(LOOKUP_OR_EXIT(values) "w0 += 8; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_REJECT("out of bounds") __naked int a_huge_offset(void)
{
    asm(LOOKUP_OR_EXIT(values) "r1 = 0x100000000000 ll; r0 += r1; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("socket") EXPECT_ACCEPT __naked int the_key_of_an_array_is_constant(void)
{
    asm("*(u32 *)(r10 - 8) = 3; r2 = r10; r2 += -8; r1 = values ll; call 1; r0 = *(u64 *)(r0 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("map_value_or_null") int the_constant_key_is_outside(void *ctx)
{
    __u32 key = 4;
    struct entry *entry = bpf_map_lookup_elem(&values, &key);

    return entry->c;
}

SEC("socket") EXPECT_REJECT("map_value_or_null") int the_key_of_a_hash_is_constant(void *ctx)
{
    __u64 key = 3;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    return entry->c;
}

SEC("socket") EXPECT_ACCEPT int the_constant_key_zero(void *ctx)
{
    __u32 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&values, &key);

    return entry->c;
}

SEC("socket") EXPECT_REJECT("map_value_or_null") __naked int a_key_that_is_known_on_one_way(void)
{
    asm(RANDOM(r7) "*(u32 *)(r10 - 8) = 2; if r7 > 5 goto +1; *(u32 *)(r10 - 8) = r7;"
        "r2 = r10; r2 += -8; r1 = values ll; call 1; r0 = *(u64 *)(r0 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_key_never_written(void)
{
    asm("r2 = r10; r2 += -8; r1 = values ll; call 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid") __naked int a_key_above_the_stack(void)
{
    asm("r2 = r10; r2 += -2; r1 = values ll; call 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("expected=") __naked int a_key_that_is_a_number(void)
{
    asm("r2 = 5; r1 = values ll; call 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_key_inside_a_map_value(void)
{
    asm(LOOKUP_OR_EXIT(values) "r2 = r0; r2 += 28; r1 = values ll; call 1;" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int a_key_across_the_end_of_a_map_value(void)
{
    asm(LOOKUP_OR_EXIT(values) "r2 = r0; r2 += 29; r1 = values ll; call 1;" RETURN_0);
}

SEC("tc") EXPECT_REJECT("spin_lock") int a_load_of_the_lock(void *ctx)
{
    __u32 key = 0;
    struct locked *value = bpf_map_lookup_elem(&locked, &key);

    return value ? *(volatile __u32 *)&value->lock : 0;
}

SEC("tc") EXPECT_REJECT("spin_lock") int a_store_to_the_lock(void *ctx)
{
    __u32 key = 0;
    struct locked *value = bpf_map_lookup_elem(&locked, &key);

    if (value)
        value->lock.val = 1;
    return 0;
}

SEC("tc") EXPECT_ACCEPT int the_neighbours_of_the_lock(void *ctx)
{
    __u32 key = 0;
    struct locked *value = bpf_map_lookup_elem(&locked, &key);

    if (value)
        value->before = value->after;
    return 0;
}

SEC("tc") EXPECT_REJECT("spin_lock") __naked int a_variable_offset_that_may_hit_the_lock(void)
{
    asm(RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(locked) "r0 += r7; r0 = *(u8 *)(r0 + 0);" RETURN_0);
}

SEC("tc") EXPECT_REJECT("spin_lock") int a_helper_that_writes_over_the_lock(void *ctx)
{
    __u32 key = 0;
    struct locked *value = bpf_map_lookup_elem(&locked, &key);

    if (value)
        bpf_probe_read_kernel(value, sizeof(*value), NULL);
    return 0;
}

SEC("socket") EXPECT_ACCEPT int reads_a_read_only_map(void *ctx)
{
    __u32 key = 0;
    __u64 *value = bpf_map_lookup_elem(&read_only, &key);

    return value ? *value : 0;
}

SEC("socket") EXPECT_REJECT("write into map") int writes_a_read_only_map(void *ctx)
{
    __u32 key = 0;
    __u64 *value = bpf_map_lookup_elem(&read_only, &key);

    if (value)
        *value = 1;
    return 0;
}

SEC("socket") EXPECT_REJECT("write into map") int updates_a_read_only_map(void *ctx)
{
    __u32 key = 0;
    __u64 value = 1;

    return bpf_map_update_elem(&read_only, &key, &value, 0);
}

SEC("socket") EXPECT_REJECT("read") int reads_a_write_only_map(void *ctx)
{
    __u32 key = 0;
    __u64 value = 1, *found;

    bpf_map_update_elem(&write_only, &key, &value, 0);
    found = bpf_map_lookup_elem(&write_only, &key);
    return found ? *found : 0;
}

SEC("socket") EXPECT_ACCEPT int updates_a_write_only_map(void *ctx)
{
    __u32 key = 0;
    __u64 value = 1;

    return bpf_map_update_elem(&write_only, &key, &value, 0);
}

SEC("socket") EXPECT_ACCEPT int counts_per_cpu(void *ctx)
{
    __u32 key = 0;
    __u64 *value = bpf_map_lookup_elem(&per_cpu, &key);

    if (value)
        ++*value;
    return 0;
}

SEC("socket") EXPECT_ACCEPT int pushes_and_pops(void *ctx)
{
    __u64 value = 5;

    bpf_map_push_elem(&queue, &value, 0);
    return bpf_map_pop_elem(&queue, &value);
}

SEC("socket") EXPECT_REJECT("cannot pass map_type") int looks_up_in_a_queue(void *ctx)
{
    __u64 key = 0;

    return bpf_map_lookup_elem(&queue, &key) != NULL;
}

SEC("socket") EXPECT_REJECT("cannot pass map_type") int pops_from_an_array(void *ctx)
{
    __u64 value[4] = {};

    return bpf_map_pop_elem(&values, value);
}

SEC("socket") EXPECT_ACCEPT int least_recently_used(void *ctx)
{
    __u32 key = 7;
    __u64 one = 1, *value = bpf_map_lookup_elem(&recent, &key);

    if (!value)
        return bpf_map_update_elem(&recent, &key, &one, 0);
    __sync_fetch_and_add(value, 1);
    return 0;
}

SEC("socket") EXPECT_REJECT("R1") __naked int not_a_map(void)
{
    asm("*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r1 = r10; call 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("R1") __naked int a_map_that_may_be_another(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r1 = values ll; r1 += 1; call 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int either_of_two_maps(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r1 = values ll; if r7 > 5 goto +2; r1 = table ll;"
        "call 1; if r0 == 0 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_REJECT("map_ptr") __naked int a_write_to_the_map_itself(void)
{
    asm("r1 = values ll; *(u64 *)(r1 + 0) = 0; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_pointer_stored_in_a_value(void)
{
    asm("r6 = r1;" LOOKUP_OR_EXIT(values) "*(u64 *)(r0 + 0) = r6;" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid mem access 'scalar'") __naked int a_pointer_loaded_from_a_value(void)
{
    asm(LOOKUP_OR_EXIT(values) "r1 = *(u64 *)(r0 + 0); r0 = *(u64 *)(r1 + 0); exit;");
}
