/* Mistakes that everybody makes, each with what our report suggests; -DFIXED does what it says. */
#include "fixture.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} ring SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_QUEUE);
    __uint(max_entries, 8);
    __type(value, __u64);
} queue SEC(".maps");
struct guarded {
    __u64 count, total;
    struct bpf_spin_lock lock;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __type(key, __u64);
    __type(value, struct guarded);
} guarded SEC(".maps");
__u64 slots[16];
FIX(const, ) volatile __u32 setting = 3;
volatile __u64 seen;

static struct entry *find(__u64 key) { return bpf_map_lookup_elem(&table, &key); }

SEC("socket") EXPECT_REJECT("unbounded") SUGGESTS("if (") int an_index_without_a_bound(struct __sk_buff *skb)
{
    __u64 i = ((__u64)skb->mark << 32) | skb->len;

    FIX(, if (i >= 16) return 0);
    return slots[i];
}

SEC("socket") EXPECT_REJECT("min value") SUGGESTS("unsigned") int a_signed_index(struct __sk_buff *skb)
{
    __s64 i = (__s32)skb->mark;

    FIX(, if (i < 0) return 0);
    if (i >= 16)
        return 0;
    return slots[i];
}

SEC("socket") EXPECT_REJECT("invalid access to map value") SUGGESTS("if (") int an_index_off_by_one(struct __sk_buff *skb)
{
    __u64 i = skb->mark;
    struct entry *entry = find(2);

    if (!entry || i > FIX(8, 7))
        return 0;
    return entry->bytes[i];
}

SEC("socket") EXPECT_REJECT("invalid access to map value") SUGGESTS("larger") int a_value_too_small(struct __sk_buff *skb)
{
    struct entry *entry = find(1);

    return entry ? ((volatile __u64 *)entry)[FIX(4, 3)] : 0;
}

SEC("socket") EXPECT_REJECT("write into map") SUGGESTS("without const") int a_constant_written(struct __sk_buff *skb)
{
    *(volatile __u32 *)&setting = skb->len;
    return 0;
}

SEC("socket") EXPECT_REJECT("or_null") SUGGESTS("if (!entry) return 0;") int a_lookup_not_tested(struct __sk_buff *skb)
{
    __u64 key = skb->len;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    FIX(, if (!entry) return 0);
    entry->a += 1;
    return 0;
}

SEC("socket") EXPECT_REJECT("or_null") SUGGESTS("return 0;") int a_lookup_handed_on(struct __sk_buff *skb)
{
    __u64 key = skb->len, other = 7;
    struct entry *entry = bpf_map_lookup_elem(&table, &key);

    FIX(, if (!entry) return 0);
    return bpf_map_update_elem(&table, &other, entry, 0);
}

SEC("socket") EXPECT_REJECT("R2") SUGGESTS("address") int a_number_for_a_key(struct __sk_buff *skb)
{
    __u64 key = skb->len;

    return bpf_map_lookup_elem(&table, FIX((void *)key, &key)) != NULL;
}

SEC("socket") EXPECT_REJECT("cannot pass map_type") SUGGESTS("helpers made for the type") int a_lookup_in_a_queue(void *ctx)
{
    __u64 value = 0;

    return FIX(bpf_map_lookup_elem(&queue, &value) != NULL, bpf_map_pop_elem(&queue, &value));
}

SEC("socket") EXPECT_REJECT("modified ctx") SUGGESTS("ctx") __naked int a_moved_context(void)
{
    asm(FIX("r1 += 4; r0 = *(u32 *)(r1 + 0); exit;", "r0 = *(u32 *)(r1 + 4); exit;"));
}

SEC("xdp") EXPECT_REJECT("pkt_end") SUGGESTS("data_end") __naked int the_end_moved(void)
{
    asm("r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4);" FIX("r3 += -8; if r2 > r3 goto 1f;", "r4 = r2; r4 += 8; if r4 > r3 goto 1f;")
        "r0 = *(u64 *)(r2 + 0);" END);
}

SEC("xdp") EXPECT_REJECT("BPF_ATOMIC") SUGGESTS("map value or a local variable") int an_atomic_on_a_packet(struct xdp_md *xdp)
{
    __u64 *data = (void *)(long)xdp->data;

    if ((void *)(data + 1) > (void *)(long)xdp->data_end)
        return XDP_DROP;
    __sync_fetch_and_add(FIX(data, &slots[0]), 1);
    return XDP_PASS;
}

SEC("cgroup_skb/egress") EXPECT_REJECT("R0") SUGGESTS("Return a") int a_verdict_that_is_none(struct __sk_buff *skb)
{
    return FIX(skb->len, skb->len > 100);
}

static long one_turn(__u32 i, __u64 *sum)
{
    *sum += i;
    return FIX(i, i > 5);
}

SEC("socket") EXPECT_REJECT("R0") SUGGESTS("Return") int a_callback_that_returns_anything(void *ctx)
{
    __u64 sum = 0;

    bpf_loop(10, one_turn, &sum, 0);
    return sum;
}

SEC("tc") EXPECT_REJECT("spin_lock") SUGGESTS("one by one") int a_lock_read(void *ctx)
{
    __u64 key = 0;
    struct guarded *value = bpf_map_lookup_elem(&guarded, &key);

    if (!value)
        return 0;
    seen = value->count FIX(+*(volatile __u32 *)&value->lock, );
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") SUGGESTS("same value") int a_lock_mixed_up(void *ctx)
{
    __u64 one = 1, two = 2;
    struct guarded *a = bpf_map_lookup_elem(&guarded, &one), *b = bpf_map_lookup_elem(&guarded, &two);

    if (!a || !b)
        return 0;
    bpf_spin_lock(&a->lock);
    a->count++;
    bpf_spin_unlock(&FIX(b, a)->lock);
    return 0;
}

SEC("socket") EXPECT_REJECT("R2") SUGGESTS("a size that the compiler knows") int a_record_of_any_size(struct __sk_buff *skb)
{
    void *record = bpf_ringbuf_reserve(&ring, FIX(skb->len, 64), 0);

    if (record)
        bpf_ringbuf_discard(record, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("Unreleased reference") SUGGESTS("bpf_iter_num_destroy") int an_iterator_left_alone(void *ctx)
{
    struct bpf_iter_num it;
    int *i;

    bpf_iter_num_new(&it, 0, 5);
    while ((i = bpf_iter_num_next(&it)))
        seen += *i;
    FIX(, bpf_iter_num_destroy(&it));
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("rcu") SUGGESTS("every path") int a_region_left_open(__u64 *ctx)
{
    bpf_rcu_read_lock();
    if (ctx[1] & 1) {
        FIX(, bpf_rcu_read_unlock());
        return 0;
    }
    bpf_rcu_read_unlock();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("preempt") SUGGESTS("every path") int preemption_left_off(__u64 *ctx)
{
    bpf_preempt_disable();
    seen++;
    FIX(, bpf_preempt_enable());
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("NULL") SUGGESTS("return 0;") int a_task_that_may_not_exist(__u64 *ctx)
{
    struct task_struct *task = bpf_task_from_pid(1);

    FIX(, if (!task) return 0);
    bpf_task_release(task);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("scalar") SUGGESTS("bpf_probe_read_kernel") int a_pointer_kept_as_a_number(__u64 *ctx)
{
    struct entry *entry = find(3);
    struct task_struct *task;
    int pid = 0;

    if (!entry)
        return 0;
    task = (void *)entry->a;
    FIX(pid = task->pid, bpf_probe_read_kernel(&pid, sizeof(pid), &task->pid));
    return pid;
}

SEC("socket") EXPECT_REJECT("infinite loop") SUGGESTS("counter") int a_loop_for_ever(struct __sk_buff *skb)
{
    __u32 i = 0;

    while (FIX(1, i < 100)) {
        if (bpf_get_prandom_u32() == skb->len)
            break;
        i FIX(= 0, += 1);
        barrier(i);
    }
    return i;
}

static long writes_key(void *map, __u64 *key, struct entry *entry, void *data)
{
    FIX(*key, entry->a) = 1;
    return 0;
}

SEC("socket") EXPECT_REJECT("key") SUGGESTS("new key") int a_key_changed(void *ctx)
{
    return bpf_for_each_map_elem(&table, writes_key, NULL, 0);
}

SEC("xdp") EXPECT_REJECT("invalid access to packet") SUGGESTS("data_end") int a_packet_not_checked_again(struct xdp_md *xdp)
{
    __u8 *at = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;

    if (at + 14 > end)
        return XDP_DROP;
    at += at[0] & 15;
    FIX(, if (at + 1 > end) return XDP_DROP);
    return at[0] ? XDP_PASS : XDP_DROP;
}

SEC("socket") EXPECT_REJECT("zero-sized") SUGGESTS("== 0") int a_size_of_zero(struct __sk_buff *skb)
{
    __u64 size = skb->mark & 15;
    char buffer[16];

    FIX(, if (size == 0) return 0);
    barrier(size);
    return bpf_skb_load_bytes(skb, 0, buffer, FIX(size, (size - 1 & 15) + 1));
}
