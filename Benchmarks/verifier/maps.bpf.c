/* Lookups, updates and null checks; values worked on in place. */
#include "bench.h"

struct flow {
    __u64 packets, bytes, first, last;
    __u32 minimum, maximum;
    __u16 buckets[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64[2]);
    __type(value, struct flow);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 16);
    __type(key, __u32);
    __type(value, struct flow);
} totals SEC(".maps");

static __always_inline void account(struct flow *flow, __u32 size, __u64 now)
{
    flow->packets++;
    flow->bytes += size;
    flow->last = now;
    if (size < flow->minimum)
        flow->minimum = size;
    if (size > flow->maximum)
        flow->maximum = size;
    flow->buckets[size >> 7 & 15]++;
}

static __always_inline int one_packet(__u64 a, __u64 b, __u32 size)
{
    __u64 key[2] = {a, b}, now = bpf_ktime_get_ns();
    struct flow *flow = bpf_map_lookup_elem(&flows, key);
    __u32 index = a & 15;
    struct flow *total = bpf_map_lookup_elem(&totals, &index);

    if (total)
        account(total, size, now);
    if (!flow) {
        struct flow fresh = {.first = now, .minimum = ~0u};

        account(&fresh, size, now);
        return bpf_map_update_elem(&flows, key, &fresh, 0);
    }
    if (now - flow->last > 1000000000ULL) {
        bpf_map_delete_elem(&flows, key);
        return 2;
    }
    account(flow, size, now);
    return 1;
}

static __always_inline int packets(int n)
{
    struct buffer *buffer = get_input();
    int sum = 0;

    if (!buffer)
        return 0;
#pragma unroll
    for (int i = 0; i < n; i++) {
        __u64 *words = (__u64 *)buffer->bytes + i * 3;

        sum += one_packet(words[0], words[1], words[2] & 0xffff);
    }
    return sum;
}

PROGRAM(flows_1) { return packets(1); }
PROGRAM(flows_2) { return packets(2); }
PROGRAM(flows_4) { return packets(4); }
PROGRAM(flows_8) { return packets(8); }
PROGRAM(flows_12) { return packets(12); }

static __always_inline int lookups(int n)
{
    __u64 key = bpf_ktime_get_ns(), sum = 0;

#pragma unroll
    for (int i = 0; i < n; i++) {
        __u64 *value = bpf_map_lookup_elem(&table, &key);

        if (!value)
            return i;
        sum += value[0] ^ value[3];
        key = value[1];
        value[2] = sum;
    }
    return sum & 0xff;
}

PROGRAM(chain_8) { return lookups(8); }
PROGRAM(chain_24) { return lookups(24); }
PROGRAM(chain_64) { return lookups(64); }

/* A sketch: independent counters, saturating. */
static __always_inline int sketch(int rows)
{
    __u64 item = bpf_ktime_get_ns();
    __u64 least = ~0ULL;

#pragma unroll
    for (int i = 0; i < rows; i++) {
        __u32 index = (item * (0x9e3779b97f4a7c15ULL + i * 2)) >> 58;
        __u64 *value = bpf_map_lookup_elem(&counters, &index);

        if (!value)
            continue;
        if (*value < 0xffffffff)
            (*value)++;
        if (*value < least)
            least = *value;
    }
    return least & 0xffff;
}

PROGRAM(sketch_6) { return sketch(6); }
PROGRAM(sketch_10) { return sketch(10); }

/* A token bucket with several rates. */
struct bucket {
    __u64 tokens, at;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, struct bucket[4]);
} buckets SEC(".maps");

static __always_inline int take(int rates)
{
    __u32 key = bpf_get_smp_processor_id();
    __u64 now = bpf_ktime_get_ns();
    struct bucket *value = bpf_map_lookup_elem(&buckets, &key);
    int refused = 0;

    if (!value) {
        struct bucket fresh[4] = {};

        bpf_map_update_elem(&buckets, &key, fresh, 0);
        return -1;
    }
#pragma unroll
    for (int i = 0; i < rates; i++) {
        struct bucket *bucket = value + (i & 3);
        __u64 elapsed = now - bucket->at;
        __u64 tokens = bucket->tokens + elapsed / (1000 << i);

        if (tokens > 1000)
            tokens = 1000;
        if (tokens >= 10) {
            bucket->tokens = tokens - 10;
            bucket->at = now;
        } else {
            refused |= 1 << i;
        }
    }
    return refused;
}

PROGRAM(buckets_8) { return take(8); }
PROGRAM(buckets_16) { return take(16); }
