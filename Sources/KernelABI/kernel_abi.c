#ifndef __bpf__
#include "KernelABI.h"

// #embed is C23 and an extension before; SwiftPM compiles C targets as C11.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
const unsigned char kernel_abi_btf[] __attribute__((aligned(8))) = {
#embed "kernel.btf"
};
const unsigned char kernel_abi_example[] = {
#embed "cubic.elf"
};
#pragma clang diagnostic pop
const size_t kernel_abi_btf_size = sizeof(kernel_abi_btf);
const size_t kernel_abi_example_size = sizeof(kernel_abi_example);

#define MEMBER(type, name) {#type, #name, offsetof(struct type, name), sizeof(((struct type *)0)->name)},
const struct kernel_abi_member kernel_abi_members[] = {
#include "members.inc"
};
#undef MEMBER
const size_t kernel_abi_member_count = sizeof(kernel_abi_members) / sizeof(kernel_abi_members[0]);
#endif
