#include "bench.h"

/* Eratosthenes up to 1024; returns the number of primes. */
PROGRAM(sieve)
{
    u32 primes = 0;
    for (u32 i = 0; i < DATA_BYTES; i++)
        data[i] = 1;
    for (u32 i = 2; i < 32; i++)
        if (data[i])
            for (u32 j = i * i; j < DATA_BYTES; j += i)
                data[j] = 0;
    for (u32 i = 2; i < DATA_BYTES; i++)
        primes += data[i];
    return primes;
}
