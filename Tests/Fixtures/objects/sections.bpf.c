/* One of everything that an object can contain, with types of its own: needs no vmlinux.h. */
typedef unsigned char __u8;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef _Bool bool;
#include "bpf_helpers.h"

struct sock;
struct tcp_congestion_ops {
    __u32 (*ssthresh)(struct sock *sk);
    void (*init)(struct sock *sk);
    __u32 flags;
    char name[16];
};

extern int CONFIG_HZ __kconfig;
extern bool CONFIG_TCP_CONG_CUBIC __kconfig __weak;
extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym;
extern void no_such_kfunc(struct sock *sk) __ksym __weak;

struct {
    __uint(type, 2);
    __type(key, __u32);
    __type(value, __u64);
    __uint(max_entries, 4);
} counters SEC(".maps");

struct {
    __uint(type, 24);
    __uint(map_flags, 1);
    __type(key, int);
    __type(value, __u64);
} storage SEC(".maps");

__u64 calls;
__u64 limit = 5;
static volatile int step = 9;
const volatile int factor = 7;

static long on_turn(__u32 index, void *context) { return index > 3; }
static __noinline int scaled(int value) { return value * factor + step; }
__noinline int tripled(int value) { return value * 3 + scaled(value); }
static __noinline int unused_by_ssthresh(int value) { return tripled(value) + 1; }

SEC("struct_ops") void sections_init(__u64 *slots)
{
    __u32 key = 1;
    __u64 *value = bpf_map_lookup_elem(&counters, &key);
    if (value)
        *value += CONFIG_HZ + CONFIG_TCP_CONG_CUBIC;
    calls++;
    limit += unused_by_ssthresh(calls);
    bpf_loop(5, on_turn, 0, 0);
    if (no_such_kfunc)
        no_such_kfunc((struct sock *)slots[0]);
    bpf_trace_printk("turn %d", 8, key);
}

SEC("struct_ops/ssthresh") __u32 sections_ssthresh(__u64 *slots)
{
    return tcp_reno_ssthresh((struct sock *)slots[0]) + scaled(1);
}

SEC("?struct_ops.s/init") void sections_sleepable(__u64 *slots) {}

SEC(".struct_ops")
struct tcp_congestion_ops first = {
    .ssthresh = (void *)sections_ssthresh, .init = (void *)sections_init, .flags = 2, .name = "first"};
static SEC(".struct_ops.link")
struct tcp_congestion_ops linked = {.ssthresh = (void *)sections_ssthresh, .name = "linked"};
SEC("?.struct_ops.link")
struct tcp_congestion_ops optional = {.init = (void *)sections_sleepable, .name = "optional"};

char licence[] SEC("license") = "Dual MIT/GPL";
