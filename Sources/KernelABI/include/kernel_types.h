#ifndef OPSD_KERNEL_TYPES_H
#define OPSD_KERNEL_TYPES_H

#ifdef __bpf__
typedef _Bool bool;
typedef unsigned long size_t;
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;

typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;

typedef __u16 __be16;
typedef __u32 __be32;

typedef struct {
    int counter;
} atomic_t;

typedef struct refcount_struct {
    atomic_t refs;
} refcount_t;

struct list_head {
    struct list_head *next;
    struct list_head *prev;
};

#endif
