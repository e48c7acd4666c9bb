#include "bench.h"

/* Walks a binary trie of 256 nodes by the bits of 32-bit keys, as a longest-prefix match does. */
struct node {
    u8 child[2];
    u8 flags;
    u8 value;
};

PROGRAM(bitwalk)
{
    const struct node *nodes = (const struct node *)data;
    const u32 *keys = (const u32 *)data;
    u64 result = 0;
    for (u32 k = 0; k < 32; k++) {
        u32 key = keys[k * 8], at = k, best = 0;
        for (u32 depth = 0; depth < 16; depth++) {
            const struct node *node = &nodes[at & 0xff];
            if (node->flags & 1)
                best = node->value;
            if (!(node->flags & 0xf0))
                break;
            at = node->child[key >> 31];
            key <<= 1;
        }
        result = result * 31 + best;
    }
    return result;
}
