#define _GNU_SOURCE
#include "CShim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

int ops_memfd_create(const char *name, unsigned int flags) { return memfd_create(name, flags); }

int ops_seal_write(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

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
#endif
    return features;
}
