/* Exercises what compilers emit differently for each version of the instruction set. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
#include "bpf_helpers.h"

struct data {
    signed char c;
    short h;
    int w;
    __u32 u;
    long long d;
    __u64 q;
};

SEC("struct_ops/arithmetic") __u64 arithmetic(struct data *p)
{
    __u64 sum = p->q / 3 + p->q % 7 + (p->u >> 3);
    sum += p->c + p->h + p->w;
    if (p->w < -5 || p->u > 1000 || (p->q & 8))
        sum = -sum;
    if (p->d < 100 && p->u >= 3 && p->w != 4)
        sum ^= __builtin_bswap32(p->u) | __builtin_bswap64(p->q);
#if __BPF_CPU_VERSION__ >= 4
    sum += p->d / 5 + p->w % 9;
#endif
    __sync_fetch_and_add(&p->q, 3);
#if __BPF_CPU_VERSION__ >= 3
    sum += __sync_fetch_and_or(&p->u, 5) + __sync_lock_test_and_set(&p->q, 5);
    sum += __sync_val_compare_and_swap(&p->q, 1, 2);
#endif
    p->h = sum;
    p->c = 7;
    switch (p->u) {
    case 1: return sum * 5;
    case 2: return sum - 99;
    case 17: return (__u32)sum << 9;
    case 1000: return (long long)sum >> 5;
    default: return sum & 0xffffffff00000000ull;
    }
}

char licence[] SEC("license") = "GPL";
