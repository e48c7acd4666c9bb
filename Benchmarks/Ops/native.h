/* Takes the place of Examples/include/bpf_helpers.h where a program is compiled as native code. */
#ifndef OPSD_BPF_HELPERS_H
#define OPSD_BPF_HELPERS_H
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "vmlinux.h"

#define SEC(name)
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define __kconfig
#define __ksym
#define OPS_PROG(name, ...) name(__VA_ARGS__)
#define FIELD_BITS(object, field) ((object)->field)

extern __u64 native_jiffies;
static __always_inline __u64 bpf_jiffies64(void) { return native_jiffies; }
int clock_gettime(int clock, void *time);

#endif
