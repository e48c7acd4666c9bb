// What a process gives up that runs other people's code: landlock, a seccomp filter, resource limits.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CShim.h"

#if defined(__x86_64__)
#define OPS_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OPS_AUDIT_ARCH AUDIT_ARCH_AARCH64
#endif

// MARK: Landlock

// The kernel's numbers, for headers may be older than the kernel: linux/landlock.h.
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

/// Handled and allowed nowhere: every right of files, of TCP, abstract sockets and signals that this ABI knows.
static int deny_files_and_network(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
    if (abi < 1) return 0;
    static const int file_rights[] = {13, 14, 15, 15, 16};
    struct ruleset rules = {
        .handled_access_fs = (1ull << file_rights[abi > 5 ? 4 : abi - 1]) - 1,
        .handled_access_net = abi >= 4 ? 3 : 0,
        .scoped = abi >= 6 ? 3 : 0,
    };
    size_t size = abi >= 6 ? sizeof rules
                  : abi >= 4 ? offsetof(struct ruleset, scoped)
                             : offsetof(struct ruleset, handled_access_net);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) return -1;
    int result = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    return result < 0 ? -1 : (int)abi;
}

// MARK: System calls

/// What memory, threads, waiting and an open socket take. Nothing here makes a descriptor but memfd_create and those
/// that one waits with; nothing reaches another process.
static const int allowed_calls[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pwrite64, SYS_pread64, SYS_lseek, SYS_close, SYS_fstat,
    SYS_sendto, SYS_recvfrom, SYS_shutdown, SYS_getsockopt,
    SYS_munmap, SYS_madvise, SYS_mremap, SYS_brk, SYS_memfd_create, SYS_ftruncate, SYS_futex,
    SYS_set_robust_list, SYS_rseq, SYS_membarrier, SYS_set_tid_address,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall,
    SYS_gettid, SYS_getpid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_uname,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_getcpu,
    SYS_getpriority, SYS_getrusage, SYS_sysinfo, SYS_getrandom,
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_ppoll, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2, SYS_timerfd_create,
    SYS_timerfd_settime, SYS_timerfd_gettime, SYS_exit, SYS_exit_group,
#if defined(__x86_64__)
    SYS_poll, SYS_epoll_wait, SYS_time, SYS_arch_prctl,
#endif
};

enum {
    ALLOW = SECCOMP_RET_ALLOW,
    DENY = SECCOMP_RET_ERRNO | EPERM,
    CALL = offsetof(struct seccomp_data, nr),
    ARCH = offsetof(struct seccomp_data, arch),
};

/// Low half of argument `n`, which is all of an int; both architectures are little-endian.
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define UPPER_HALF(n) (ARGUMENT(n) + 4)
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
/// The next `n` instructions only if the accumulator is `value`.
#define ONLY_IF(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (n))
/// The next `n` instructions only if a bit of `mask` is set in it.
#define ONLY_IF_ANY(mask, n) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (mask), 0, (n))
#define KEEP(mask) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (mask))

static int filter_system_calls(void) {
    // 0x10000 is CLONE_THREAD: another thread of ours, never another process. clone3 hides its flags behind a pointer; its
    // callers fall back to clone when it does not exist. A signal goes to ourselves, as abort sends it; fcntl could send
    // others, so only seals are left of it. Only the calling thread gets another priority. Of prctl only the names of
    // threads are left; prlimit64 tells, and sets nothing: its pointer must be 0, all of it. No memory is ever writable and
    // executable at once, nor becomes executable: code is mapped so.
    struct sock_filter head[] = {
        LOAD(ARCH),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OPS_AUDIT_ARCH, 1, 0),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        LOAD(CALL),
        ONLY_IF(SYS_mmap, 5), LOAD(ARGUMENT(2)), KEEP(PROT_WRITE | PROT_EXEC),
        ONLY_IF(PROT_WRITE | PROT_EXEC, 1), ANSWER(DENY), ANSWER(ALLOW),
        ONLY_IF(SYS_mprotect, 4), LOAD(ARGUMENT(2)), ONLY_IF_ANY(PROT_EXEC, 1), ANSWER(DENY), ANSWER(ALLOW),
        ONLY_IF(SYS_clone, 4), LOAD(ARGUMENT(0)), ONLY_IF_ANY(0x10000, 1), ANSWER(ALLOW), ANSWER(DENY),
        ONLY_IF(SYS_clone3, 1), ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
        ONLY_IF(SYS_tgkill, 4), LOAD(ARGUMENT(0)), ONLY_IF((uint32_t)getpid(), 1), ANSWER(ALLOW), ANSWER(DENY),
        ONLY_IF(SYS_fcntl, 4), LOAD(ARGUMENT(1)), ONLY_IF(F_ADD_SEALS, 1), ANSWER(ALLOW), ANSWER(DENY),
        ONLY_IF(SYS_setpriority, 6), LOAD(ARGUMENT(0)), ONLY_IF(PRIO_PROCESS, 3),
        LOAD(ARGUMENT(1)), ONLY_IF(0, 1), ANSWER(ALLOW), ANSWER(DENY),
        ONLY_IF(SYS_prctl, 6), LOAD(ARGUMENT(0)), ONLY_IF(PR_SET_NAME, 1), ANSWER(ALLOW),
        ONLY_IF(PR_GET_NAME, 1), ANSWER(ALLOW), ANSWER(DENY),
        ONLY_IF(SYS_prlimit64, 6), LOAD(ARGUMENT(2)), ONLY_IF(0, 3),
        LOAD(UPPER_HALF(2)), ONLY_IF(0, 1), ANSWER(ALLOW), ANSWER(DENY),
    };
    enum { HEAD = sizeof head / sizeof head[0], COUNT = sizeof allowed_calls / sizeof allowed_calls[0] };
    struct sock_filter program[HEAD + 2 * COUNT + 1];
    size_t length = 0;
    for (size_t i = 0; i < HEAD; i++) program[length++] = head[i];
    for (size_t i = 0; i < COUNT; i++) {
        program[length++] = (struct sock_filter)ONLY_IF((uint32_t)allowed_calls[i], 1);
        program[length++] = (struct sock_filter)ANSWER(ALLOW);
    }
    program[length++] = (struct sock_filter)ANSWER(DENY);
    struct sock_fprog filter = {.len = (unsigned short)length, .filter = program};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
}

// MARK: All of it

static int limit(int resource, rlim_t value) {
    struct rlimit both = {.rlim_cur = value, .rlim_max = value};
    return setrlimit(resource, &both);
}

int ops_enter_sandbox(void) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    // Nobody of our uid reads our memory, and a crash leaves none of it behind.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
    // A service's own filter may forbid what it has set itself already.
    if (limit(RLIMIT_CORE, 0) != 0 && errno != EPERM) return -1;
    if (limit(RLIMIT_NOFILE, OPS_SANDBOX_DESCRIPTORS) != 0 && errno != EPERM) return -1;
    int abi = deny_files_and_network();
    if (abi < 0) return -1;
    return filter_system_calls() == 0 ? abi : -1;
}
