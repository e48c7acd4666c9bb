#include "bench.h"

/* FNV-1a over the whole input, then a final mix. */
PROGRAM(hash)
{
    u64 h = 0xcbf29ce484222325;
    for (u32 i = 0; i < DATA_BYTES; i++) {
        h ^= data[i];
        h *= 0x100000001b3;
    }
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccd;
    return h ^ (h >> 33);
}
