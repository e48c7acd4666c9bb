/* What BPF C needs beside the kernel's types: attributes, helper functions, map definitions.
 *
 * Include after "vmlinux.h" (or after equivalent definitions of __u32 and __u64). The names are the customary ones, so
 * that sources move between this header and others; the text is ours. Helpers are called by their number in the
 * kernel's UAPI (enum bpf_func_id).
 */
#ifndef OPSD_BPF_HELPERS_H
#define OPSD_BPF_HELPERS_H

/* ---- where things go in the object ---- */
#define SEC(name) __attribute__((section(name), used))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __hidden
#define __hidden __attribute__((visibility("hidden")))
#endif

/* Values of the kernel's configuration; kernel functions and variables. Resolved when the object is loaded. */
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))

/* ---- maps: struct { __uint(type, BPF_MAP_TYPE_ARRAY); __type(value, __u64); ... } name SEC(".maps"); ---- */
#define __uint(name, val) int (*name)[val]
#define __type(name, val) __typeof__(val) *name

/* ---- helpers ---- */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static long (*const bpf_trace_printk)(const char *fmt, __u32 fmt_size, ...) = (void *)6;
static __u32 (*const bpf_get_prandom_u32)(void) = (void *)7;
static __u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;
static long (*const bpf_setsockopt)(void *sk, int level, int optname, void *optval, int optlen) = (void *)49;
static long (*const bpf_getsockopt)(void *sk, int level, int optname, void *optval, int optlen) = (void *)57;
static void *(*const bpf_sk_storage_get)(void *map, void *sk, void *value, __u64 flags) = (void *)107;
static long (*const bpf_sk_storage_delete)(void *map, void *sk) = (void *)108;
static long (*const bpf_tcp_send_ack)(void *tp, __u32 rcv_nxt) = (void *)116;
static __u64 (*const bpf_jiffies64)(void) = (void *)118;
static __u64 (*const bpf_ktime_get_coarse_ns)(void) = (void *)160;
static long (*const bpf_for_each_map_elem)(void *map, void *callback, void *ctx, __u64 flags) = (void *)164;
static long (*const bpf_loop)(__u32 nr_loops, void *callback, void *ctx, __u64 flags) = (void *)181;

/* ---- a struct_ops member with ordinary parameters ----
 *
 * A program gets one pointer, to an array of 8-byte slots with one argument each. OPS_PROG defines such a program from a
 * function with typed parameters (1 to 5), which is inlined into it:
 *
 *     SEC("struct_ops") __u32 OPS_PROG(half_ssthresh, struct sock *sk) { return tcp_sk(sk)->snd_cwnd / 2; }
 */
#define OPS_PROG(name, ...)                                                                 \
    name(unsigned long long *slots);                                                        \
    static __always_inline __typeof__(name((void *)0)) name##_body(__VA_ARGS__);            \
    __typeof__(name((void *)0)) name(unsigned long long *slots)                             \
    {                                                                                       \
        _Pragma("clang diagnostic push")                                                    \
        _Pragma("clang diagnostic ignored \"-Wint-conversion\"")                            \
        return name##_body(OPS_JOIN_(OPS_SLOTS_, OPS_COUNT_(__VA_ARGS__)));                 \
        _Pragma("clang diagnostic pop")                                                     \
    }                                                                                       \
    static __always_inline __typeof__(name((void *)0)) name##_body(__VA_ARGS__)

#define OPS_COUNT_(...) OPS_SIXTH_(__VA_ARGS__, 5, 4, 3, 2, 1)
#define OPS_SIXTH_(a, b, c, d, e, n, ...) n
#define OPS_JOIN_(a, b) OPS_JOIN__(a, b)
#define OPS_JOIN__(a, b) a##b
#define OPS_SLOTS_1 (void *)slots[0]
#define OPS_SLOTS_2 OPS_SLOTS_1, (void *)slots[1]
#define OPS_SLOTS_3 OPS_SLOTS_2, (void *)slots[2]
#define OPS_SLOTS_4 OPS_SLOTS_3, (void *)slots[3]
#define OPS_SLOTS_5 OPS_SLOTS_4, (void *)slots[4]

/* ---- bit fields of kernel objects ----
 *
 * Where a bit field lies differs between kernels, and an ordinary access has its place compiled in. FIELD_BITS asks the
 * loader for byte offset (0), size (1), signedness (3) and the two shifts (4, 5) of the field as it is there.
 */
#define FIELD_BITS(object, field)                                                                          \
    ({                                                                                                     \
        const char *place_ = (const char *)(object) + __builtin_preserve_field_info((object)->field, 0);   \
        unsigned long long bits_ = 0;                                                                      \
        switch (__builtin_preserve_field_info((object)->field, 1)) {                                       \
        case 1: bits_ = *(const unsigned char *)place_; break;                                             \
        case 2: bits_ = *(const unsigned short *)place_; break;                                            \
        case 4: bits_ = *(const unsigned int *)place_; break;                                              \
        case 8: bits_ = *(const unsigned long long *)place_; break;                                        \
        }                                                                                                  \
        bits_ <<= __builtin_preserve_field_info((object)->field, 4);                                       \
        if (__builtin_preserve_field_info((object)->field, 3))                                             \
            bits_ = (long long)bits_ >> __builtin_preserve_field_info((object)->field, 5);                 \
        else                                                                                               \
            bits_ >>= __builtin_preserve_field_info((object)->field, 5);                                   \
        bits_;                                                                                             \
    })

#endif
