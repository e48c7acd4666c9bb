/* What map values can keep: timers, kernel pointers, lists and trees of the program's own objects. Tail calls. */
#include "fixture.h"

#define CLOCK_MONOTONIC 1
#define container(pointer, type, field) ((type *)((void *)(pointer) - __builtin_offsetof(type, field)))

struct timed {
    __u64 count;
    struct bpf_timer timer;
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct timed);
} timed SEC(".maps");
struct holder {
    struct task_struct __kptr *task;
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct holder);
} holders SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u32);
} jumps SEC(".maps");
volatile __u64 seen;

struct node {
    __u64 value;
    struct bpf_list_node list;
};
struct leaf {
    __u64 value;
    struct bpf_rb_node tree;
};
#define private(name) SEC(".data." #name) __attribute__((visibility("hidden"), aligned(8)))
private(a) struct bpf_spin_lock lock;
private(a) struct bpf_list_head head __contains(node, list);
private(b) struct bpf_spin_lock tree_lock;
private(b) struct bpf_rb_root root __contains(leaf, tree);

extern void *bpf_obj_new_impl(__u64 type, void *meta) __ksym __weak;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym __weak;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 at) __ksym
    __weak;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym __weak;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
                               bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, __u64 at) __ksym
    __weak;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym __weak;

#define NEW(type) ((struct type *)bpf_obj_new_impl(__builtin_btf_type_id(*(struct type *)0, 0), NULL))
#define DROP(object) bpf_obj_drop_impl(object, NULL)

/* ---- timers ---- */

static int rings(void *map, int *key, struct timed *value)
{
    value->count++;
    return 0;
}
static int answers_one(void *map, int *key, struct timed *value) { return 1; }

SEC("tc") EXPECT_ACCEPT int a_timer(void *ctx)
{
    __u32 key = 0;
    struct timed *value = bpf_map_lookup_elem(&timed, &key);

    if (!value || bpf_timer_init(&value->timer, &timed, CLOCK_MONOTONIC))
        return 0;
    bpf_timer_set_callback(&value->timer, rings);
    bpf_timer_start(&value->timer, 1000000, 0);
    return 0;
}

SEC("tc") EXPECT_REJECT("R0") int a_timer_with_a_wrong_answer(void *ctx)
{
    __u32 key = 0;
    struct timed *value = bpf_map_lookup_elem(&timed, &key);

    if (value)
        bpf_timer_set_callback(&value->timer, answers_one);
    return 0;
}

SEC("tc") EXPECT_REJECT("doesn't match map pointer") int a_timer_of_another_map(void *ctx)
{
    __u32 key = 0;
    struct timed *value = bpf_map_lookup_elem(&timed, &key);

    if (value)
        bpf_timer_init(&value->timer, &holders, CLOCK_MONOTONIC);
    return 0;
}

SEC("tc") EXPECT_REJECT("doesn't point to 'struct bpf_timer'") int a_timer_at_a_wrong_offset(void *ctx)
{
    __u32 key = 0;
    struct timed *value = bpf_map_lookup_elem(&timed, &key);

    if (value)
        bpf_timer_start((void *)&value->count, 1, 0);
    return 0;
}

SEC("tc") EXPECT_REJECT("timer") int a_timer_written(void *ctx)
{
    __u32 key = 0;
    struct timed *value = bpf_map_lookup_elem(&timed, &key);

    if (value)
        *(volatile __u64 *)&value->timer = 1;
    return 0;
}

SEC("tc") EXPECT_REJECT("type=fp expected=map_value") int a_timer_on_the_stack(void *ctx)
{
    struct bpf_timer timer = {};

    bpf_timer_cancel(&timer);
    return 0;
}

/* ---- kernel pointers in maps ---- */

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_task_exchanged(__u64 *ctx)
{
    struct task_struct *task = bpf_task_acquire((void *)ctx[0]);
    __u32 key = 0;
    struct holder *holder = bpf_map_lookup_elem(&holders, &key);

    if (!task)
        return 0;
    if (holder)
        task = bpf_kptr_xchg(&holder->task, task);
    if (task)
        bpf_task_release(task);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("Unreleased reference") SUGGESTS("every path")
int an_exchanged_task_forgotten(__u64 *ctx)
{
    __u32 key = 0;
    struct holder *holder = bpf_map_lookup_elem(&holders, &key);
    struct task_struct *task;

    if (!holder)
        return 0;
    task = bpf_kptr_xchg(&holder->task, NULL);
    FIX((void)task, if (task) bpf_task_release(task));
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("must be referenced when passed to release function") int an_unowned_task_exchanged(__u64 *ctx)
{
    __u32 key = 0;
    struct holder *holder = bpf_map_lookup_elem(&holders, &key);

    if (holder)
        bpf_kptr_xchg(&holder->task, (void *)ctx[0]);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("store to referenced kptr disallowed") int a_kept_task_overwritten(__u64 *ctx)
{
    __u32 key = 0;
    struct holder *holder = bpf_map_lookup_elem(&holders, &key);

    if (holder)
        holder->task = NULL;
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_kept_task_looked_at(__u64 *ctx)
{
    __u32 key = 0;
    struct holder *holder = bpf_map_lookup_elem(&holders, &key);
    struct task_struct *task;

    if (!holder)
        return 0;
    bpf_rcu_read_lock();
    task = holder->task;
    if (task)
        seen = task->pid;
    bpf_rcu_read_unlock();
    return 0;
}

/* ---- lists and trees ---- */

SEC("tc") EXPECT_ACCEPT int an_object_made_and_dropped(void *ctx)
{
    struct node *node = NEW(node);

    if (!node)
        return 0;
    node->value = 5;
    DROP(node);
    return 0;
}

SEC("tc") EXPECT_REJECT("Unreleased reference") SUGGESTS("every path") int an_object_lost(void *ctx)
{
    struct node *node = NEW(node);

    if (!node)
        return 0;
    node->value = 5;
    FIX(, DROP(node));
    return 0;
}

SEC("tc") EXPECT_REJECT("R6 invalid mem access 'scalar'") int an_object_used_after_it_was_dropped(void *ctx)
{
    struct node *node = NEW(node);

    if (!node)
        return 0;
    DROP(node);
    node->value = 5;
    return 0;
}

SEC("tc") EXPECT_ACCEPT int pushed_and_popped(void *ctx)
{
    struct node *node = NEW(node);
    struct bpf_list_node *first;

    if (!node)
        return 0;
    bpf_spin_lock(&lock);
    bpf_list_push_back_impl(&head, &node->list, NULL, 0);
    first = bpf_list_pop_front(&head);
    bpf_spin_unlock(&lock);
    if (first)
        DROP(container(first, struct node, list));
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") int pushed_without_the_lock(void *ctx)
{
    struct node *node = NEW(node);

    if (!node)
        return 0;
    bpf_list_push_back_impl(&head, &node->list, NULL, 0);
    return 0;
}

SEC("tc") EXPECT_REJECT("lock") int pushed_with_another_lock(void *ctx)
{
    struct node *node = NEW(node);

    if (!node)
        return 0;
    bpf_spin_lock(&tree_lock);
    bpf_list_push_back_impl(&head, &node->list, NULL, 0);
    bpf_spin_unlock(&tree_lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("expected for bpf_obj_drop_impl()") int dropped_though_it_is_in_a_list(void *ctx)
{
    struct node *node = NEW(node);

    if (!node)
        return 0;
    bpf_spin_lock(&lock);
    bpf_list_push_back_impl(&head, &node->list, NULL, 0);
    bpf_spin_unlock(&lock);
    DROP(node);
    return 0;
}

static bool smaller(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
    return container(a, struct leaf, tree)->value < container(b, struct leaf, tree)->value;
}

SEC("tc") EXPECT_ACCEPT int added_to_a_tree(void *ctx)
{
    struct leaf *leaf = NEW(leaf);
    struct bpf_rb_node *first;

    if (!leaf)
        return 0;
    leaf->value = 7;
    bpf_spin_lock(&tree_lock);
    bpf_rbtree_add_impl(&root, &leaf->tree, smaller, NULL, 0);
    first = bpf_rbtree_first(&root);
    if (first)
        seen = container(first, struct leaf, tree)->value;
    bpf_spin_unlock(&tree_lock);
    return 0;
}

SEC("tc") EXPECT_REJECT("R6 invalid mem access 'scalar'") int looked_at_after_the_lock_is_gone(void *ctx)
{
    struct bpf_rb_node *first;

    bpf_spin_lock(&tree_lock);
    first = bpf_rbtree_first(&root);
    bpf_spin_unlock(&tree_lock);
    if (first)
        seen = container(first, struct leaf, tree)->value;
    return 0;
}

/* ---- tail calls ---- */

SEC("tc") EXPECT_ACCEPT int jumps_on(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &jumps, skb->mark);
    return 1;
}

SEC("tc") EXPECT_REJECT("cannot pass map_type 1 into func bpf_tail_call") int jumps_through_another_map(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &table, 0);
    return 1;
}

SEC("tc") EXPECT_REJECT("lock") int jumps_with_a_lock(struct __sk_buff *skb)
{
    bpf_spin_lock(&lock);
    bpf_tail_call(skb, &jumps, 0);
    bpf_spin_unlock(&lock);
    return 1;
}

SEC("tc") EXPECT_REJECT("cannot pass map_type 3 into func bpf_map_lookup_elem") int looks_up_in_a_program_array(struct __sk_buff *skb)
{
    __u32 key = 0;

    return bpf_map_lookup_elem(&jumps, &key) != NULL;
}
