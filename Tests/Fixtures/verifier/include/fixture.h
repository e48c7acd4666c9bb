/* What the verifier's fixtures share: types, helpers, short words for exact instructions, and the marks that say what
 * each program is expected to be judged. The marks become btf_decl_tags, so an object describes itself.
 *
 *     SEC("socket") EXPECT_REJECT("unbounded") __naked int name(void) { asm(...); }
 *
 * EXPECT_ACCEPT               accepted here and by the kernel
 * EXPECT_REJECT("part")       refused by both; `part` occurs in the problem that our report states
 * EXPECT_UNSUPPORTED("part")  `unsupported` here; the kernel's verdict must be given
 * KERNEL_ACCEPTS("reason")    the kernel's verdict where it is another one than ours, and why
 * KERNEL_REJECTS("reason")
 * KERNEL_ALONE("reason")      the kernel's refusal is none of safety: a limit or policy of its own
 * SUGGESTS("part")            `part` occurs in the report's suggestion; compiled with -DFIXED the program follows it,
 *                             and is accepted by both
 *
 * Structs of the running kernel are declared as far as they are used, with preserve_access_index: CO-RE finds the rest.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef _Bool bool;
#define NULL ((void *)0)
#define true 1
#define false 0

#include "bpf_helpers.h"

#define MARK_(text) __attribute__((btf_decl_tag(text)))
#define EXPECT_ACCEPT MARK_("expect:accept")
#define EXPECT_REJECT(part) MARK_("expect:reject:" part)
#define EXPECT_UNSUPPORTED(part) MARK_("expect:unsupported:" part)
#define KERNEL_ACCEPTS(reason) MARK_("kernel:accept:" reason)
#define KERNEL_REJECTS(reason) MARK_("kernel:reject:" reason)
#define KERNEL_ALONE(reason) MARK_("kernel:alone:" reason)
#define SUGGESTS(part) MARK_("suggests:" part)

/* The two forms of a program that carries SUGGESTS. */
#ifdef FIXED
#define FIX(broken, fixed) fixed
#else
#define FIX(broken, fixed) broken
#endif

#define __naked __attribute__((naked))
/* A function that only exact instructions call; declared without parameters, which would have no name in the BTF. */
#define SUBPROG static __attribute__((naked, noinline, used))
#define __arg(tag) __attribute__((btf_decl_tag("arg:" tag)))
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __contains(type, field) __attribute__((btf_decl_tag("contains:" #type ":" #field)))
#define barrier(value) asm volatile("" : "+r"(value))

/* ---- exact instructions ---- */
#define CALL_LOOKUP "call 1;"
#define CALL_UPDATE "call 2;"
#define CALL_TIME "call 5;"
#define CALL_PRINT "call 6;"
#define CALL_RANDOM "call 7;"
/* R0 = value of the entry with the key 0, or NULL. The key goes to R10-8. */
#define LOOKUP(map) "*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r1 = " #map " ll; call 1;"
/* R0 = the entry's value: a program that finds none ends with 0. */
#define LOOKUP_OR_EXIT(map) LOOKUP(map) "if r0 != 0 goto +1; exit;"
#define RETURN_0 "r0 = 0; exit;"
#define RANDOM(reg) CALL_RANDOM #reg " = r0;"
/* Reads the byte at the offset that is in `reg` (r6 to r9) of a value of 32 bytes. Jumps to `1f` end up behind it. */
#define INDEX(reg) LOOKUP_OR_EXIT(values) "r0 += " #reg "; r0 = *(u8 *)(r0 + 0);" END
#define END "1: r0 = 0; exit;"

/* ---- map types, flags, answers ---- */
enum {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PROG_ARRAY = 3,
    BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
    BPF_MAP_TYPE_PERCPU_HASH = 5,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_STACK_TRACE = 7,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_LPM_TRIE = 11,
    BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
    BPF_MAP_TYPE_HASH_OF_MAPS = 13,
    BPF_MAP_TYPE_SOCKMAP = 15,
    BPF_MAP_TYPE_QUEUE = 22,
    BPF_MAP_TYPE_STACK = 23,
    BPF_MAP_TYPE_SK_STORAGE = 24,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_F_NO_PREALLOC = 1, BPF_F_RDONLY_PROG = 1 << 7, BPF_F_WRONLY_PROG = 1 << 8 };
enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX };

/* ---- contexts, as programs see them ---- */
struct __sk_buff {
    __u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
    __u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
    __u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
    __u64 flow_keys, tstamp;
    __u32 wire_len, gso_segs;
    __u64 sk;
    __u32 gso_size;
};
struct xdp_md {
    __u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

/* ---- what lies in map values and on the stack ---- */
struct bpf_spin_lock {
    __u32 val;
};
struct bpf_timer {
    __u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_dynptr {
    __u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_head {
    __u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_node {
    __u64 opaque[3];
} __attribute__((aligned(8)));
struct bpf_rb_root {
    __u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_rb_node {
    __u64 opaque[4];
} __attribute__((aligned(8)));
struct bpf_refcount {
    __u32 opaque[1];
} __attribute__((aligned(4)));
struct bpf_iter_num {
    __u64 opaque[1];
} __attribute__((aligned(8)));

/* ---- the kernel's objects ---- */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mm_struct;
typedef struct {
    __u64 val;
} kernel_cap_t;
struct cred {
    __u32 uid;
    kernel_cap_t cap_permitted;
};
struct css_set;
struct task_struct {
    int pid, tgid, prio;
    char comm[16];
    struct task_struct *real_parent, *parent, *group_leader;
    struct mm_struct *mm;
    const struct cred *cred;
    struct css_set *cgroups;
    __u64 start_time;
};
struct cgroup {
    int level, max_depth;
};
struct css_set {
    struct cgroup *dfl_cgrp;
};
struct sock_common {
    __u16 skc_family;
    volatile unsigned char skc_state;
};
struct sock {
    struct sock_common __sk_common;
    __u32 sk_mark;
    int sk_rcvbuf;
};
struct net_device {
    int ifindex;
    __u32 mtu;
    char name[16];
};
struct sk_buff {
    __u32 len, data_len;
    struct sock *sk;
    struct net_device *dev;
};
struct file {
    unsigned int f_flags;
    struct inode *f_inode;
};
struct inode {
    unsigned long i_ino;
};
struct bpf_cpumask;
struct cpumask;
#pragma clang attribute pop

/* ---- helpers beyond those of the examples ---- */
static long (*const bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static long (*const bpf_tail_call)(void *ctx, void *map, __u32 index) = (void *)12;
static __u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*const bpf_get_current_comm)(void *to, __u32 size) = (void *)16;
static long (*const bpf_perf_event_output)(void *ctx, void *map, __u64 flags, void *data, __u64 size) = (void *)25;
static long (*const bpf_skb_load_bytes)(const void *skb, __u32 offset, void *to, __u32 size) = (void *)26;
static long (*const bpf_skb_store_bytes)(void *skb, __u32 at, const void *from, __u32 size, __u64 flags) = (void *)9;
static __s64 (*const bpf_csum_diff)(__u32 *from, __u32 from_size, __u32 *to, __u32 to_size, __u32 seed) = (void *)28;
static long (*const bpf_skb_pull_data)(struct __sk_buff *skb, __u32 size) = (void *)39;
static long (*const bpf_xdp_adjust_head)(struct xdp_md *xdp, int delta) = (void *)44;
static void *(*const bpf_sk_lookup_tcp)(void *ctx, void *tuple, __u32 size, __u64 netns, __u64 flags) = (void *)84;
static long (*const bpf_sk_release)(void *sock) = (void *)86;
static long (*const bpf_map_push_elem)(void *map, const void *value, __u64 flags) = (void *)87;
static long (*const bpf_map_pop_elem)(void *map, void *value) = (void *)88;
static long (*const bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *)93;
static long (*const bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *)94;
static void *(*const bpf_sk_fullsock)(void *sk) = (void *)95;
static long (*const bpf_strtol)(const char *text, __u64 size, __u64 flags, long *result) = (void *)105;
static long (*const bpf_ringbuf_output)(void *ringbuf, void *data, __u64 size, __u64 flags) = (void *)130;
static void *(*const bpf_ringbuf_reserve)(void *ringbuf, __u64 size, __u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;
static void (*const bpf_ringbuf_discard)(void *data, __u64 flags) = (void *)133;
static long (*const bpf_copy_from_user)(void *to, __u32 size, const void *from) = (void *)148;
static void *(*const bpf_per_cpu_ptr)(const void *variable, __u32 cpu) = (void *)153;
static void *(*const bpf_task_storage_get)(void *map, void *task, void *value, __u64 flags) = (void *)156;
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;
static long (*const bpf_snprintf)(char *to, __u32 size, const char *format, __u64 *data, __u32 data_size) = (void *)165;
static long (*const bpf_timer_init)(struct bpf_timer *timer, void *map, __u64 flags) = (void *)169;
static long (*const bpf_timer_set_callback)(struct bpf_timer *timer, void *callback) = (void *)170;
static long (*const bpf_timer_start)(struct bpf_timer *timer, __u64 nanoseconds, __u64 flags) = (void *)171;
static long (*const bpf_timer_cancel)(struct bpf_timer *timer) = (void *)172;
static long (*const bpf_strncmp)(const char *a, __u32 size, const char *b) = (void *)182;
static void *(*const bpf_kptr_xchg)(void *place, void *pointer) = (void *)194;
static long (*const bpf_dynptr_from_mem)(void *data, __u32 size, __u64 flags, struct bpf_dynptr *to) = (void *)197;
static long (*const bpf_ringbuf_reserve_dynptr)(void *map, __u32 size, __u64 flags, struct bpf_dynptr *to) = (void *)198;
static void (*const bpf_ringbuf_submit_dynptr)(struct bpf_dynptr *dynptr, __u64 flags) = (void *)199;
static void (*const bpf_ringbuf_discard_dynptr)(struct bpf_dynptr *dynptr, __u64 flags) = (void *)200;
static long (*const bpf_dynptr_read)(void *to, __u32 size, const struct bpf_dynptr *from, __u32 at, __u64 flags) =
    (void *)201;
static long (*const bpf_dynptr_write)(const struct bpf_dynptr *to, __u32 at, void *from, __u32 size, __u64 flags) =
    (void *)202;
static void *(*const bpf_dynptr_data)(const struct bpf_dynptr *dynptr, __u32 at, __u32 size) = (void *)203;

/* ---- kfuncs ---- */
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym __weak;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym __weak;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym __weak;
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym __weak;
extern void bpf_cgroup_release(struct cgroup *cgroup) __ksym __weak;

#define for_number(i, first, end)                                                                           \
    for (struct bpf_iter_num it_ __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),                \
         *end_ __attribute__((unused)) = (bpf_iter_num_new(&it_, (first), (end)), (void *)0);               \
         ({                                                                                                 \
             int *p_ = bpf_iter_num_next(&it_);                                                             \
             p_ ? (i = *p_, 1) : 0;                                                                         \
         });)

/* ---- maps that most fixtures use ---- */
struct entry {
    __u64 a, b;
    __u32 c, d;
    __u8 bytes[8];
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, struct entry);
} values SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, __u64);
    __type(value, struct entry);
} table SEC(".maps");

char _license[] SEC("license") = "GPL";

#endif
