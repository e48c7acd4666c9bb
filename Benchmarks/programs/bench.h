/* Shared by the benchmark programs, which compile from one source as BPF, as native code, and (with -DKERNEL) as a
 * classifier program for the running kernel, whose test runs take no memory: there a map holds the input. A classifier
 * returns 32 bits; both halves of the result go into them, or clang would leave out whatever makes the upper one.
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

#define SECTION(name) __attribute__((section(name), used))
#ifdef KERNEL
struct input {
    u8 bytes[DATA_BYTES];
};
struct {
    int (*type)[2];
    int (*max_entries)[1];
    u32 *key;
    struct input *value;
} input SECTION(".maps");
static void *(*map_lookup)(void *map, const void *key) = (void *)1;
#define PROGRAM(name)                                                                                                \
    static inline __attribute__((always_inline)) u64 body(u8 *data, u64 size);                                       \
    SECTION("tc") int name(void *context)                                                                            \
    {                                                                                                                \
        u32 key = 0;                                                                                                 \
        u8 *data = map_lookup(&input, &key);                                                                         \
        u64 result = data ? body(data, DATA_BYTES) : 0;                                                              \
        return result ^ result >> 32;                                                                                \
    }                                                                                                                \
    char LICENSE[] SECTION("license") = "GPL";                                                                       \
    static inline __attribute__((always_inline)) u64 body(u8 *data, u64 size)
#elif defined(__bpf__)
#define PROGRAM(name) SECTION("bench") u64 name(u8 *data, u64 size)
#else
#define PROGRAM(name) __attribute__((used)) u64 run(u8 *data, u64 size)
#endif
#define NOINLINE static __attribute__((noinline))

#endif
