/* Makes calls on the files of one directory fail, in a program that loads this first (LD_PRELOAD).
 *
 * $FAULTY_DISK_PATH is the directory, $FAULTY_DISK a file with a `struct control`, which the test and the program share: so
 * the test says at any time what fails from now on, and counts what was called. Without them nothing fails.
 *
 * Only calls that would change the disk fail. A write that fails has written half of what it was given: a full disk, and
 * one that breaks, leave such halves.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The test knows this layout: FaultyDisk.swift. */
struct control {
    _Atomic int64_t calls;      /* since the test has set it to 0 */
    _Atomic int64_t failed;     /* of them */
    _Atomic int64_t passing;    /* calls that succeed before some fail; negative: none fails for this */
    _Atomic int64_t failing;    /* calls that fail then */
    _Atomic int64_t per_mille;  /* calls that fail at random, of a thousand */
    _Atomic uint64_t sequence;  /* of random numbers */
    _Atomic int64_t error;      /* errno */
};

#define FILES_MAX 65536
static struct control *control;
static char directory[4096];
static size_t directory_length;
static _Atomic unsigned char is_ours[FILES_MAX]; /* by descriptor */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTY_DISK"), *where = getenv("FAULTY_DISK_PATH");
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");

    if (!path || !where || strlen(where) >= sizeof(directory))
        return;
    int file = real_open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        abort();
    void *address = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (address == MAP_FAILED)
        abort();
    close(file);
    strcpy(directory, where);
    directory_length = strlen(directory);
    control = address;
}

static int is_below(const char *path)
{
    return control && !strncmp(path, directory, directory_length)
        && (path[directory_length] == '/' || !path[directory_length]);
}

static int is_known(int file)
{
    return control && file >= 0 && file < FILES_MAX && is_ours[file];
}

/* SplitMix64. */
static uint64_t next_random(void)
{
    uint64_t z = atomic_fetch_add(&control->sequence, 0x9e3779b97f4a7c15) + 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Whether this call, which is one of those that may fail, does. Sets errno. */
static int fails(void)
{
    int64_t number = atomic_fetch_add(&control->calls, 1), passing = control->passing;
    int is_due = passing >= 0 && number >= passing && number - passing < control->failing;

    if (!is_due && (control->per_mille == 0 || next_random() % 1000 >= (uint64_t)control->per_mille))
        return 0;
    atomic_fetch_add(&control->failed, 1);
    errno = (int)control->error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))({ \
    static void *address; \
    if (!address) \
        address = dlsym(RTLD_NEXT, #name); \
    address; }))

static int opened(int file, const char *path)
{
    if (file >= 0 && file < FILES_MAX)
        is_ours[file] = is_below(path);
    return file;
}

/* Opening to write may fail; for want of room only where a file would be made. */
static int may_fail(const char *path, int flags)
{
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT))
        return 0;
    return control->error != ENOSPC || (flags & O_CREAT && access(path, F_OK));
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (is_below(path) && may_fail(path, flags) && fails()) \
            return -1; \
        return opened(REAL(name)(path, flags, mode), path); \
    }
OPEN(open)
OPEN(open64)

int close(int file)
{
    if (file >= 0 && file < FILES_MAX)
        is_ours[file] = 0;
    return REAL(close)(file);
}

ssize_t write(int file, const void *bytes, size_t count)
{
    if (!is_known(file) || !fails())
        return REAL(write)(file, bytes, count);
    int error = errno;
    (void)!REAL(write)(file, bytes, count / 2);
    errno = error;
    return -1;
}

#define PWRITE(name, offset_type) \
    ssize_t name(int file, const void *bytes, size_t count, offset_type offset) \
    { \
        if (!is_known(file) || !fails()) \
            return REAL(name)(file, bytes, count, offset); \
        int error = errno; \
        (void)!REAL(name)(file, bytes, count / 2, offset); \
        errno = error; \
        return -1; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_FILE(name, parameters, arguments) \
    int name parameters \
    { \
        return is_known(file) && fails() ? -1 : REAL(name) arguments; \
    }
ON_FILE(fsync, (int file), (file))
ON_FILE(fdatasync, (int file), (file))
ON_FILE(ftruncate, (int file, off_t size), (file, size))
ON_FILE(ftruncate64, (int file, off64_t size), (file, size))

#define ON_PATH(name, parameters, arguments) \
    int name parameters \
    { \
        return is_below(path) && fails() ? -1 : REAL(name) arguments; \
    }
ON_PATH(rename, (const char *path, const char *target), (path, target))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))

/* What frees room does not fail for want of it. */
int unlink(const char *path)
{
    if (is_below(path) && control->error != ENOSPC && fails())
        return -1;
    return REAL(unlink)(path);
}
