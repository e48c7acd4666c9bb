/* Parsers over a packet of known room: headers of variable length, checked before every step. */
#include "bench.h"

struct cursor {
    const __u8 *base;
    __u32 at;
    __u32 end;
};

static __always_inline int byte_at(struct cursor *c, __u32 offset)
{
    __u32 place = c->at + offset;

    if (place >= c->end || place >= BUFFER_BYTES)
        return -1;
    return c->base[place];
}

static __always_inline int half_at(struct cursor *c, __u32 offset)
{
    __u32 place = c->at + offset;

    if (place + 2 > c->end || place > BUFFER_BYTES - 2)
        return -1;
    return c->base[place] << 8 | c->base[place + 1];
}

static __always_inline int parse_options(struct cursor *c, int options)
{
    int seen = 0;

    for (int i = 0; i < options; i++) {
        int kind = byte_at(c, 0), length;

        if (kind <= 0)
            break;
        if (kind == 1) {
            c->at++;
            continue;
        }
        length = byte_at(c, 1);
        if (length < 2 || length > 40)
            return -1;
        switch (kind) {
        case 2: seen |= half_at(c, 2) > 536 ? 1 : 2; break;
        case 3: seen |= (byte_at(c, 2) & 15) << 8; break;
        case 4: seen |= 4; break;
        case 5: seen |= 8; break;
        case 8: seen |= 16; break;
        default: break;
        }
        c->at += length;
    }
    return seen;
}

static __always_inline int parse(int vlans, int extensions, int options)
{
    struct buffer *buffer = get_input();
    struct cursor c;
    int type, next = 0;

    if (!buffer)
        return 0;
    c = (struct cursor){buffer->bytes, 14, bpf_get_prandom_u32() % 1500 + 60};
    type = half_at(&c, -2);
#pragma unroll
    for (int i = 0; i < vlans; i++) {
        if (type != 0x8100 && type != 0x88a8)
            break;
        type = half_at(&c, 2);
        c.at += 4;
    }
    if (type == 0x0800) {
        int first = byte_at(&c, 0);

        if (first < 0 || first >> 4 != 4 || (first & 15) < 5)
            return 1;
        next = byte_at(&c, 9);
        c.at += (first & 15) * 4;
    } else if (type == 0x86dd) {
        next = byte_at(&c, 6);
        c.at += 40;
#pragma unroll
        for (int i = 0; i < extensions; i++) {
            int length;

            if (next != 0 && next != 43 && next != 60)
                break;
            length = byte_at(&c, 1);
            next = byte_at(&c, 0);
            if (length < 0)
                return 2;
            c.at += (length + 1) * 8;
        }
    } else {
        return 3;
    }
    if (next == 6) {
        int offset = byte_at(&c, 12), flags = byte_at(&c, 13);

        if (offset < 0 || flags < 0)
            return 4;
        count(flags & 63);
        c.end = c.at + (offset >> 4) * 4;
        c.at += 20;
        return parse_options(&c, options);
    }
    if (next == 17)
        return half_at(&c, 4) >= 8 ? half_at(&c, 2) : 5;
    return 6;
}

PROGRAM(parse_plain) { return parse(0, 0, 2); }
PROGRAM(parse_vlan) { return parse(2, 0, 4); }
PROGRAM(parse_one_vlan) { return parse(1, 0, 3); }

/* Type, length, value; nested one level. */
static __always_inline int tlv(int outer, int inner)
{
    struct buffer *buffer = get_input();
    __u32 at = 0;
    int sum = 0;

    if (!buffer)
        return 0;
    for (int i = 0; i < outer; i++) {
        __u32 type, length;

        if (at > BUFFER_BYTES - 2)
            break;
        type = buffer->bytes[at];
        length = buffer->bytes[at + 1];
        at += 2;
        if (type == 0)
            break;
        if (type & 0x80) {
            __u32 place = at;

            for (int j = 0; j < inner; j++) {
                if (place >= at + length || place > BUFFER_BYTES - 2)
                    break;
                sum += buffer->bytes[place] ^ type;
                place += buffer->bytes[place + 1] + 2;
            }
        } else if (type < 64) {
            count(type);
        }
        at += length;
    }
    return sum;
}

PROGRAM(tlv_and_packet) { return tlv(4, 2) + parse(0, 0, 1); }
