/* Shared by the benchmark programs, which compile as BPF and as native code from one source.
 *
 * Each program is a function `unsigned long NAME(unsigned char *data, unsigned long size)` over DATA_BYTES bytes of
 * pseudo-random input; memory is not reset between runs, so each makes its own starting state. */
#ifndef BENCH_H
#define BENCH_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int s32;

#define DATA_BYTES 1024

#ifdef __bpf__
#define PROGRAM(name) __attribute__((section("bench"), used)) u64 name(u8 *data, u64 size)
#else
#define PROGRAM(name) __attribute__((used)) u64 run(u8 *data, u64 size)
#endif
#define NOINLINE static __attribute__((noinline))

#endif
