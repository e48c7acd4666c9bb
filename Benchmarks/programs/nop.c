#include "bench.h"

/* Nothing: what a run costs by itself. */
PROGRAM(nop) { return 0; }
