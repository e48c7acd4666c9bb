#include "bench.h"

/* How often one of four short needles occurs in the input, byte by byte. */
PROGRAM(search)
{
    u32 found = 0;
    for (u32 i = 0; i < DATA_BYTES - 4; i++) {
        const u8 *at = data + i;
        if (at[0] == 0x3e && at[1] == 0x1f)
            found += 1;
        else if (at[0] < 0x20 && (at[1] & 0xf0) == 0x40)
            found += at[2] == at[3] ? 3 : 2;
    }
    return found;
}
