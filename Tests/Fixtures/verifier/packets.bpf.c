/* Packet pointers: what a comparison with the end says, and when it is forgotten. */
#include "fixture.h"

#define PACKET(xdp, data, end) void *data = (void *)(long)(xdp)->data, *end = (void *)(long)(xdp)->data_end

SEC("xdp") EXPECT_ACCEPT int one_byte(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);

    if (data + 1 > end)
        return XDP_DROP;
    return *(__u8 *)data == 4 ? XDP_PASS : XDP_DROP;
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") SUGGESTS("data_end") int no_check(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);

    FIX((void)end, if (data + 1 > end) return XDP_DROP);
    return *(volatile __u8 *)data;
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") SUGGESTS("data_end") int one_byte_too_far(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);

    if (data + FIX(13, 14) > end)
        return XDP_DROP;
    return *(__u16 *)(data + 12);
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") int before_the_start(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);

    if (data + 1 > end)
        return XDP_DROP;
    return *(volatile __u8 *)(data - 1);
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") int the_wrong_way(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);

    if (data + 14 > end)
        return *(volatile __u16 *)(data + 12);
    return XDP_PASS;
}

/* data + 8 < end leaves at least nine bytes. */
SEC("xdp") EXPECT_ACCEPT __naked int strictly_below_gives_one_more(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 8; if r4 >= r3 goto 1f;"
        "r0 = *(u8 *)(r2 + 8);" END);
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") __naked int strictly_below_gives_only_one_more(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 8; if r4 >= r3 goto 1f;"
        "r0 = *(u8 *)(r2 + 9);" END);
}

SEC("xdp") EXPECT_ACCEPT __naked int the_end_on_the_left(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 8; if r3 < r4 goto 1f;"
        "r0 = *(u64 *)(r2 + 0);" END);
}

SEC("xdp") EXPECT_ACCEPT __naked int the_jump_is_the_good_way(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 8; if r4 <= r3 goto +2; r0 = 0; exit;"
        "r0 = *(u64 *)(r2 + 0);" RETURN_0);
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") __naked int the_end_compared_the_wrong_way(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 8; if r3 > r4 goto 1f;"
        "r0 = *(u64 *)(r2 + 0);" END);
}

SEC("xdp") EXPECT_REJECT("pkt_end") __naked int a_load_from_the_end(void)
{
    asm("r3 = *(u32 *)(r1 + 4); r0 = *(u8 *)(r3 + 0); exit;");
}

SEC("xdp") EXPECT_REJECT("pkt_end") __naked int arithmetic_on_the_end(void)
{
    asm("r3 = *(u32 *)(r1 + 4); r3 += -1; r0 = 0; exit;");
}

SEC("xdp") EXPECT_ACCEPT int headers_of_variable_length(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);
    __u8 *ip = data + 14, *tcp;

    if ((void *)(ip + 20) > end)
        return XDP_DROP;
    tcp = ip + (ip[0] & 15) * 4;
    if ((void *)(tcp + 20) > end)
        return XDP_DROP;
    return tcp[13] & 2 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") SUGGESTS("data_end")
int headers_of_unchecked_length(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);
    __u8 *ip = data + 14, *tcp;

    if ((void *)(ip + 20) > end)
        return XDP_DROP;
    tcp = ip + (ip[0] & 15) * 4;
    FIX(, if ((void *)(tcp + 14) > end) return XDP_DROP;)
    return tcp[13] & 2 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") EXPECT_REJECT("packet") __naked int a_variable_offset_checked_before(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 64; if r4 > r3 goto 1f;"
        "r5 = *(u8 *)(r2 + 0); r2 += r5; r0 = *(u8 *)(r2 + 0);" END);
}

SEC("xdp") EXPECT_REJECT("packet") __naked int an_offset_of_64_k(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r5 = *(u32 *)(r1 + 12); r5 &= 0x1ffff; r2 += r5;"
        "r4 = r2; r4 += 8; if r4 > r3 goto 1f; r0 = *(u64 *)(r2 + 0);" END);
}

SEC("xdp") EXPECT_ACCEPT __naked int an_offset_below_64_k(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r5 = *(u32 *)(r1 + 12); r5 &= 0x7fff; r2 += r5;"
        "r4 = r2; r4 += 8; if r4 > r3 goto 1f; r0 = *(u64 *)(r2 + 0);" END);
}

SEC("xdp") EXPECT_ACCEPT int written(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);

    if (data + 6 > end)
        return XDP_DROP;
    *(__u32 *)data = 0;
    *(__u16 *)(data + 4) = 0;
    return XDP_TX;
}

SEC("xdp") EXPECT_REJECT("invalid mem access 'scalar'") int forgotten_when_the_head_moves(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);

    if (data + 14 > end)
        return XDP_DROP;
    if (bpf_xdp_adjust_head(xdp, -8))
        return XDP_DROP;
    return *(__u8 *)data;
}

SEC("xdp") EXPECT_ACCEPT int checked_again_when_the_head_moves(struct xdp_md *xdp)
{
    void *data, *end;

    if (bpf_xdp_adjust_head(xdp, -8))
        return XDP_DROP;
    data = (void *)(long)xdp->data;
    end = (void *)(long)xdp->data_end;
    if (data + 14 > end)
        return XDP_DROP;
    return *(__u8 *)data ? XDP_PASS : XDP_DROP;
}

SEC("xdp") EXPECT_ACCEPT int metadata(struct xdp_md *xdp)
{
    void *meta = (void *)(long)xdp->data_meta, *data = (void *)(long)xdp->data;

    if (meta + 4 > data)
        return XDP_PASS;
    return *(__u32 *)meta ? XDP_PASS : XDP_DROP;
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") int metadata_not_checked(struct xdp_md *xdp)
{
    void *meta = (void *)(long)xdp->data_meta, *end = (void *)(long)xdp->data_end;

    if (meta + 4 > end)
        return XDP_PASS;
    return *(__u32 *)meta ? XDP_PASS : XDP_DROP;
}

SEC("xdp") EXPECT_ACCEPT int a_bounded_loop_over_options(struct xdp_md *xdp)
{
    PACKET(xdp, data, end);
    __u8 *at = data;
    int sum = 0;

    for (int i = 0; i < 10; i++) {
        if ((void *)(at + 4) > end)
            break;
        sum += at[3];
        at += 4;
    }
    return sum > 100 ? XDP_DROP : XDP_PASS;
}

SEC("tc") EXPECT_ACCEPT int of_a_socket_buffer(struct __sk_buff *skb)
{
    PACKET(skb, data, end);

    if (data + 14 > end)
        return 0;
    return *(__u16 *)(data + 12) == 8;
}

SEC("tc") EXPECT_REJECT("R") int forgotten_when_data_is_pulled(struct __sk_buff *skb)
{
    PACKET(skb, data, end);

    if (data + 14 > end)
        return 0;
    bpf_skb_pull_data(skb, 64);
    return *(__u16 *)(data + 12) == 8;
}

SEC("tc") EXPECT_REJECT("R") int forgotten_when_a_callee_changes_it(struct __sk_buff *skb);

static __noinline int pulls(struct __sk_buff *skb) { return bpf_skb_pull_data(skb, 64); }

SEC("tc") int forgotten_when_a_callee_changes_it(struct __sk_buff *skb)
{
    PACKET(skb, data, end);

    if (data + 14 > end)
        return 0;
    pulls(skb);
    return *(__u16 *)(data + 12) == 8;
}

SEC("tc") EXPECT_ACCEPT int handed_to_a_helper(struct __sk_buff *skb)
{
    PACKET(skb, data, end);

    if (data + 20 > end)
        return 0;
    return bpf_csum_diff(NULL, 0, data, 20, 0);
}

SEC("tc") EXPECT_REJECT("invalid access to packet") int handed_to_a_helper_with_too_much(struct __sk_buff *skb)
{
    PACKET(skb, data, end);

    if (data + 20 > end)
        return 0;
    return bpf_csum_diff(NULL, 0, data, 24, 0);
}

SEC("tc") EXPECT_ACCEPT int as_a_map_key(struct __sk_buff *skb)
{
    PACKET(skb, data, end);

    if (data + 8 > end)
        return 0;
    return bpf_map_lookup_elem(&table, data) != NULL;
}

SEC("socket") EXPECT_REJECT("bpf_context") int socket_filters_have_no_packet_pointers(struct __sk_buff *skb)
{
    PACKET(skb, data, end);

    return data + 1 > end;
}

SEC("xdp") EXPECT_ACCEPT __naked int the_length_as_a_number(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r3 -= r2; r0 = 2; if r3 > 100 goto +1; r0 = 1; exit;");
}

SEC("tc") EXPECT_REJECT("prohibited") __naked int two_packet_pointers_added(void)
{
    asm("r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 76); r3 += r2; r0 = 0; exit;");
}
