/* Runs AArch64 machine code that a test has generated: harness INPUT OUTPUT.
 *
 * INPUT, little endian: a u64 that counts jobs; per job six u64 (bytes of code, offset of the entry in it, bytes of the
 * instance block, bytes of memory, second and third argument; the first is MEMORY), then code, block and memory, each padded to 16 bytes. Code of the first job lies at
 * CODE, that of the next behind it; blocks and memories of all jobs come to lie at BLOCK and MEMORY, one after the other
 * in time. OUTPUT: per job R0, then its block and its memory as the entry has left them, padded as above.
 *
 * Helpers are called at HELPERS + 16 * id. A map's handle is dataOffset | stride << 32 | entries << 48: only arrays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "CShim.h"

#define CODE 0x20000000UL
#define HELPERS 0x38000000UL
#define BLOCK 0x40000000UL
#define MEMORY 0x50000000UL
#define CODE_BYTES (HELPERS - CODE)
#define DATA_BYTES (1UL << 20)

#define HELPER(name) \
    static uint64_t name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct ops_block *block)

static uint64_t failure(int code) { return (uint64_t)-(int64_t)code; }

HELPER(lookup) {
    uint32_t key;
    memcpy(&key, (void *)r2, sizeof key);
    if (key >= r1 >> 48) return 0;
    return (uint64_t)block + (uint32_t)r1 + key * (r1 >> 32 & 0xffff);
}

HELPER(update) {
    uint64_t element = lookup(r1, r2, 0, 0, 0, block);
    if (r4 > 2) return failure(EINVAL);
    if (!element) return failure(E2BIG);
    if (r4 & 1) return failure(EEXIST);
    memcpy((void *)element, (void *)r3, r1 >> 32 & 0xffff);
    return 0;
}

HELPER(delete) { return failure(EINVAL); }

HELPER(for_each) {
    uint32_t entries = r1 >> 48, calls = 0;
    if (r4) return failure(EINVAL);
    for (uint32_t key = 0; key < entries && block->fuel; key++) {
        block->fuel--;
        calls++;
        uint64_t value = lookup(r1, (uint64_t)&key, 0, 0, 0, block);
        if (ops_call_callback(r2, r1, (uint64_t)&key, value, r3, 0, block)) break;
    }
    return calls;
}

HELPER(ktime) { return block->ktime_ns; }
HELPER(jiffies) { return block->jiffies64; }
HELPER(cpu) { return block->cpu; }
HELPER(prandom) {
    uint64_t z = block->prandom_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) >> 32;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *map(uint64_t address, size_t bytes, int protection) {
    void *at = mmap((void *)address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != (void *)address) fail("mmap");
    return at;
}

/* ldr x16, [pc, 8]; br x16; the address. */
static void provide(int id, ops_helper_fn helper) {
    uint32_t *code = (uint32_t *)(HELPERS + 16 * (uint64_t)id);
    code[0] = 0x58000050;
    code[1] = 0xd61f0200;
    memcpy(code + 2, &helper, sizeof helper);
}

static size_t padded(uint64_t bytes) { return (bytes + 15) & ~15UL; }

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int input = open(argv[1], O_RDONLY);
    struct stat status;
    if (input < 0 || fstat(input, &status) < 0) fail(argv[1]);
    const char *next = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, input, 0);
    FILE *output = fopen(argv[2], "wb");
    if (next == MAP_FAILED || !output) fail("files");

    char *code = map(CODE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
    map(HELPERS, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    void *block = map(BLOCK, DATA_BYTES, PROT_READ | PROT_WRITE);
    void *memory = map(MEMORY, DATA_BYTES, PROT_READ | PROT_WRITE);
    provide(1, lookup);
    provide(2, update);
    provide(3, delete);
    provide(5, ktime);
    provide(7, prandom);
    provide(8, cpu);
    provide(118, jiffies);
    provide(164, for_each);
    __builtin___clear_cache((char *)HELPERS, (char *)HELPERS + 4096);

    typedef uint64_t (*entry)(uint64_t, uint64_t, uint64_t);
    uint64_t jobs;
    memcpy(&jobs, next, sizeof jobs);
    next += sizeof jobs;
    while (jobs--) {
        uint64_t job[6];
        memcpy(job, next, sizeof job);
        next += sizeof job;
        if (code + padded(job[0]) > (char *)CODE + CODE_BYTES || padded(job[2]) > DATA_BYTES ||
            padded(job[3]) > DATA_BYTES)
            return 3;
        memcpy(code, next, job[0]);
        __builtin___clear_cache(code, code + job[0]);
        next += padded(job[0]);
        memcpy(block, next, job[2]);
        next += padded(job[2]);
        memcpy(memory, next, job[3]);
        next += padded(job[3]);
        uint64_t r0 = ((entry)(code + job[1]))(MEMORY, job[4], job[5]);
        fwrite(&r0, sizeof r0, 1, output);
        fwrite(block, padded(job[2]), 1, output);
        fwrite(memory, padded(job[3]), 1, output);
        code += padded(job[0]);
    }
    return fclose(output) == 0 ? 0 : 1;
}
