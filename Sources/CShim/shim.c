#define _GNU_SOURCE
#include "CShim.h"

#include <fcntl.h>
#include <sys/mman.h>

int ops_memfd_create(const char *name, unsigned int flags) { return memfd_create(name, flags); }

int ops_seal_write(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}
