/* Memory handed to helpers: pointers, sizes in registers, what is read and what is written. */
#include "fixture.h"

volatile __u64 seen;

SEC("socket") EXPECT_ACCEPT int a_whole_buffer(struct __sk_buff *skb)
{
    char buffer[32];

    return bpf_skb_load_bytes(skb, 0, buffer, sizeof(buffer));
}

SEC("socket") EXPECT_REJECT("invalid") int more_than_the_buffer(struct __sk_buff *skb)
{
    char buffer[32];

    return bpf_skb_load_bytes(skb, 0, buffer, 600);
}

SEC("socket") EXPECT_ACCEPT __naked int a_bounded_size(void)
{
    asm("r6 = r1;" RANDOM(r7) "r7 &= 15; r7 += 1; r1 = r6; r2 = 0; r3 = r10; r3 += -16; r4 = r7; call 26; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("invalid") __naked int a_bounded_size_by_one(void)
{
    asm("r6 = r1;" RANDOM(r7) "r7 &= 15; r7 += 2; r1 = r6; r2 = 0; r3 = r10; r3 += -16; r4 = r7; call 26; r0 = 0; exit;");
}

SEC("kprobe/do_nanosleep") EXPECT_REJECT("unbounded memory access") SUGGESTS("Bound the size")
int an_unbounded_size(void *ctx)
{
    char buffer[64];
    __u64 size = bpf_get_current_pid_tgid();

    FIX(, if (size > sizeof(buffer)) return 0);
    return bpf_probe_read_kernel(buffer, size, ctx);
}

SEC("socket") EXPECT_REJECT("negative") SUGGESTS("unsigned") __naked int a_size_that_may_be_negative(void)
{
    asm("r6 = r1;" RANDOM(r7) FIX("", "if r7 s< 1 goto 1f;") "if r7 s> 16 goto 1f; r1 = r6; r2 = 0; r3 = r10; r3 += -16;"
        "r4 = r7; call 26;" END);
}

SEC("socket") EXPECT_REJECT("zero-sized") __naked int a_size_that_may_be_zero(void)
{
    asm("r6 = r1;" RANDOM(r7) "r7 &= 15; r1 = r6; r2 = 0; r3 = r10; r3 += -16; r4 = r7; call 26; r0 = 0; exit;");
}

SEC("tc") EXPECT_ACCEPT __naked int a_size_that_may_be_zero_where_it_may(void)
{
    asm(RANDOM(r7) "*(u64 *)(r10 - 16) = 0; r7 &= 8; r1 = 0; r2 = 0; r3 = r10; r3 += -16; r4 = r7; r5 = 0; call 28;"
        "r0 = 0; exit;");
}

SEC("tc") EXPECT_ACCEPT int nothing_with_size_zero(struct __sk_buff *skb) { return bpf_csum_diff(NULL, 0, NULL, 0, 0); }

SEC("tc") EXPECT_REJECT("R3") int nothing_with_a_size(struct __sk_buff *skb)
{
    return bpf_csum_diff(NULL, 0, NULL, 4, 0);
}

SEC("socket") EXPECT_REJECT("R3") int null_as_a_buffer(struct __sk_buff *skb) { return bpf_skb_load_bytes(skb, 0, NULL, 8); }

SEC("socket") EXPECT_ACCEPT int written_by_a_helper(struct __sk_buff *skb)
{
    __u64 buffer;

    if (bpf_skb_load_bytes(skb, 0, &buffer, sizeof(buffer)))
        return 0;
    return buffer;
}

SEC("socket") EXPECT_REJECT("unbounded") int an_index_written_by_a_helper(struct __sk_buff *skb)
{
    __u64 index = 0, key = 0;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    bpf_skb_load_bytes(skb, 0, &index, sizeof(index));
    return entry ? entry->bytes[index] : 0;
}

SEC("socket") EXPECT_ACCEPT int into_a_map_value(struct __sk_buff *skb)
{
    __u64 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    return entry ? bpf_skb_load_bytes(skb, 0, entry, sizeof(*entry)) : 0;
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int into_a_map_value_too_much(struct __sk_buff *skb)
{
    __u64 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    return entry ? bpf_skb_load_bytes(skb, 0, entry->bytes, 9) : 0;
}

SEC("socket") EXPECT_REJECT("map_value_or_null") SUGGESTS("if (!entry) return 0;") int into_a_map_value_not_tested(struct __sk_buff *skb)
{
    __u64 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    FIX(, if (!entry) return 0);
    return bpf_skb_load_bytes(skb, 0, entry, sizeof(*entry));
}

SEC("socket") EXPECT_ACCEPT __naked int into_a_map_value_as_much_as_fits(void)
{
    asm("r6 = r1;" RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values)
        "r0 += r7; r1 = r6; r2 = 0; r3 = r0; r4 = 17; call 26;" RETURN_0);
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int into_a_map_value_variable_and_too_much(void)
{
    asm("r6 = r1;" RANDOM(r7) "r7 &= 15;" LOOKUP_OR_EXIT(values)
        "r0 += r7; r1 = r6; r2 = 0; r3 = r0; r4 = 18; call 26;" RETURN_0);
}

SEC("socket") EXPECT_REJECT("R3") int a_context_as_a_buffer(struct __sk_buff *skb)
{
    return bpf_skb_load_bytes(skb, 0, skb, 8);
}

SEC("socket") EXPECT_REJECT("R1") int a_buffer_as_a_context(struct __sk_buff *skb)
{
    char buffer[8];

    return bpf_skb_load_bytes(buffer, 0, buffer, 8);
}

SEC("socket") EXPECT_ACCEPT int printed(struct __sk_buff *skb)
{
    static const char format[] = "length %u of %d\n";

    return bpf_trace_printk(format, sizeof(format), skb->len, 5);
}

SEC("socket") EXPECT_ACCEPT int printed_into_a_buffer(struct __sk_buff *skb)
{
    static const char format[] = "%u and %d";
    __u64 data[2] = {skb->len, 7};
    char text[32];

    return bpf_snprintf(text, sizeof(text), format, data, sizeof(data));
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int pointers_printed(__u64 *ctx)
{
    static const char format[] = "%p %s";
    struct task_struct *task = (void *)ctx[0];
    __u64 data[2] = {(__u64)task, (__u64)task->comm};
    char text[64];

    return bpf_snprintf(text, sizeof(text), format, data, sizeof(data));
}

SEC("socket") EXPECT_REJECT("const string") int printed_with_a_format_that_changes(struct __sk_buff *skb)
{
    char format[8] = "%u";
    __u64 data = skb->len;
    char text[32];

    return bpf_snprintf(text, sizeof(text), format, &data, sizeof(data));
}

SEC("socket") EXPECT_ACCEPT KERNEL_ALONE("refuses when it is loaded what the helper refuses when it is called") int printed_with_too_few_numbers(struct __sk_buff *skb)
{
    static const char format[] = "%u and %d";
    __u64 data = skb->len;
    char text[32];

    return bpf_snprintf(text, sizeof(text), format, &data, sizeof(data));
}

SEC("socket") EXPECT_ACCEPT int parsed(struct __sk_buff *skb)
{
    char text[8] = "42";
    long number = 0;

    if (bpf_strtol(text, sizeof(text), 10, &number) < 0)
        return 0;
    return number;
}

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} halves SEC(".maps");

SEC("socket") EXPECT_REJECT("invalid access to map value") int parsed_into_too_little(struct __sk_buff *skb)
{
    char text[8] = "42";
    __u32 key = 0, *half = bpf_map_lookup_elem(&halves, &key);

    return half ? bpf_strtol(text, sizeof(text), 10, (long *)half) : 0;
}

SEC("socket") EXPECT_REJECT("misaligned stack access") int parsed_into_half_a_slot(struct __sk_buff *skb)
{
    char text[8] = "42";
    int number = 0;

    return bpf_strtol(text, sizeof(text), 10, (long *)&number);
}

SEC("kprobe/do_nanosleep") EXPECT_ACCEPT int probed(void *ctx)
{
    __u64 word = 0;

    bpf_probe_read_kernel(&word, sizeof(word), (void *)0xffff888000000000);
    return word;
}

SEC("kprobe/do_nanosleep") EXPECT_ACCEPT int probed_with_a_bounded_size(void *ctx)
{
    char buffer[64];
    __u32 size = bpf_get_prandom_u32() & 63;

    bpf_probe_read_kernel(buffer, size, (void *)0xffff888000000000);
    return 0;
}

SEC("kprobe/do_nanosleep") EXPECT_REJECT("unbounded memory access") int probed_with_an_unbounded_size(void *ctx)
{
    char buffer[64];

    bpf_probe_read_kernel(buffer, bpf_get_current_pid_tgid(), (void *)0xffff888000000000);
    return 0;
}

SEC("socket") EXPECT_REJECT("cannot use helper") int a_helper_of_other_programs(struct __sk_buff *skb)
{
    return bpf_xdp_adjust_head((void *)skb, 0);
}

SEC("socket") EXPECT_REJECT("invalid func") __naked int a_helper_that_does_not_exist(void)
{
    asm("call 5000; r0 = 0; exit;");
}

SEC("syscall") EXPECT_ACCEPT int a_helper_that_sleeps_where_it_may(void *ctx)
{
    __u64 word = 0;

    bpf_copy_from_user(&word, sizeof(word), NULL);
    return word != 0;
}

SEC("socket") EXPECT_REJECT("!read_ok") __naked int an_argument_never_set(void)
{
    asm("r1 = values ll; call 1; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("!read_ok") __naked int arguments_are_gone_after_a_call(void)
{
    asm("r2 = 5;" CALL_TIME "r0 = r2; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int saved_registers_stay_after_a_call(void)
{
    asm("r6 = 5;" CALL_TIME "r7 = r6;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT int updated_from_the_stack(struct __sk_buff *skb)
{
    struct entry entry = {.a = 1};
    __u64 key = skb->len;

    return bpf_map_update_elem(&table, &key, &entry, 0);
}

SEC("socket") EXPECT_REJECT("invalid") int updated_from_too_little(struct __sk_buff *skb)
{
    __u64 key = skb->len;

    return bpf_map_update_elem(&table, &key, &key, 0);
}

SEC("socket") EXPECT_ACCEPT int updated_from_another_value(struct __sk_buff *skb)
{
    __u64 key = skb->len, other = 5;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    return entry ? bpf_map_update_elem(&table, &other, entry, 0) : 0;
}

SEC("socket") EXPECT_REJECT("R3 type=scalar expected=fp") __naked int updated_from_nothing(void)
{
    asm("*(u64 *)(r10 - 16) = 1; *(u64 *)(r10 - 8) = 1; r2 = r10; r2 += -8; r3 = 0; r4 = 0; r1 = table ll; call 2;"
        "r0 = 0; exit;");
}
