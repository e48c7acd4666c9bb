/* Shared by the programs whose verification is timed: types, maps, and a buffer of input.
 *
 * Every program leaves its context alone and lies in section "tc", so that any kernel loads it and `opsctl check
 * --context none` judges it. A file makes several programs of one kind, different in size, with its own macro. */
#ifndef VERIFIER_BENCH_H
#define VERIFIER_BENCH_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;

#include "bpf_helpers.h"

enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_HASH = 5, BPF_MAP_TYPE_PERCPU_ARRAY = 6,
       BPF_MAP_TYPE_LRU_HASH = 9 };

#define BUFFER_BYTES 4096

struct buffer {
    __u8 bytes[BUFFER_BYTES];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct buffer);
} input SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, __u64[4]);
} table SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

char licence[] SEC("license") = "GPL";

static __always_inline struct buffer *get_input(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&input, &zero);
}

static __always_inline void count(__u32 index)
{
    __u64 *value = bpf_map_lookup_elem(&counters, &index);

    if (value)
        __sync_fetch_and_add(value, 1);
}

/* Keeps the compiler from seeing through a number. */
#define opaque(x) asm volatile("" : "+r"(x))

#define PROGRAM(name) SEC("tc") int name(void *ctx)

#endif
