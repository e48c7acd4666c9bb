/// Casts, work, tasks, control groups, files, CPU masks. Source: docs.ebpf.io, "KFuncs".
extension KfuncRule {
    static let casts: [KfuncRule] = [
        KfuncRule("bpf_cast_to_kern_ctx", [.fastcall], .kernelContext),
        KfuncRule("bpf_rdonly_cast", [.fastcall], .readOnlyCast),
        KfuncRule("bpf_wq_init", [], .initialiseWork),
        KfuncRule("bpf_wq_set_callback_impl", [], .setWorkCallback),
        KfuncRule("bpf_wq_start"),
        KfuncRule("bpf_task_work_schedule_signal_impl", .trustedArgs, .scheduleTaskWork),
        KfuncRule("bpf_task_work_schedule_resume_impl", .trustedArgs, .scheduleTaskWork),
        KfuncRule("bpf_map_sum_elem_count", .trustedArgs),
        KfuncRule("bpf_arena_alloc_pages", [.sleepable, .trustedArgs]),
        KfuncRule("bpf_arena_free_pages", [.sleepable, .trustedArgs]),
        KfuncRule("bpf_arena_reserve_pages", [.sleepable, .trustedArgs]),
        KfuncRule("bpf_stream_vprintk_impl", .trustedArgs),
        KfuncRule("bpf_session_cookie"),
        KfuncRule("bpf_session_is_return"),
    ]

    static let tasks: [KfuncRule] = [
        KfuncRule("bpf_task_acquire", [.acquire, .rcu, .retNull]),
        KfuncRule("bpf_task_release", .release),
        KfuncRule("bpf_task_from_pid", [.acquire, .retNull]),
        KfuncRule("bpf_task_from_vpid", [.acquire, .retNull]),
        KfuncRule("bpf_task_under_cgroup", .rcu),
        KfuncRule("bpf_task_get_cgroup1", [.acquire, .rcu, .retNull]),
        KfuncRule("bpf_send_signal_task", .trustedArgs),
        KfuncRule("bpf_cgroup_acquire", [.acquire, .rcu, .retNull]),
        KfuncRule("bpf_cgroup_release", .release),
        KfuncRule("bpf_cgroup_ancestor", [.acquire, .rcu, .retNull]),
        KfuncRule("bpf_cgroup_from_id", [.acquire, .retNull]),
        KfuncRule("bpf_cgroup_read_xattr", .rcu),
        KfuncRule("css_rstat_updated"),
        KfuncRule("css_rstat_flush", .sleepable),
        KfuncRule("bpf_copy_from_user_str", .sleepable),
        KfuncRule("bpf_copy_from_user_task_str", .sleepable),
    ]

    static let files: [KfuncRule] = [
        KfuncRule("bpf_get_task_exe_file", [.acquire, .trustedArgs, .retNull]),
        KfuncRule("bpf_put_file", .release),
        KfuncRule("bpf_path_d_path", .trustedArgs),
        KfuncRule("bpf_get_dentry_xattr", [.sleepable, .trustedArgs]),
        KfuncRule("bpf_get_file_xattr", [.sleepable, .trustedArgs]),
        KfuncRule("bpf_set_dentry_xattr", [.sleepable, .trustedArgs]),
        KfuncRule("bpf_remove_dentry_xattr", [.sleepable, .trustedArgs]),
        KfuncRule("bpf_lookup_user_key", [.acquire, .retNull, .sleepable]),
        KfuncRule("bpf_lookup_system_key", [.acquire, .retNull]),
        KfuncRule("bpf_key_put", .release),
        KfuncRule("bpf_verify_pkcs7_signature", .sleepable),
        KfuncRule("bpf_get_fsverity_digest", .trustedArgs),
        KfuncRule("bpf_get_kmem_cache", .retNull),
    ]

    static let cpumasks: [KfuncRule] =
        [
            KfuncRule("bpf_cpumask_create", [.acquire, .retNull]),
            KfuncRule("bpf_cpumask_acquire", [.acquire, .trustedArgs]),
            KfuncRule("bpf_cpumask_release", .release),
        ]
        + [
            "first", "first_zero", "first_and", "set_cpu", "clear_cpu", "test_cpu", "test_and_set_cpu",
            "test_and_clear_cpu", "setall", "clear", "and", "or", "xor", "equal", "intersects", "subset",
            "empty", "full", "copy", "any_distribute", "any_and_distribute", "weight", "populate",
        ].map { KfuncRule("bpf_cpumask_" + $0, .rcu) }
}
