/* Calls between functions: what goes in and out, recursion, depth, the stack of a chain. */
#include "fixture.h"

SUBPROG __u64 returns_seven(void) { asm("r0 = 7; exit;"); }
SUBPROG __u64 returns_its_argument(void) { asm("r0 = r1; exit;"); }
SUBPROG __u64 spoils_everything(void) { asm("r1 = 0; r2 = 0; r3 = 0; r4 = 0; r5 = 0; r6 = 1000; r7 = 1000; r0 = 0; exit;"); }
SUBPROG __u64 reads_its_argument(void) { asm("r0 = *(u64 *)(r1 + 0); exit;"); }
SUBPROG __u64 reads_a_saved_register(void) { asm("r0 = r6; exit;"); }
SUBPROG __u64 leaves_no_result(void) { asm("r1 = 5; exit;"); }
SUBPROG __u64 calls_itself(void) { asm("call calls_itself; r0 = 0; exit;"); }
SUBPROG __u64 pong(void);
SUBPROG __u64 ping(void) { asm("call pong; r0 = 0; exit;"); }
SUBPROG __u64 pong(void) { asm("call ping; r0 = 0; exit;"); }
SUBPROG __u64 own_stack(void) { asm("r0 = r10; exit;"); }
SUBPROG __u64 uses_200_bytes(void) { asm("*(u64 *)(r10 - 200) = 0; r0 = 0; exit;"); }
SUBPROG __u64 uses_300_bytes(void) { asm("*(u64 *)(r10 - 304) = 0; r0 = 0; exit;"); }
SUBPROG __u64 uses_300_bytes_more(void) { asm("*(u64 *)(r10 - 304) = 0; call uses_300_bytes; r0 = 0; exit;"); }
SUBPROG __u64 deep7(void) { asm("r0 = 0; exit;"); }
SUBPROG __u64 deep6(void) { asm("call deep7; exit;"); }
SUBPROG __u64 deep5(void) { asm("call deep6; exit;"); }
SUBPROG __u64 deep4(void) { asm("call deep5; exit;"); }
SUBPROG __u64 deep3(void) { asm("call deep4; exit;"); }
SUBPROG __u64 deep2(void) { asm("call deep3; exit;"); }
SUBPROG __u64 deep1(void) { asm("call deep2; exit;"); }
SUBPROG __u64 deep0(void) { asm("call deep1; exit;"); }
SUBPROG __u64 finds(void) { asm(LOOKUP(values) "exit;"); }
SUBPROG __u64 bounds(void) { asm("r0 = r1; if r0 <= 31 goto +1; r0 = 0; exit;"); }
SUBPROG __u64 takes_the_caller_s_pointer(void) { asm("*(u64 *)(r1 + 0) = 5; r0 = r1; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int a_known_result(void) { asm("call returns_seven; r7 = r0;" INDEX(r7)); }

SEC("socket") EXPECT_ACCEPT __naked int a_bounded_argument_comes_back(void)
{
    asm(RANDOM(r7) "r7 &= 31; r1 = r7; call returns_its_argument; r7 = r0;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to map value") __naked int an_argument_out_of_bounds_comes_back(void)
{
    asm("r1 = 32; call returns_its_argument; r7 = r0;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int each_call_is_seen_for_itself(void)
{
    asm("r1 = 700; call returns_its_argument; r1 = 7; call returns_its_argument; r7 = r0;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int saved_registers_survive(void)
{
    asm("r6 = 3; r7 = 4; call spoils_everything; r7 += r6;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("R1 !read_ok") __naked int arguments_do_not_survive(void)
{
    asm("r1 = 1; call returns_seven; r0 = r1; exit;");
}

SEC("socket") EXPECT_REJECT("!read_ok") __naked int a_callee_reads_a_saved_register(void)
{
    asm("r6 = 1; call reads_a_saved_register; exit;");
}

SEC("socket") EXPECT_REJECT("R0 !read_ok") __naked int a_result_that_was_never_set(void)
{
    asm("r0 = 1; call leaves_no_result; r7 = r0;" INDEX(r7));
}

SEC("socket") EXPECT_ACCEPT __naked int a_pointer_to_the_stack(void)
{
    asm("*(u64 *)(r10 - 8) = 9; r1 = r10; r1 += -8; call reads_its_argument; r7 = r0;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("R1 invalid mem access 'scalar'") __naked int a_number_where_a_pointer_is_wanted(void)
{
    asm("r1 = 8; call reads_its_argument; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("map_value_or_null") __naked int a_maybe_null_argument(void)
{
    asm(LOOKUP(values) "r1 = r0; call reads_its_argument; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_maybe_null_result_tested(void)
{
    asm("call finds; if r0 == 0 goto 1f; r0 = *(u64 *)(r0 + 0);" END);
}

SEC("socket") EXPECT_REJECT("map_value_or_null") __naked int a_maybe_null_result_not_tested(void)
{
    asm("call finds; r0 = *(u64 *)(r0 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_check_in_a_callee(void)
{
    asm(RANDOM(r7) "r1 = r7; call bounds; r7 = r0;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_check_in_a_callee_says_nothing_of_the_original(void)
{
    asm(RANDOM(r7) "r1 = r7; r1 += 1; call bounds;" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("cannot return stack pointer to the caller")
__naked int a_pointer_to_the_caller_s_stack_comes_back(void)
{
    asm("*(u64 *)(r10 - 8) = 0; r1 = r10; r1 += -8; call takes_the_caller_s_pointer; r7 = *(u64 *)(r0 + 0);" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("cannot return stack pointer to the caller") __naked int a_pointer_to_the_callee_s_stack(void)
{
    asm("call own_stack; r0 = *(u64 *)(r0 - 8); exit;");
}

SEC("socket") EXPECT_REJECT("recursive call of") __naked int direct_recursion(void) { asm("r1 = 0; call calls_itself; r0 = 0; exit;"); }

SEC("socket") EXPECT_REJECT("recursive call of") __naked int mutual_recursion(void) { asm("r1 = 0; call ping; r0 = 0; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int eight_frames(void) { asm("call deep1; exit;"); }

SEC("socket") EXPECT_REJECT("too deep") __naked int nine_frames(void) { asm("call deep0; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int the_stack_of_a_chain_fits(void)
{
    asm("*(u64 *)(r10 - 200) = 0; call uses_300_bytes; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("combined stack size") __naked int the_stack_of_a_chain_is_too_large(void)
{
    asm("*(u64 *)(r10 - 256) = 0; call uses_300_bytes; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("combined stack size") __naked int the_stack_of_a_longer_chain_is_too_large(void)
{
    asm("call uses_300_bytes_more; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int siblings_share_the_stack(void)
{
    asm("*(u64 *)(r10 - 200) = 0; call uses_300_bytes; call uses_300_bytes; call uses_200_bytes; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int the_stack_pointer_of_each_frame_is_its_own(void)
{
    asm("*(u64 *)(r10 - 8) = 5; call uses_200_bytes; r7 = *(u64 *)(r10 - 8);" INDEX(r7));
}

/* ---- global functions: judged once, by their prototype ---- */

__noinline __u64 global_any(__u64 x) { return x * 2; }
__noinline int global_reads(struct entry *entry)
{
    return entry ? entry->c : 0;
}
__noinline int global_reads_untested(struct entry *entry) { return entry->c; }
__noinline int global_reads_nonnull(struct entry *entry __arg("nonnull")) { return entry->c; }
__noinline int global_reads_context(struct __sk_buff *skb) { return skb->len; }
__noinline int global_tagged_context(void *ctx __arg("ctx")) { return ((struct __sk_buff *)ctx)->len; }
__noinline int global_writes(__u64 *to)
{
    if (to)
        *to = 5;
    return 0;
}
__noinline int global_too_far(__u32 *p) { return p ? p[1] : 0; }
__noinline int global_never_called_and_wrong(__u64 *p) { return p[0]; }
__noinline int global_of_two(int x, struct entry *entry)
{
    if (!entry || x < 0 || x > 7)
        return 0;
    return entry->bytes[x];
}
__noinline int global_pointer_tag(struct task_struct *task __arg("trusted")) { return task->pid; }
__noinline int global_nullable_tag(struct task_struct *task __arg("trusted") __arg("nullable")) { return task ? task->pid : 0; }
__noinline int global_nullable_tag_untested(struct task_struct *task __arg("trusted") __arg("nullable")) { return task->pid; }

SEC("socket") EXPECT_ACCEPT int calls_global_any(struct __sk_buff *skb) { return global_any(skb->len); }

SEC("socket") EXPECT_REJECT("unbounded") int a_global_function_s_result_is_unknown(struct __sk_buff *skb)
{
    __u64 i = global_any(2);
    __u32 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&values, &key);

    return entry ? entry->bytes[i] : 0;
}

SEC("socket") EXPECT_ACCEPT int memory_for_a_global_function(struct __sk_buff *skb)
{
    struct entry entry = {.c = skb->len};

    return global_reads(&entry);
}

SEC("socket") EXPECT_ACCEPT int null_for_a_global_function(struct __sk_buff *skb) { return global_reads(NULL); }

SEC("socket") EXPECT_REJECT("invalid read from stack") int too_little_memory_for_a_global_function(struct __sk_buff *skb)
{
    __u64 small[2] = {1, skb->len};

    return global_reads((void *)small);
}

SEC("socket") EXPECT_REJECT("mem_or_null") SUGGESTS("if (!p) return 0;") int a_global_function_does_not_test(struct __sk_buff *skb)
{
    struct entry entry = {.c = skb->len};

    return FIX(global_reads_untested, global_reads)(&entry);
}

SEC("socket") EXPECT_ACCEPT int a_nonnull_argument(struct __sk_buff *skb)
{
    struct entry entry = {.c = skb->len};

    return global_reads_nonnull(&entry);
}

SEC("socket") EXPECT_REJECT("map_value_or_null expected=mem") int null_for_a_nonnull_argument(struct __sk_buff *skb)
{
    __u64 key = skb->len;

    return global_reads_nonnull(bpf_map_lookup_elem(&table, &key));
}

/* The function reads through it untested: that is what the tag says. */
SEC("socket") EXPECT_REJECT("R1 type=scalar expected=fp") KERNEL_ACCEPTS("takes the constant NULL for any memory, whatever its tag")
__naked int the_constant_null_for_a_nonnull_argument(void)
{
    asm("r1 = 0; call global_reads_nonnull; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int unwritten_memory_for_a_global_function(void)
{
    asm("r1 = r10; r1 += -32; call global_reads; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT int a_context_by_its_type(struct __sk_buff *skb) { return global_reads_context(skb); }

SEC("socket") EXPECT_ACCEPT int a_context_by_its_tag(struct __sk_buff *skb) { return global_tagged_context(skb); }

SEC("socket") EXPECT_REJECT("expected pointer to ctx") int something_else_for_a_context(struct __sk_buff *skb)
{
    struct __sk_buff copy = {};

    return global_reads_context(&copy);
}

SEC("socket") EXPECT_REJECT("unbounded") __naked int a_global_function_spoils_memory_it_gets(void)
{
    asm("*(u64 *)(r10 - 16) = 3; r1 = r10; r1 += -16; call global_writes; r7 = *(u64 *)(r10 - 16);" INDEX(r7));
}

SEC("socket") EXPECT_REJECT("invalid access to mem") int a_global_function_reads_too_far(struct __sk_buff *skb)
{
    __u32 two[2] = {skb->len, 1};

    return global_too_far(two);
}

SEC("socket") EXPECT_ACCEPT int a_wrong_global_function_that_is_not_called(struct __sk_buff *skb) { return 0; }

SEC("socket") EXPECT_ACCEPT int several_arguments(struct __sk_buff *skb)
{
    struct entry entry = {.c = skb->len};

    return global_of_two(skb->mark, &entry);
}

SEC("socket") EXPECT_REJECT("is not a scalar") __naked int an_address_where_a_number_is_wanted(void)
{
    asm("call global_any; r0 = 0; exit;");
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_trusted_argument(__u64 *ctx)
{
    return global_pointer_tag((void *)ctx[0]);
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("expected=trusted_ptr_task_struct") KERNEL_ACCEPTS("hands a walked pointer to a function that trusts it")
int a_walked_pointer_for_a_trusted_argument(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return global_pointer_tag(task->parent);
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_nullable_trusted_argument(__u64 *ctx)
{
    return global_nullable_tag((void *)ctx[0]);
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("ptr_or_null") int a_nullable_trusted_argument_not_tested(__u64 *ctx)
{
    return global_nullable_tag_untested((void *)ctx[0]);
}
