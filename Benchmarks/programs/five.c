#include "bench.h"

/* An op's body of five instructions: what a call costs shows in it as in `nop`. */
PROGRAM(five)
{
    u32 *cwnd = (u32 *)data;
    *cwnd += 3;
    return *cwnd ^ size;
}
