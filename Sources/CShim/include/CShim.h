#ifndef OPSD_CSHIM_H
#define OPSD_CSHIM_H

#include <stddef.h>
#include <stdint.h>

/// The head of an instance block: what compiled code reaches through its block register before any map data.
///
/// The layout is part of the contract between OpsCore (which fills it), JIT (whose code reads `fuel`, `arena_*` and
/// the clock at fixed offsets) and helpers (which get the block's address as their sixth argument). Data of the
/// object's maps follows at offsets of at least `sizeof(struct ops_block)`; see `InstanceLayout`.
struct ops_block {
    /// Turns left for loops that may end at any turn (bpf_loop, for_each, iterators, may_goto) in this op call.
    /// Each turn first looks: at 0 the loop ends, else one is taken off and the turn runs.
    uint64_t fuel;
    /// Arena of BTF objects: a probed load of n bytes at p is allowed iff p - arena_base < arena_size (unsigned);
    /// at least 4096 readable bytes follow the arena, so n needs no look.
    uint64_t arena_base;
    uint64_t arena_size;
    /// What an op call starts with; entries copy it into `fuel`.
    uint64_t fuel_per_call;
    /// Clocks of the world, kept by the subsystem before each call. Nanoseconds.
    uint64_t ktime_ns;
    uint64_t ktime_coarse_ns;
    uint64_t jiffies64;
    /// State of the splitmix64 generator behind bpf_get_prandom_u32.
    uint64_t prandom_state;
    uint32_t cpu;
    /// CPUs of the world. Per-CPU values of a `cpu` that it does not have are those of CPU 0.
    uint32_t cpus;
    /// Unmanaged reference to the owning `Instance` (OpsCore). Helpers only.
    void *instance;
    /// The subsystem's own pointer for its kfuncs and helpers (Netsim: its world). May be NULL.
    void *world;
    /// Map elements that were deleted and wait for quiescence; 0: `Instance.quiesce` has nothing to do.
    uint64_t deferred;
    /// Ring buffer records that programs have handed over since the consumer of the instance last looked.
    uint64_t records;
    uint64_t spare[2];
};

/// Every helper and kfunc has this shape in machine code: five BPF arguments, then the block.
typedef uint64_t (*ops_helper_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                                  struct ops_block *block);

/// A callback subprog as a helper calls it: its C-shaped thunk, which sets the block register and the BPF arguments.
typedef ops_helper_fn ops_callback_fn;

/// An entry of kind "registers", as `prog run` calls it.
typedef uint64_t (*ops_entry_fn)(uint64_t r1, uint64_t r2);

/// Calls a callback thunk. Swift has no way to make a function pointer of an integer without a bit cast.
static inline uint64_t ops_call_callback(uint64_t callback, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                                         uint64_t r5, struct ops_block *block) {
    return ((ops_callback_fn)(uintptr_t)callback)(r1, r2, r3, r4, r5, block);
}

/// Calls a helper or kfunc by its address.
static inline uint64_t ops_call_helper(uint64_t helper, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                                       uint64_t r5, struct ops_block *block) {
    return ((ops_helper_fn)(uintptr_t)helper)(r1, r2, r3, r4, r5, block);
}

/// The address of a helper, for tables and for generated code.
static inline uint64_t ops_helper_address(ops_helper_fn helper) { return (uint64_t)(uintptr_t)helper; }

/// Calls `entry(r1, r2)` n times in a row; nothing is reset in between. n = 0 calls nothing.
/// `first_result`: R0 of the first call. `ns`: CPU time of this thread for all calls together. Returns the last R0.
uint64_t ops_run_repeated(const void *entry, uint64_t r1, uint64_t r2, uint64_t n, uint64_t *first_result,
                          uint64_t *ns);

/// memfd_create(2), which Swift's Glibc module does not have. Returns -1 and sets errno.
int ops_memfd_create(const char *name, unsigned int flags);
/// fcntl(F_ADD_SEALS) with WRITE|GROW|SHRINK|SEAL. Returns -1 and sets errno.
int ops_seal_write(int fd);
/// The same with GROW|SHRINK|SEAL: the file keeps its size.
int ops_seal_size(int fd);

/// The calling process gets SIGKILL when the thread that started it ends. Returns -1 and sets errno.
int ops_die_with_parent(void);
/// Closes every descriptor from `first` on.
void ops_close_from(int first);
/// From now on a thread that takes the process down by a fault of its own first writes the request that it works on, an
/// `int64_t`, to `fd`.
void ops_record_faults(int fd);
/// Which request the calling thread works on from now on; 0: none.
void ops_work_on(int64_t work);
int64_t ops_work(void);
/// Who connected to a Unix socket, as of connect(2). Returns -1 and sets errno.
int ops_peer_credentials(int fd, uint32_t *pid, uint32_t *uid, uint32_t *gid);
/// The peer's supplementary groups. Returns how many there are, also when that is more than `capacity` (then none is
/// written), or -1 and sets errno.
int ops_peer_groups(int fd, uint32_t *groups, int capacity);
/// A pidfd of the process that connected, which the caller closes. Returns -1 and sets errno (ENOPROTOOPT before Linux
/// 6.5, ESRCH or ENODATA once the process has gone).
int ops_peer_pidfd(int fd);

/// Tells gdb of an ELF image, which is copied; returns what `ops_gdb_unregister` takes, or NULL without memory.
void *ops_gdb_register(const void *image, size_t size);
void ops_gdb_unregister(void *registration);

/// Memory that was freed stays with the process, up to some 100 MB: large requests come again, and giving pages back
/// and taking new ones costs more than working on them.
void ops_keep_freed_memory(void);

/// Decodes base 64 from the start of `text`, 32 letters at a time, where the processor has AVX2 (else none). Returns how
/// many letters it has read, a multiple of 32: it stops at what is no letter, and near the end. Writes inside the
/// `letters / 4 * 3` bytes that all of them take.
size_t ops_base64_decode(const uint8_t *text, size_t letters, uint8_t *bytes);

/// What the processor that runs this offers beyond the baseline of its architecture, as a set of OPS_CPU_ bits.
uint32_t ops_cpu_features(void);
enum { OPS_CPU_BMI2 = 1, OPS_CPU_MOVBE = 2, OPS_CPU_LSE = 4 };

/// Descriptors that a process in the sandbox may have.
#define OPS_SANDBOX_DESCRIPTORS 256

/// Gives up, for good and for all threads to come, what running other people's code does not take: files, sockets, other
/// processes, more privileges. Call it before the first thread is made; memory, threads and open descriptors stay.
/// Returns the landlock ABI in force (0: the kernel has none, the system call filter alone holds), or -1 with errno.
int ops_enter_sandbox(void);

#endif
