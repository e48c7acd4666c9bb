/* Pointers to kernel objects: trusted, walked, nullable, nested; and what may be done with each. */
#include "fixture.h"

volatile __u64 seen;

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_field(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return task->pid;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_walk(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    barrier(task);
    return task->parent->group_leader->pid;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_walk_through_what_may_be_null(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];
    struct cgroup *cgroup = task->cgroups->dfl_cgrp;

    return cgroup->level;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int an_array_member(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return task->comm[3];
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_nested_member(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return task->cred->cap_permitted.val;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("beyond struct") int behind_the_end(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return *(volatile char *)((void *)task + 100000);
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("access beyond struct task_struct at off -8") __naked int before_the_start(void)
{
    asm("r1 = *(u64 *)(r1 + 0); r0 = *(u64 *)(r1 - 8); r0 = 0; exit;");
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("only read is supported") int a_write(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    task->pid = 5;
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("variable offset") __naked int a_variable_offset(void)
{
    asm("r6 = *(u64 *)(r1 + 0);" RANDOM(r7) "r7 &= 7; r6 += r7; r0 = *(u8 *)(r6 + 0); r0 = 0; exit;");
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int a_tested_pointer(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    if (task->mm)
        return 0;
    return task->real_parent->tgid;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int to_a_kfunc(__u64 *ctx)
{
    struct task_struct *task = bpf_task_acquire((void *)ctx[0]);

    if (task)
        bpf_task_release(task);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("must be") int a_walked_pointer_to_a_kfunc(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    task = bpf_task_acquire(task->parent);
    if (task)
        bpf_task_release(task);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int the_leader_is_trusted_under_rcu(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0], *parent;

    bpf_rcu_read_lock();
    parent = task->real_parent;
    if (parent)
        parent = bpf_task_acquire(parent);
    if (parent)
        bpf_task_release(parent);
    bpf_rcu_read_unlock();
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("expected") int another_type_to_a_kfunc(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    bpf_cgroup_release((void *)task);
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("expected") __naked int a_number_to_a_kfunc(void)
{
    asm("r1 = 5; call bpf_task_acquire; r0 = 0; exit;");
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int the_current_task(__u64 *ctx)
{
    return bpf_get_current_task_btf()->pid;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int probed_instead(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];
    int pid = 0;

    bpf_probe_read_kernel(&pid, sizeof(pid), &task->pid);
    return pid;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int an_argument_that_is_a_number(__u64 *ctx)
{
    return ctx[1];
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("invalid bpf_context access") int an_argument_too_many(__u64 *ctx)
{
    return ctx[2];
}

SEC("tp_btf/sched_switch") EXPECT_ACCEPT int two_objects(__u64 *ctx)
{
    struct task_struct *before = (void *)ctx[1], *after = (void *)ctx[2];

    return before->prio < after->prio;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("scalar") __naked int an_object_stored_and_loaded_elsewhere(void)
{
    asm("r6 = *(u64 *)(r1 + 0);" LOOKUP_OR_EXIT(values)
        "*(u64 *)(r0 + 0) = r6; r1 = *(u64 *)(r0 + 0); r0 = *(u32 *)(r1 + 0); r0 = 0; exit;");
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int an_object_spilled(__u64 *ctx)
{
    struct task_struct *volatile task = (void *)ctx[0];

    return task->pid;
}

SEC("tp_btf/task_newtask") EXPECT_REJECT("has no CO-RE relocation") KERNEL_ACCEPTS("trusts that a bare offset is meant for it")
__naked int a_bare_offset(void)
{
    asm("r1 = *(u64 *)(r1 + 0); r0 = *(u64 *)(r1 + 0); r0 = 0; exit;");
}

SEC("iter/task") EXPECT_REJECT("ptr_or_null") int a_nullable_argument_not_tested(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[1];

    seen = task->pid;
    return 0;
}

SEC("iter/task") EXPECT_ACCEPT int a_nullable_argument_tested(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[1];

    if (task)
        seen = task->pid;
    return 0;
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int passed_to_a_static_function(__u64 *ctx);

static __noinline int pid_of(struct task_struct *task) { return task->pid; }

int passed_to_a_static_function(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return pid_of(task);
}

SEC("tp_btf/task_newtask") EXPECT_ACCEPT int compared(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return task == task->group_leader ? 0 : task->tgid;
}

SEC("raw_tp/task_newtask") EXPECT_REJECT("scalar") int a_raw_argument(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];

    return task->pid;
}
