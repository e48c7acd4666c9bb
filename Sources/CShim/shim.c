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
#elif defined(__x86_64__)
#include <immintrin.h>
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

int ops_peer_pidfd(int fd) {
#ifndef SO_PEERPIDFD
/* The C library's headers may be older than the kernel; the number is that of asm-generic/socket.h. */
#define SO_PEERPIDFD 77
#endif
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0 ? -1 : pidfd;
}

#if defined(__x86_64__)
/* Bytes of `distance` that are below `count`, as masks. */
__attribute__((target("avx2"))) static __m256i below(__m256i distance, char count) {
    __m256i last = _mm256_set1_epi8((char)(count - 1));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(distance, last), distance);
}

/* Of a letter in the range of `count` that starts with `first`: its six bits; else 0. Notes in `known` where it is one. */
__attribute__((target("avx2"))) static __m256i sextets(__m256i letters, char first, char count, char value,
                                                       __m256i *known) {
    __m256i distance = _mm256_sub_epi8(letters, _mm256_set1_epi8(first));
    __m256i mask = below(distance, count);
    *known = _mm256_or_si256(*known, mask);
    return _mm256_and_si256(mask, _mm256_add_epi8(distance, _mm256_set1_epi8(value)));
}

__attribute__((target("avx2"))) static size_t base64_decode_avx2(const uint8_t *text, size_t letters,
                                                                 uint8_t *bytes) {
    /* Highest byte first, three of four; then the gap between the halves is closed. */
    const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5, 4, 10,
                                           9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i words = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7);
    size_t done = 0;
    /* A store of 32 bytes is 8 too many: 12 letters more make room for them. */
    for (; letters >= done + 44; done += 32) {
        __m256i block = _mm256_loadu_si256((const __m256i *)(text + done)), known = _mm256_setzero_si256();
        __m256i value = sextets(block, 'A', 26, 0, &known);
        value = _mm256_or_si256(value, sextets(block, 'a', 26, 26, &known));
        value = _mm256_or_si256(value, sextets(block, '0', 10, 52, &known));
        value = _mm256_or_si256(value, sextets(block, '+', 1, 62, &known));
        value = _mm256_or_si256(value, sextets(block, '/', 1, 63, &known));
        if (_mm256_movemask_epi8(known) != -1) break;
        /* 6 + 6 bits in each 16, then 12 + 12 in each 32. */
        __m256i pairs = _mm256_maddubs_epi16(value, _mm256_set1_epi16(0x0140));
        __m256i groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
        __m256i packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(groups, order), words);
        _mm256_storeu_si256((__m256i *)(bytes + done / 4 * 3), packed);
    }
    return done;
}

size_t ops_base64_decode(const uint8_t *text, size_t letters, uint8_t *bytes) {
    return __builtin_cpu_supports("avx2") ? base64_decode_avx2(text, letters, bytes) : 0;
}
#else
size_t ops_base64_decode(const uint8_t *text, size_t letters, uint8_t *bytes) {
    (void)text, (void)letters, (void)bytes;
    return 0;
}
#endif
