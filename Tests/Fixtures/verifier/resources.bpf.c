/* What must be given back: references, ring buffer records, locks, RCU and preemption regions. */
#include "fixture.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} ring SEC(".maps");
struct counted {
    struct bpf_spin_lock lock;
    __u32 count;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, struct counted);
} counted SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct counted);
} counted_more SEC(".maps");
volatile __u64 seen;

struct record {
    __u64 a, b;
};
#define RESERVE() bpf_ringbuf_reserve(&ring, sizeof(struct record), 0)

/* ---- ring buffer records ---- */

SEC("socket") EXPECT_ACCEPT int submitted(void *ctx)
{
    struct record *record = RESERVE();

    if (!record)
        return 0;
    record->a = record->b = 1;
    bpf_ringbuf_submit(record, 0);
    return 0;
}

SEC("socket") EXPECT_ACCEPT int discarded(void *ctx)
{
    struct record *record = RESERVE();

    if (record)
        bpf_ringbuf_discard(record, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("Unreleased reference") SUGGESTS("every path") int forgotten(void *ctx)
{
    struct record *record = RESERVE();

    if (!record)
        return 0;
    record->a = 1;
    FIX(, bpf_ringbuf_submit(record, 0));
    return 0;
}

SEC("socket") EXPECT_REJECT("Unreleased reference") SUGGESTS("every path") int forgotten_on_one_way(struct __sk_buff *skb)
{
    struct record *record = RESERVE();

    if (!record)
        return 0;
    if (skb->len > 100) {
        FIX(, bpf_ringbuf_discard(record, 0));
        return 1;
    }
    bpf_ringbuf_submit(record, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("mem") int record_not_tested(void *ctx)
{
    struct record *record = RESERVE();

    record->a = 1;
    bpf_ringbuf_submit(record, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("R1") int submitted_though_null(void *ctx)
{
    bpf_ringbuf_submit(RESERVE(), 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("R1") int submitted_twice(void *ctx)
{
    struct record *record = RESERVE();

    if (!record)
        return 0;
    bpf_ringbuf_submit(record, 0);
    bpf_ringbuf_submit(record, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid mem access 'scalar'") int used_after_it_was_submitted(void *ctx)
{
    struct record *record = RESERVE();

    if (!record)
        return 0;
    bpf_ringbuf_submit(record, 0);
    record->a = 1;
    return 0;
}

SEC("socket") EXPECT_REJECT("R1") int submitted_from_the_middle(void *ctx)
{
    struct record *record = RESERVE();

    if (!record)
        return 0;
    bpf_ringbuf_submit(&record->b, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("invalid access to mem") int behind_the_record(void *ctx)
{
    __u64 *record = bpf_ringbuf_reserve(&ring, 16, 0);

    if (!record)
        return 0;
    *(volatile __u64 *)&record[2] = 1;
    bpf_ringbuf_submit(record, 0);
    return 0;
}

SEC("socket") EXPECT_REJECT("R2") int a_record_of_unknown_size(struct __sk_buff *skb)
{
    void *record = bpf_ringbuf_reserve(&ring, skb->len, 0);

    if (record)
        bpf_ringbuf_discard(record, 0);
    return 0;
}

SEC("socket") EXPECT_ACCEPT __naked int a_spilled_record(void)
{
    asm("r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto 1f; *(u64 *)(r10 - 8) = r0; r1 = *(u64 *)(r10 - 8);"
        "r2 = 0; call 132;" END);
}

SEC("socket") EXPECT_REJECT("R1") __naked int submitted_through_both_copies(void)
{
    asm("r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto 1f; *(u64 *)(r10 - 8) = r0; r1 = r0;"
        "r2 = 0; call 132; r1 = *(u64 *)(r10 - 8); r2 = 0; call 132;" END);
}

SEC("socket") EXPECT_REJECT("Unreleased reference") __naked int two_records_one_submitted(void)
{
    asm("r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto 1f; r6 = r0;"
        "r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto 2f; r1 = r0; r2 = 0; call 132; r0 = 0; exit;"
        "2: r1 = r6; r2 = 0; call 132;" END);
}

SUBPROG __u64 reserves(void) { asm("r1 = ring ll; r2 = 16; r3 = 0; call 131; exit;"); }
SUBPROG __u64 submits(void) { asm("r2 = 0; call 132; r0 = 0; exit;"); }

SEC("socket") EXPECT_ACCEPT __naked int reserved_and_submitted_by_functions(void)
{
    asm("call reserves; if r0 == 0 goto 1f; r1 = r0; call submits;" END);
}

SEC("socket") EXPECT_REJECT("Unreleased reference") __naked int reserved_by_a_function_and_forgotten(void)
{
    asm("call reserves; r0 = 0; exit;");
}

SEC("socket") EXPECT_ACCEPT int output(struct __sk_buff *skb)
{
    struct record record = {skb->len, 1};

    return bpf_ringbuf_output(&ring, &record, sizeof(record), 0);
}

/* ---- objects of the kernel ---- */

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_task_released(__u64 *ctx)
{
    struct task_struct *task = bpf_task_from_pid(1);

    if (!task)
        return 0;
    seen = task->tgid;
    bpf_task_release(task);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("Unreleased reference") SUGGESTS("every path") int a_task_kept(__u64 *ctx)
{
    struct task_struct *task = bpf_task_from_pid(1);

    if (!task)
        return 0;
    seen = task->tgid;
    FIX(, bpf_task_release(task));
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("NULL") int a_task_released_untested(__u64 *ctx)
{
    bpf_task_release(bpf_task_from_pid(1));
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("got scalar") int a_task_released_twice(__u64 *ctx)
{
    struct task_struct *task = bpf_task_from_pid(1);

    if (!task)
        return 0;
    bpf_task_release(task);
    bpf_task_release(task);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("release") int an_argument_released(__u64 *ctx)
{
    bpf_task_release((void *)ctx[0]);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("ptr_or_null") int a_task_not_tested(__u64 *ctx)
{
    struct task_struct *task = bpf_task_from_pid(1);

    seen = task->tgid;
    bpf_task_release(task);
    return 0;
}

SEC("tc") EXPECT_ACCEPT int a_socket_released(struct __sk_buff *skb)
{
    __u32 tuple[3] = {0x0100007f, skb->mark, 80};
    void *sock = bpf_sk_lookup_tcp(skb, tuple, sizeof(tuple), -1, 0);

    if (sock)
        bpf_sk_release(sock);
    return 0;
}

SEC("tc") EXPECT_REJECT("Unreleased reference") int a_socket_kept(struct __sk_buff *skb)
{
    __u32 tuple[3] = {0x0100007f, skb->mark, 80};

    return bpf_sk_lookup_tcp(skb, tuple, sizeof(tuple), -1, 0) != NULL;
}

/* ---- spin locks ---- */

SEC("tc") EXPECT_ACCEPT int locked_and_unlocked(void *ctx)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);

    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    value->count++;
    bpf_spin_unlock(&value->lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("spin_lock") SUGGESTS("every path") int left_locked(void *ctx)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);

    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    value->count++;
    FIX(, bpf_spin_unlock(&value->lock));
    return 0;
}

SEC("tc") EXPECT_REJECT("spin_lock") SUGGESTS("every path") int left_locked_on_one_way(struct __sk_buff *skb)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);

    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    if (value->count > 5) {
        FIX(, bpf_spin_unlock(&value->lock));
        return 1;
    }
    bpf_spin_unlock(&value->lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") int locked_twice(void *ctx)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);

    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    bpf_spin_lock(&value->lock);
    bpf_spin_unlock(&value->lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") int unlocked_without_a_lock(void *ctx)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);

    if (value)
        bpf_spin_unlock(&value->lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") int another_lock_unlocked(void *ctx)
{
    __u32 key = 0;
    struct counted *a = bpf_map_lookup_elem(&counted, &key), *b = bpf_map_lookup_elem(&counted, &key);

    if (!a || !b)
        return 0;
    bpf_spin_lock(&a->lock);
    bpf_spin_unlock(&b->lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") int two_locks_at_once(void *ctx)
{
    __u32 key = 0;
    struct counted *a = bpf_map_lookup_elem(&counted, &key), *b = bpf_map_lookup_elem(&counted_more, &key);

    if (!a || !b)
        return 0;
    bpf_spin_lock(&a->lock);
    bpf_spin_lock(&b->lock);
    bpf_spin_unlock(&b->lock);
    bpf_spin_unlock(&a->lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") SUGGESTS("bpf_spin_unlock") int a_call_under_a_lock(void *ctx)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);
    __u64 now;

    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    FIX(now = bpf_get_prandom_u32(), now = 1);
    value->count = now;
    bpf_spin_unlock(&value->lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("doesn't point to 'struct bpf_spin_lock'") int a_lock_at_a_wrong_offset(void *ctx)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);

    if (!value)
        return 0;
    bpf_spin_lock((void *)&value->count);
    bpf_spin_unlock((void *)&value->count);
    return 0;
}

SEC("tc") EXPECT_REJECT("type=fp expected=map_value") int a_lock_on_the_stack(void *ctx)
{
    struct bpf_spin_lock lock = {};

    bpf_spin_lock(&lock);
    bpf_spin_unlock(&lock);
    return 0;
}

static __noinline void increments(struct counted *value) { value->count++; }

SEC("tc") EXPECT_ACCEPT int a_static_function_under_a_lock(void *ctx)
{
    __u32 key = 0;
    struct counted *value = bpf_map_lookup_elem(&counted, &key);

    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    increments(value);
    bpf_spin_unlock(&value->lock);
    return 0;
}

/* ---- RCU and preemption ---- */

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_region(__u64 *ctx)
{
    bpf_rcu_read_lock();
    bpf_rcu_read_unlock();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("rcu_read_lock") int a_region_never_left(__u64 *ctx)
{
    bpf_rcu_read_lock();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("rcu_read_unlock") int a_region_never_entered(__u64 *ctx)
{
    bpf_rcu_read_unlock();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("rcu read") int a_region_in_a_region(__u64 *ctx)
{
    bpf_rcu_read_lock();
    bpf_rcu_read_lock();
    bpf_rcu_read_unlock();
    bpf_rcu_read_unlock();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("rcu_read_lock") int a_region_left_on_one_way(__u64 *ctx)
{
    bpf_rcu_read_lock();
    if (ctx[1] & 1)
        return 0;
    bpf_rcu_read_unlock();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int preemption_off_and_on(__u64 *ctx)
{
    bpf_preempt_disable();
    bpf_preempt_disable();
    bpf_preempt_enable();
    bpf_preempt_enable();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("preempt") int preemption_left_off(__u64 *ctx)
{
    bpf_preempt_disable();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("preempt") int preemption_on_twice(__u64 *ctx)
{
    bpf_preempt_disable();
    bpf_preempt_enable();
    bpf_preempt_enable();
    return 0;
}
