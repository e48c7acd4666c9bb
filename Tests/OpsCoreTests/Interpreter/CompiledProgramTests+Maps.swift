/// Programs over the maps that are neither plain hashes nor arrays.
extension CompiledProgramTests {
    static let timerSource = Source(
        name: "timers: start, restart, cancel, delete, fire in order",
        text: """
            #define timer_init_ ((long (*)(void *timer, void *map, __u64 clock))169)
            #define timer_set_callback_ ((long (*)(void *timer, void *callback))170)
            #define timer_start_ ((long (*)(void *timer, __u64 ns, __u64 flags))171)
            #define timer_cancel_ ((long (*)(void *timer))172)
            struct bpf_timer { __u64 opaque[2]; };
            struct slot { __u64 fired, last; struct bpf_timer timer; };
            MAP(slots, 1, __u32, struct slot, 8);
            MAP(recent, 9, __u32, struct slot, 3);
            MAP(cells, 2, __u32, struct slot, 4);
            __u64 order;
            static int fire(void *map, __u32 *key, struct slot *slot) {
                slot->fired++; slot->last = bpf_ktime_get_ns();
                order = order * 31 + *key * 5 + slot->fired;
                if (slot->fired < 4) order += timer_start_(&slot->timer, 700000 * (*key + 1), 0);
                else if (*key == 3) order += timer_cancel_(&slot->timer);
                return 0;
            }
            static int fire_and_delete(void *map, __u32 *key, struct slot *slot) {
                order = order * 17 + *key;
                bpf_map_delete_elem(&slots, key);
                return 0;
            }
            SEC("test") long run(struct region *r) {
                struct slot empty = {};
                long errors = 0;
                for (int i = 0; i < 6; i++) {
                    __u32 key = i;
                    bpf_map_update_elem(&slots, &key, &empty, 0);
                    struct slot *slot = bpf_map_lookup_elem(&slots, &key);
                    if (!slot) continue;
                    errors = errors * 7 + timer_start_(&slot->timer, 1, 0);
                    errors = errors * 7 + timer_init_(&slot->timer, &slots, i);
                    errors = errors * 7 + timer_init_(&slot->timer, &slots, 1);
                    errors = errors * 7 + timer_start_(&slot->timer, 1, 0);
                    if (i == 4) timer_set_callback_(&slot->timer, fire_and_delete);
                    else timer_set_callback_(&slot->timer, fire);
                    errors = errors * 7 + timer_start_(&slot->timer, 1000000 + (r->a >> i & 3) * 500000, i & 3);
                    if (i == 2) errors = errors * 7 + timer_cancel_(&slot->timer);
                    if (i == 5) bpf_map_delete_elem(&slots, &key);
                    key = i & 3;
                    slot = bpf_map_lookup_elem(&cells, &key);
                    if (!slot) continue;
                    errors = errors * 7 + timer_init_(&slot->timer, &cells, 7);
                    timer_set_callback_(&slot->timer, fire);
                    errors = errors * 7 + timer_start_(&slot->timer, r->b >> i & 0x1fffff, 0);
                    key = i;
                    bpf_map_update_elem(&recent, &key, &empty, 0);
                    slot = bpf_map_lookup_elem(&recent, &key);
                    if (!slot) continue;
                    errors = errors * 7 + timer_init_(&slot->timer, &recent, 0);
                    timer_set_callback_(&slot->timer, fire);
                    errors = errors * 7 + timer_start_(&slot->timer, 1500000, 0);
                }
                r->c = order;
                return errors;
            }
            """)

    static let mapSources: [Source] = [
        timerSource,
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
