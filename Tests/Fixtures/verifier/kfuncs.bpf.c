/* Kfuncs by the type of the program: who may call which. */
#include "fixture.h"

struct bpf_cpumask {
    __u32 opaque;
};
struct bpf_crypto_ctx {
    __u32 opaque;
};

extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym __weak;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym __weak;
extern int bpf_strlen(const char *text) __ksym __weak;
extern int bpf_strcmp(const char *a, const char *b) __ksym __weak;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *to) __ksym __weak;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *to) __ksym __weak;
extern struct bpf_crypto_ctx *bpf_crypto_ctx_acquire(struct bpf_crypto_ctx *ctx) __ksym __weak;
extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym __weak;

static const char word[] = "word";
volatile __u64 seen;

static __attribute__((always_inline)) int finds_a_task(void)
{
    struct task_struct *task = bpf_task_from_pid(1);

    if (task)
        bpf_task_release(task);
    return 0;
}

SEC("tc") EXPECT_ACCEPT int a_task_for_a_classifier(void *ctx) { return finds_a_task(); }

SEC("xdp") EXPECT_ACCEPT int a_task_for_xdp(void *ctx) { return finds_a_task(); }

SEC("syscall") EXPECT_ACCEPT int a_task_for_a_syscall(void *ctx) { return finds_a_task(); }

SEC("tracepoint/syscalls/sys_enter_write") EXPECT_ACCEPT int a_task_for_a_tracepoint(void *ctx) { return finds_a_task(); }

SEC("cgroup_skb/egress") EXPECT_ACCEPT int a_task_for_a_cgroup(void *ctx) { return finds_a_task(); }

SEC("socket") EXPECT_REJECT("calling kernel function bpf_task_from_pid is not allowed")
int a_task_for_a_socket_filter(void *ctx) { return finds_a_task(); }

SEC("kprobe/do_nanosleep") EXPECT_REJECT("calling kernel function bpf_task_from_pid is not allowed")
int a_task_for_a_kprobe(void *ctx) { return finds_a_task(); }

SEC("raw_tp/sched_switch") EXPECT_REJECT("calling kernel function bpf_task_from_pid is not allowed")
int a_task_for_a_raw_tracepoint(void *ctx) { return finds_a_task(); }

SEC("sk_msg") EXPECT_REJECT("calling kernel function bpf_task_from_pid is not allowed")
int a_task_for_a_message(void *ctx) { return finds_a_task(); }

static __attribute__((always_inline)) int makes_a_mask(void)
{
    struct bpf_cpumask *mask = bpf_cpumask_create();

    if (mask)
        bpf_cpumask_release(mask);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_mask_for_tracing(void *ctx) { return makes_a_mask(); }

SEC("perf_event") EXPECT_ACCEPT int a_mask_for_an_event(void *ctx) { return makes_a_mask(); }

SEC("tc") EXPECT_REJECT("calling kernel function bpf_cpumask_create is not allowed")
int a_mask_for_a_classifier(void *ctx) { return makes_a_mask(); }

static __attribute__((always_inline)) int views_a_packet(struct __sk_buff *skb)
{
    struct bpf_dynptr packet;
    char byte = 0;

    bpf_dynptr_from_skb(skb, 0, &packet);
    bpf_dynptr_read(&byte, sizeof(byte), &packet, 0, 0);
    return 0;
}

SEC("tc") EXPECT_ACCEPT int a_packet_of_a_classifier(struct __sk_buff *skb) { return views_a_packet(skb); }

SEC("socket") EXPECT_ACCEPT int a_packet_of_a_socket_filter(struct __sk_buff *skb) { return views_a_packet(skb); }

SEC("lwt_xmit") EXPECT_ACCEPT int a_packet_of_a_tunnel(struct __sk_buff *skb) { return views_a_packet(skb); }

SEC("xdp") EXPECT_ACCEPT int a_packet_of_xdp(struct xdp_md *xdp)
{
    struct bpf_dynptr packet;
    char byte = 0;

    bpf_dynptr_from_xdp(xdp, 0, &packet);
    bpf_dynptr_read(&byte, sizeof(byte), &packet, 0, 0);
    return XDP_PASS;
}

SEC("tc") EXPECT_REJECT("calling kernel function bpf_dynptr_from_xdp is not allowed")
int the_wrong_kind_of_packet(struct xdp_md *xdp)
{
    struct bpf_dynptr packet;

    bpf_dynptr_from_xdp(xdp, 0, &packet);
    return 0;
}

SEC("tc") EXPECT_REJECT("calling kernel function tcp_reno_ssthresh is not allowed")
int an_op_of_congestion_control(void *ctx) { return tcp_reno_ssthresh(ctx); }

SEC("tc") EXPECT_REJECT("calling kernel function bpf_crypto_ctx_acquire is not allowed")
int a_context_of_another_type(void *ctx) { return bpf_crypto_ctx_acquire(ctx) != NULL; }

/* Numbers, iterators and strings are for all. */
SEC("socket") EXPECT_ACCEPT int the_length_of_a_string(void *ctx) { return bpf_strlen(word); }

SEC("kprobe/do_nanosleep") EXPECT_ACCEPT int two_strings_compared(void *ctx) { return bpf_strcmp(word, word); }

SEC("sk_lookup") EXPECT_ACCEPT int an_iterator_of_numbers(void *ctx)
{
    int i;

    for_number(i, 0, 5) seen += i;
    return 0;
}
