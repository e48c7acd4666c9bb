#ifndef OPSD_KERNEL_ABI_H
#define OPSD_KERNEL_ABI_H

/// The types that congestion control programs and the network simulator share.
///
/// Names are the kernel's (profile 6.12), so that CO-RE finds them; order and offsets are our own, and only what the
/// simulator keeps true is here. A field that is absent makes a program that reads it fail at load, by name, which is
/// better than a field that is present and always zero.
///
/// These headers are also the source of `kernel.btf`: run generate.sh after any change.
#include "kernel_types.h"
#include "kernel_bpf.h"
#include "kernel_sock.h"
#include "kernel_tcp.h"
#include "kernel_congestion.h"

#ifndef __bpf__
#include <stddef.h>

/// The BTF of everything above, as an object's programs are relocated against it (little endian, one .BTF section).
extern const unsigned char kernel_abi_btf[];
extern const size_t kernel_abi_btf_size;
/// The same as a pointer: an array of unknown length is not imported into Swift.
static inline const unsigned char *kernel_abi_btf_start(void) { return kernel_abi_btf; }

/// Examples/cubic.bpf.c, compiled against these headers: an object to try with whether, and how, objects are loaded.
extern const unsigned char kernel_abi_example[];
extern const size_t kernel_abi_example_size;
static inline const unsigned char *kernel_abi_example_start(void) { return kernel_abi_example; }

/// Where the host's compiler put a member: the other side of the test that compares layouts with the BTF.
struct kernel_abi_member {
    const char *structure;
    const char *member;
    uint32_t offset;
    uint32_t size;
};
extern const struct kernel_abi_member kernel_abi_members[];
extern const size_t kernel_abi_member_count;
static inline const struct kernel_abi_member *kernel_abi_members_start(void) { return kernel_abi_members; }
#endif

#endif
