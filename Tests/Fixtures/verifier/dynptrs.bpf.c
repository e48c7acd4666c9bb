/* Dynptrs: made, used through their own functions only, given back. */
#include "fixture.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} ring SEC(".maps");
__u8 storage[64];
volatile __u64 seen;

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *to) __ksym __weak;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 at, void *buffer, __u32 size) __ksym __weak;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym __weak;

SEC("socket") EXPECT_ACCEPT int of_local_memory(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u32 word = 5;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    bpf_dynptr_write(&dynptr, 4, &word, sizeof(word), 0);
    bpf_dynptr_read(&word, sizeof(word), &dynptr, 0, 0);
    return word;
}

SEC("socket") EXPECT_REJECT("Unsupported reg type fp") int of_the_stack(void *ctx)
{
    struct bpf_dynptr dynptr;
    char buffer[16] = {};

    bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &dynptr);
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid access to map value") int of_more_memory_than_there_is(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u64 key = 0;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    if (entry)
        bpf_dynptr_from_mem(entry, sizeof(*entry) + 1, 0, &dynptr);
    return 0;
}

SEC("socket") EXPECT_ACCEPT int reserved_and_submitted(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u64 word = 1;

    bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &dynptr);
    bpf_dynptr_write(&dynptr, 0, &word, sizeof(word), 0);
    bpf_ringbuf_submit_dynptr(&dynptr, 0);
    return 0;
}

SEC("socket") EXPECT_ACCEPT int of_any_size(struct __sk_buff *skb)
{
    struct bpf_dynptr dynptr;

    bpf_ringbuf_reserve_dynptr(&ring, skb->len, 0, &dynptr);
    bpf_ringbuf_discard_dynptr(&dynptr, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("Unreleased reference") SUGGESTS("every path") int never_submitted(void *ctx)
{
    struct bpf_dynptr dynptr;

    bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &dynptr);
    FIX(, bpf_ringbuf_discard_dynptr(&dynptr, 0));
    return 0;
}

SEC("socket") EXPECT_REJECT("Unreleased reference") SUGGESTS("every path") int never_submitted_where_it_failed(void *ctx)
{
    struct bpf_dynptr dynptr;

    if (bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &dynptr)) {
        FIX(, bpf_ringbuf_discard_dynptr(&dynptr, 0));
        return 0;
    }
    bpf_ringbuf_submit_dynptr(&dynptr, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("initialized dynptr") int submitted_twice(void *ctx)
{
    struct bpf_dynptr dynptr;

    bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &dynptr);
    bpf_ringbuf_submit_dynptr(&dynptr, 0);
    bpf_ringbuf_submit_dynptr(&dynptr, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("initialized dynptr") int never_made(void *ctx)
{
    struct bpf_dynptr dynptr = {};
    __u32 word = 0;

    bpf_dynptr_read(&word, sizeof(word), &dynptr, 0, 0);
    return word;
}

SEC("socket") EXPECT_REJECT("initialized dynptr") int overwritten(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u32 word = 0;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    *(volatile __u64 *)&dynptr = 7;
    bpf_dynptr_read(&word, sizeof(word), &dynptr, 0, 0);
    return word;
}

SEC("socket") EXPECT_REJECT("cannot overwrite referenced dynptr") int a_reserved_one_overwritten(void *ctx)
{
    struct bpf_dynptr dynptr;

    bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &dynptr);
    *(volatile __u64 *)&dynptr = 7;
    bpf_ringbuf_submit_dynptr(&dynptr, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid read from stack") int read_directly(void *ctx)
{
    struct bpf_dynptr dynptr;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    return *(volatile __u64 *)&dynptr;
}

SEC("socket") EXPECT_REJECT("unacquired reference") int the_kind_does_not_fit(void *ctx)
{
    struct bpf_dynptr dynptr;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    bpf_ringbuf_submit_dynptr(&dynptr, 0);
    return 0;
}

SEC("socket") EXPECT_ACCEPT int a_piece_of_data(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u64 *data;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    data = bpf_dynptr_data(&dynptr, 8, 8);
    if (data)
        *data = 5;
    return 0;
}

SEC("socket") EXPECT_REJECT("mem_or_null") SUGGESTS("if (!data) return 0;") int a_piece_of_data_not_tested(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u64 *data;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    data = bpf_dynptr_data(&dynptr, 8, 8);
    FIX(, if (!data) return 0);
    *data = 5;
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid access to mem") int behind_a_piece_of_data(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u64 *data;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    data = bpf_dynptr_data(&dynptr, 8, 8);
    if (data)
        *(volatile __u64 *)(data + 1) = 5;
    return 0;
}

SEC("socket") EXPECT_REJECT("scalar") int a_piece_of_data_after_the_end(void *ctx)
{
    struct bpf_dynptr dynptr;
    __u64 *data;

    bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &dynptr);
    data = bpf_dynptr_data(&dynptr, 0, 8);
    if (!data) {
        bpf_ringbuf_discard_dynptr(&dynptr, 0);
        return 0;
    }
    bpf_ringbuf_submit_dynptr(&dynptr, 0);
    *data = 5;
    return 0;
}

SEC("socket") EXPECT_REJECT("R3") int a_piece_of_unknown_size(struct __sk_buff *skb)
{
    struct bpf_dynptr dynptr;
    __u64 *data;

    bpf_dynptr_from_mem(storage, sizeof(storage), 0, &dynptr);
    data = bpf_dynptr_data(&dynptr, 0, skb->len);
    return data != NULL;
}

SEC("tc") EXPECT_ACCEPT int of_a_packet(struct __sk_buff *skb)
{
    struct bpf_dynptr dynptr;
    __u8 buffer[14], *header;

    if (bpf_dynptr_from_skb(skb, 0, &dynptr))
        return 0;
    header = bpf_dynptr_slice(&dynptr, 0, buffer, sizeof(buffer));
    return header ? header[12] : 0;
}

SEC("tc") EXPECT_REJECT("cannot write into rdonly_mem") int a_slice_written(struct __sk_buff *skb)
{
    struct bpf_dynptr dynptr;
    __u8 buffer[14], *header;

    if (bpf_dynptr_from_skb(skb, 0, &dynptr))
        return 0;
    header = bpf_dynptr_slice(&dynptr, 0, buffer, sizeof(buffer));
    if (header)
        header[0] = 1;
    return 0;
}

SEC("tc") EXPECT_ACCEPT int its_size(struct __sk_buff *skb)
{
    struct bpf_dynptr dynptr;

    if (bpf_dynptr_from_skb(skb, 0, &dynptr))
        return 0;
    return bpf_dynptr_size(&dynptr) > 100;
}
