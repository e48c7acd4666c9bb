#define _GNU_SOURCE
#include "CShim.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

int ops_memfd_create(const char *name, unsigned int flags) { return memfd_create(name, flags); }

int ops_seal_write(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

int ops_seal_size(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL); }

static uint64_t thread_cpu_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t ops_run_repeated(const void *entry, uint64_t r1, uint64_t r2, uint64_t n, uint64_t *first_result,
                          uint64_t *ns) {
    ops_entry_fn run = (ops_entry_fn)(uintptr_t)entry;
    uint64_t first = 0, last = 0;
    uint64_t start = thread_cpu_ns();
    if (n > 0) first = last = run(r1, r2);
    for (uint64_t i = 1; i < n; i++) last = run(r1, r2);
    uint64_t end = thread_cpu_ns();
    if (first_result) *first_result = first;
    if (ns) *ns = end - start;
    return last;
}

uint32_t ops_cpu_features(void) {
    uint32_t features = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("bmi2")) features |= OPS_CPU_BMI2;
    if (__builtin_cpu_supports("movbe")) features |= OPS_CPU_MOVBE;
#elif defined(__aarch64__)
    if (getauxval(AT_HWCAP) & HWCAP_ATOMICS) features |= OPS_CPU_LSE;
#endif
    return features;
}

int ops_die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

void ops_keep_freed_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 16 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
    mallopt(M_TOP_PAD, 4 << 20);
    mallopt(M_ARENA_MAX, 4);
}

void ops_close_from(int first) { close_range((unsigned int)first, ~0U, 0); }

int ops_peer_credentials(int fd, uint32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -1;
    *pid = (uint32_t)peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

int ops_peer_groups(int fd, uint32_t *groups, int capacity) {
    socklen_t size = (socklen_t)(sizeof(uint32_t) * (size_t)capacity);
    // ERANGE: too small, and `size` now says what is needed.
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0 && errno != ERANGE) return -1;
    return (int)(size / sizeof(uint32_t));
}
