/* The context of each kind of program: what may be read and written, at which size. */
#include "fixture.h"

SEC("socket") EXPECT_ACCEPT int fields(struct __sk_buff *skb) { return skb->len + skb->protocol + skb->cb[4]; }

SEC("socket") EXPECT_ACCEPT int control_buffer_written(struct __sk_buff *skb)
{
    skb->cb[0] = skb->len;
    return 0;
}

SEC("socket") EXPECT_REJECT("bpf_context") int the_length_written(struct __sk_buff *skb)
{
    skb->len = 4;
    return 0;
}

SEC("socket") EXPECT_REJECT("bpf_context") int the_mark_written_by_a_socket_filter(struct __sk_buff *skb)
{
    skb->mark = 4;
    return 0;
}

SEC("tc") EXPECT_ACCEPT int the_mark_written_by_tc(struct __sk_buff *skb)
{
    skb->mark = 4;
    skb->priority = 1;
    return 0;
}

SEC("socket") EXPECT_REJECT("bpf_context") int behind_the_end(struct __sk_buff *skb)
{
    return *(volatile __u32 *)((void *)skb + sizeof(*skb) + 4);
}

SEC("socket") EXPECT_REJECT("bpf_context") int before_the_start(struct __sk_buff *skb)
{
    return *(volatile __u32 *)((void *)skb - 4);
}

SEC("socket") EXPECT_REJECT("bpf_context") __naked int across_two_fields(void)
{
    asm("r0 = *(u64 *)(r1 + 0); exit;");
}

SEC("socket") EXPECT_ACCEPT __naked int a_byte_of_a_field(void) { asm("r0 = *(u8 *)(r1 + 0); exit;"); }

SEC("socket") EXPECT_REJECT("bpf_context") __naked int a_byte_of_the_control_buffer_written_misaligned(void)
{
    asm("r2 = 0; *(u32 *)(r1 + 50) = r2; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("ctx") __naked int a_variable_offset(void)
{
    asm("r6 = r1;" RANDOM(r7) "r7 &= 4; r6 += r7; r0 = *(u32 *)(r6 + 0); exit;");
}

SEC("socket") EXPECT_REJECT("modified ctx") __naked int a_constant_offset_in_the_pointer(void)
{
    asm("r1 += 4; r0 = *(u32 *)(r1 + 0); exit;");
}

SEC("tc") EXPECT_REJECT("modified ctx") __naked int a_moved_context_for_a_helper(void)
{
    asm("r1 += 4; r2 = 64; call 39; r0 = 0; exit;");
}

SEC("socket") EXPECT_REJECT("ctx") __naked int an_atomic_on_the_context(void)
{
    asm("r2 = 1; lock *(u32 *)(r1 + 48) += r2; r0 = 0; exit;");
}

SEC("xdp") EXPECT_ACCEPT int xdp_fields(struct xdp_md *xdp)
{
    return xdp->ingress_ifindex == 3 && xdp->rx_queue_index == 0 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") EXPECT_REJECT("bpf_context") int xdp_field_written(struct xdp_md *xdp)
{
    xdp->ingress_ifindex = 1;
    return XDP_PASS;
}

SEC("xdp") EXPECT_REJECT("bpf_context") __naked int xdp_field_in_a_byte(void)
{
    asm("r0 = *(u8 *)(r1 + 12); exit;");
}

SEC("kprobe/do_nanosleep") EXPECT_ACCEPT __naked int registers_of_a_probe(void)
{
    asm("r1 = *(u64 *)(r1 + 112); r0 = 0; exit;");
}

SEC("kprobe/do_nanosleep") EXPECT_REJECT("bpf_context") __naked int behind_the_registers_of_a_probe(void)
{
    asm("r1 = *(u64 *)(r1 + 168); r0 = 0; exit;");
}

SEC("kprobe/do_nanosleep") EXPECT_REJECT("bpf_context") __naked int registers_of_a_probe_written(void)
{
    asm("r2 = 0; *(u64 *)(r1 + 112) = r2; r0 = 0; exit;");
}

SEC("raw_tp/sched_switch") EXPECT_ACCEPT __naked int raw_arguments_are_numbers(void)
{
    asm("r1 = *(u64 *)(r1 + 8); r0 = 0; exit;");
}

SEC("raw_tp/sched_switch") EXPECT_REJECT("invalid mem access 'scalar'") __naked int raw_arguments_are_no_pointers(void)
{
    asm("r1 = *(u64 *)(r1 + 8); r0 = *(u32 *)(r1 + 0); exit;");
}

SEC("tp/sched/sched_switch") EXPECT_ACCEPT __naked int a_trace_record(void)
{
    asm("r0 = *(u64 *)(r1 + 8); r0 = 0; exit;");
}

SEC("tp/sched/sched_switch") EXPECT_REJECT("bpf_context") __naked int a_trace_record_written(void)
{
    asm("r2 = 0; *(u64 *)(r1 + 8) = r2; r0 = 0; exit;");
}

SEC("fentry/do_nanosleep") EXPECT_ACCEPT __naked int an_argument_of_a_traced_function(void)
{
    asm("r2 = *(u64 *)(r1 + 8); r0 = 0; exit;");
}

SEC("fentry/do_nanosleep") EXPECT_REJECT("invalid bpf_context access") __naked int an_argument_too_many(void)
{
    asm("r2 = *(u64 *)(r1 + 16); r0 = 0; exit;");
}

SEC("fexit/do_nanosleep") EXPECT_ACCEPT __naked int the_result_of_a_traced_function(void)
{
    asm("r2 = *(u64 *)(r1 + 16); r0 = 0; exit;");
}

SEC("fentry/do_nanosleep") EXPECT_REJECT("context") __naked int half_an_argument_misplaced(void)
{
    asm("r2 = *(u32 *)(r1 + 4); r0 = 0; exit;");
}

SEC("syscall") EXPECT_ACCEPT __naked int memory_of_a_syscall_program(void)
{
    asm("r2 = *(u32 *)(r1 + 4); *(u32 *)(r1 + 8) = r2; r0 = 0; exit;");
}

SEC("tracepoint/sched/sched_switch") EXPECT_ACCEPT int returns_a_number(void *ctx) { return 7; }

SEC("xdp") EXPECT_REJECT("R0") __naked int no_result(void) { asm("exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int an_address_as_result(void) { asm("r0 = r1; exit;"); }

SEC("fentry/do_nanosleep") EXPECT_REJECT("R0") __naked int a_result_other_than_zero(void) { asm("r0 = 1; exit;"); }

SEC("lsm/file_open") EXPECT_ACCEPT __naked int an_error_from_a_hook(void) { asm("r0 = -1; exit;"); }

/* As clang returns -1: the upper half is zero. */
SEC("lsm/file_open") EXPECT_ACCEPT __naked int an_error_in_the_lower_half(void) { asm("w0 = -1; exit;"); }

SEC("lsm/file_open") EXPECT_REJECT("R0") __naked int a_positive_result_from_a_hook(void) { asm("r0 = 1; exit;"); }

SEC("lsm/file_open") EXPECT_REJECT("R0") __naked int any_result_from_a_hook(void)
{
    asm(RANDOM(r7) "r0 = r7; exit;");
}

SEC("cgroup_skb/egress") EXPECT_ACCEPT int allows(struct __sk_buff *skb) { return 1; }

SEC("cgroup_skb/egress") EXPECT_REJECT("R0") int a_verdict_out_of_range(struct __sk_buff *skb) { return 4; }

/* Strings of a tracepoint lie at an offset that its record holds: moved there, the context is a number for a helper. */
SEC("tracepoint/syscalls/sys_enter_write") EXPECT_ACCEPT __naked int a_moved_context_as_a_number(void)
{
    asm("r6 = r1;" CALL_RANDOM "r0 &= 255; r3 = r6; r3 += r0; r1 = r10; r1 += -8; r2 = 8; call 45;" RETURN_0);
}

SEC("tracepoint/syscalls/sys_enter_write") EXPECT_REJECT("variable ctx access") __naked int a_moved_context_read(void)
{
    asm("r6 = r1;" CALL_RANDOM "r0 &= 8; r6 += r0; r0 = *(u64 *)(r6 + 0);" RETURN_0);
}

SEC("tc") EXPECT_REJECT("variable ctx access") __naked int a_moved_context_written(void)
{
    asm("r6 = r1;" CALL_RANDOM "r0 &= 8; r6 += r0; *(u32 *)(r6 + 8) = 1;" RETURN_0);
}

SEC("tc") EXPECT_REJECT("variable ctx access") __naked int a_context_moved_by_a_number_for_a_helper(void)
{
    asm("r6 = r1;" CALL_RANDOM "r0 &= 8; r6 += r0; r1 = r6; r2 = 0; call 39;" RETURN_0);
}

SEC("tracepoint/syscalls/sys_enter_write") EXPECT_REJECT("unbounded min value") __naked int a_context_moved_anywhere(void)
{
    asm("r6 = r1;" CALL_RANDOM "r6 += r0;" RETURN_0);
}
