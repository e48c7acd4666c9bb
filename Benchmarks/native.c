/* native LIBRARY DATA REPEAT: calls `run` of a shared library over the bytes of DATA, REPEAT times, as opsctl prog run
 * does with a BPF program. Prints the first result in hex and nanoseconds of thread CPU time per call. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef unsigned long (*program)(unsigned char *, unsigned long);

static unsigned long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ul + t.tv_nsec;
}

int main(int argc, char **argv)
{
    static unsigned char data[1 << 16];
    if (argc != 4)
        return 2;
    void *library = dlopen(argv[1], RTLD_NOW);
    program run = library ? (program)dlsym(library, "run") : 0;
    FILE *file = fopen(argv[2], "rb");
    if (!run || !file)
        return 1;
    unsigned long size = fread(data, 1, sizeof data, file), n = strtoul(argv[3], 0, 10);
    unsigned long start = now(), first = run(data, size);
    for (unsigned long i = 1; i < n; i++)
        run(data, size);
    printf("0x%lx %.2f\n", first, (double)(now() - start) / n);
    return 0;
}
