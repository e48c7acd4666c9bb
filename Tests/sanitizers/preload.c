// Loaded before everything else into a program built with a sanitizer; Scripts/sanitize compiles it.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Weak: compilers and tools that tests start have no sanitizer in them.
__attribute__((weak)) extern void __tsan_acquire(void *);
__attribute__((weak)) extern void __tsan_release(void *);

// MARK: Synchronization.Mutex

// An uncontended Mutex is atomics in our own code, which ThreadSanitizer sees. A contended one is taken and handed on in
// libswiftSynchronization, which has not been built for it: without these it takes a lock that somebody waited for as
// none at all. Swift passes `self` in the context register.
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

SWIFT void lock_slow(uint32_t thread, SELF) __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT bool try_lock_slow(SELF) __asm__("$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF");
SWIFT void unlock_slow(SELF) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

#define NEXT(name) dlsym(RTLD_NEXT, name)

SWIFT void lock_slow(uint32_t thread, SELF) {
    SWIFT void (*next)(uint32_t, SELF) = NEXT("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
    next(thread, self);
    if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT bool try_lock_slow(SELF) {
    SWIFT bool (*next)(SELF) = NEXT("$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF");
    bool taken = next(self);
    if (taken && __tsan_acquire) __tsan_acquire(self);
    return taken;
}

SWIFT void unlock_slow(SELF) {
    SWIFT void (*next)(SELF) = NEXT("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
    if (__tsan_release) __tsan_release(self);
    next(self);
}

// MARK: The runtime's reports

// The runtime may open no file once it is in its sandbox, so its report file is opened before. Closing what it inherited
// is what it does shortly before, and nobody else does it.
__attribute__((weak)) extern void __sanitizer_set_report_fd(void *);

int close_range(unsigned int first, unsigned int last, int flags) {
    int (*next)(unsigned int, unsigned int, int) = NEXT("close_range");
    int result = next(first, last, flags);
    const char *folder = getenv("OPSD_SANITIZER_REPORTS");
    if (folder && __sanitizer_set_report_fd) {
        char path[4096];
        snprintf(path, sizeof path, "%s/report.runtime.%d", folder, (int)getpid());
        int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (file >= 0) __sanitizer_set_report_fd((void *)(intptr_t)file);
    }
    return result;
}

// MARK: The main thread's stack

// dispatch_main ends the main thread, whose stack libdispatch then goes on using for signals. To AddressSanitizer the frames
// that never returned still are there.
__attribute__((weak)) extern void __asan_handle_no_return(void);

void dispatch_main(void) {
    void (*next)(void) = NEXT("dispatch_main");
    if (__asan_handle_no_return) __asan_handle_no_return();
    next();
}
