#include "CShim.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// The interface by which gdb learns of generated code: names and layout are fixed by it. Source: gdb manual, "JIT
// Compilation Interface".
struct jit_code_entry {
    struct jit_code_entry *next_entry;
    struct jit_code_entry *prev_entry;
    const char *symfile_addr;
    uint64_t symfile_size;
};

enum jit_action { JIT_NOACTION, JIT_REGISTER_FN, JIT_UNREGISTER_FN };

struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag;
    struct jit_code_entry *relevant_entry;
    struct jit_code_entry *first_entry;
};

extern struct jit_descriptor __jit_debug_descriptor;
extern void __jit_debug_register_code(void);

struct jit_descriptor __jit_debug_descriptor = {.version = 1};

// gdb puts a breakpoint here and reads the descriptor when it is hit.
void __attribute__((noinline)) __jit_debug_register_code(void) { __asm__ volatile("" ::: "memory"); }

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void *ops_gdb_register(const void *image, size_t size) {
    struct jit_code_entry *entry = malloc(sizeof *entry + size);
    if (!entry) return NULL;
    memcpy(entry + 1, image, size);
    entry->symfile_addr = (const char *)(entry + 1);
    entry->symfile_size = size;
    entry->prev_entry = NULL;
    pthread_mutex_lock(&lock);
    entry->next_entry = __jit_debug_descriptor.first_entry;
    if (entry->next_entry) entry->next_entry->prev_entry = entry;
    __jit_debug_descriptor.first_entry = entry;
    __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_descriptor.action_flag = JIT_REGISTER_FN;
    __jit_debug_register_code();
    __jit_debug_descriptor.action_flag = JIT_NOACTION;
    pthread_mutex_unlock(&lock);
    return entry;
}

void ops_gdb_unregister(void *registration) {
    struct jit_code_entry *entry = registration;
    pthread_mutex_lock(&lock);
    if (entry->prev_entry) {
        entry->prev_entry->next_entry = entry->next_entry;
    } else {
        __jit_debug_descriptor.first_entry = entry->next_entry;
    }
    if (entry->next_entry) entry->next_entry->prev_entry = entry->prev_entry;
    __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_descriptor.action_flag = JIT_UNREGISTER_FN;
    __jit_debug_register_code();
    __jit_debug_descriptor.action_flag = JIT_NOACTION;
    pthread_mutex_unlock(&lock);
    free(entry);
}
