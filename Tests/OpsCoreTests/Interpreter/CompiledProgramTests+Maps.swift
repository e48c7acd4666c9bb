/// Programs over the maps that are neither plain hashes nor arrays.
extension CompiledProgramTests {
    static let mapSources: [Source] = [
        Source(
            name: "LRU and per-CPU hashes: eviction, per-CPU sums, walks",
            text: """
                MAP(recent, 9, __u32, __u64, 8);
                MAP(percpu, 5, __u32, __u64, 16);
                MAP(recent_percpu, 10, __u64, __u32, 4);
                static long each(void *map, __u32 *key, __u64 *value, __u64 *sum) {
                    *sum = *sum * 31 + *key * 7 + *value;
                    return 0;
                }
                SEC("test") long run(struct region *r) {
                    for (int i = 0; i < 48; i++) {
                        __u32 key = (r->a >> (i & 31)) & 15, low = key & 3;
                        __u64 one = 1, wide = key;
                        __u64 *seen = bpf_map_lookup_elem(&recent, &key);
                        if (seen) *seen += i; else bpf_map_update_elem(&recent, &key, &one, 0);
                        seen = bpf_map_lookup_elem(&percpu, &low);
                        if (seen) *seen += key; else bpf_map_update_elem(&percpu, &low, &wide, 1);
                        bpf_map_update_elem(&recent_percpu, &wide, &key, 0);
                        if (i % 11 == 10) bpf_map_delete_elem(&recent, &key);
                    }
                    __u64 sum = 0;
                    long n = bpf_for_each_map_elem(&recent, each, &sum, 0);
                    n += bpf_for_each_map_elem(&percpu, each, &sum, 0);
                    __u32 key = 2;
                    __u64 *other = lookup_percpu(&percpu, &key, 1);
                    if (other) r->c += *other + ++*other;
                    r->b = sum;
                    return n;
                }
                """),
        Source(
            name: "queue and stack: push, pop, peek",
            text: """
                #define push_ ((long (*)(void *map, const void *value, __u64 flags))87)
                #define pop_ ((long (*)(void *map, void *value))88)
                #define peek_ ((long (*)(void *map, void *value))89)
                #define KEYLESS(name_, type_) \\
                    struct { __uint(type, type_); __type(value, __u64); __uint(max_entries, 5); } name_ SEC(".maps")
                KEYLESS(queue, 22);
                KEYLESS(stack, 23);
                SEC("test") long run(struct region *r) {
                    long errors = 0;
                    for (int i = 0; i < 24; i++) {
                        __u64 value = r->a + i, top;
                        errors = errors * 3 + push_(&queue, &value, r->b >> i & 2);
                        errors = errors * 3 + push_(&stack, &value, 0);
                        if (r->c >> i & 1) {
                            errors += pop_(&queue, &value) + pop_(&stack, &top);
                            r->d = r->d * 5 + value + top;
                        }
                        errors += peek_(&queue, &value);
                        r->d ^= value;
                    }
                    return errors;
                }
                """),
    ]
}
