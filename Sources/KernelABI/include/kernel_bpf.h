#ifndef OPSD_KERNEL_BPF_H
#define OPSD_KERNEL_BPF_H

#include "kernel_types.h"

/// States of a struct_ops map; `INIT` is a map that has no value yet.
enum bpf_struct_ops_state {
    BPF_STRUCT_OPS_STATE_INIT = 0,
    BPF_STRUCT_OPS_STATE_INUSE = 1,
    BPF_STRUCT_OPS_STATE_TOBEFREE = 2,
    BPF_STRUCT_OPS_STATE_READY = 3,
};

/// Head of the value of every struct_ops map.
struct bpf_struct_ops_common_value {
    refcount_t refcnt;
    enum bpf_struct_ops_state state;
};

/// UAPI numbers of the maps that programs declare.
enum bpf_map_type {
    BPF_MAP_TYPE_UNSPEC = 0,
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_HASH = 5,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_LRU_PERCPU_HASH = 10,
    BPF_MAP_TYPE_SK_STORAGE = 24,
    BPF_MAP_TYPE_STRUCT_OPS = 26,
    BPF_MAP_TYPE_RINGBUF = 27,
};

/// Flags of map updates, of map creation and of bpf_sk_storage_get. (Anonymous enums in the UAPI.)
typedef enum {
    BPF_ANY = 0,
    BPF_NOEXIST = 1,
    BPF_EXIST = 2,
    BPF_F_LOCK = 4,
} kernel_bpf_update_flags;

typedef enum {
    BPF_F_NO_PREALLOC = 1,
    BPF_F_RDONLY_PROG = 128,
    BPF_F_WRONLY_PROG = 256,
} kernel_bpf_map_flags;

typedef enum {
    BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
    BPF_SK_STORAGE_GET_F_CREATE = 1,
} kernel_bpf_storage_flags;

/// Special fields of map values; the verifier knows them by these names.
struct bpf_spin_lock {
    __u32 val;
};

struct bpf_timer {
    __u64 __opaque[2];
} __attribute__((aligned(8)));

#endif
