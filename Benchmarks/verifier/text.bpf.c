/* Text and digits: small arrays on the stack, written and read at variable places, tables in .rodata. */
#include "bench.h"

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";

static __always_inline int hex(int bytes)
{
    struct buffer *buffer = get_input();
    char text[128] = {};

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < bytes; i++) {
        __u8 byte = buffer->bytes[i];

        text[i * 2] = digits[byte >> 4];
        text[i * 2 + 1] = digits[byte & 15];
    }
    return text[buffer->bytes[100] & 127];
}

PROGRAM(hex_16) { return hex(16); }
PROGRAM(hex_32) { return hex(32); }
PROGRAM(hex_64) { return hex(64); }

static __always_inline int base64(int groups)
{
    struct buffer *buffer = get_input();

    if (!buffer)
        return 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < groups; i++) {
        __u32 group = buffer->bytes[i * 3] << 16 | buffer->bytes[i * 3 + 1] << 8 | buffer->bytes[i * 3 + 2];

        buffer->bytes[2048 + i * 4] = digits[group >> 18 & 63];
        buffer->bytes[2049 + i * 4] = digits[group >> 12 & 63];
        buffer->bytes[2050 + i * 4] = digits[group >> 6 & 63];
        buffer->bytes[2051 + i * 4] = digits[group & 63];
    }
    return 0;
}

static __always_inline int utf8(int characters)
{
    struct buffer *buffer = get_input();
    __u32 at = 0, sum = 0;

    if (!buffer)
        return 0;
    for (int i = 0; i < characters; i++) {
        __u8 lead;

        if (at > BUFFER_BYTES - 4)
            break;
        lead = buffer->bytes[at];
        if (lead < 0x80) {
            sum += lead;
            at++;
        } else if (lead < 0xe0) {
            sum += (lead & 31) << 6 | (buffer->bytes[at + 1] & 63);
            at += 2;
        } else if (lead < 0xf0) {
            sum += (lead & 15) << 12 | (buffer->bytes[at + 1] & 63) << 6 | (buffer->bytes[at + 2] & 63);
            at += 3;
        } else {
            at += 4;
        }
    }
    return sum & 0xffff;
}

PROGRAM(text_short) { return utf8(4) + base64(20); }
PROGRAM(text_long) { return utf8(5) + base64(200); }

/* A ring on the stack, written at a masked index. */
static __always_inline int ring(int n)
{
    __u8 bytes[64] = {};
    __u32 at = bpf_get_prandom_u32();

#pragma unroll
    for (int i = 0; i < n; i++) {
        at = at * 1103515245 + 12345;
        bytes[at >> 16 & 63] = at;
        at ^= bytes[at >> 8 & 63];
    }
    return at & 0xff;
}

PROGRAM(ring_8) { return ring(8); }
PROGRAM(ring_24) { return ring(24); }
PROGRAM(ring_64) { return ring(64); }
