import BPF

/// Helpers that look at the system: events, stacks, memory, tasks, files.
/// Source: bpf-helpers(7), docs.ebpf.io.
extension HelperPrototype {
    static let tracing: [HelperPrototype] = events + stacks + reads + tasks + files

    private static let events: [HelperPrototype] = [
        entry(
            "perf_event_output", [.context, .map, .anything, .memory, .sizeOrZero], .scalar,
            maps: [.perfEventArray], .isForGPLOnly),
        entry(
            "skb_output", [.object(["sk_buff"]), .map, .anything, .memory, .sizeOrZero], .scalar,
            maps: [.perfEventArray], .isForGPLOnly),
        entry(
            "xdp_output", [.object(["xdp_buff"]), .map, .anything, .memory, .sizeOrZero], .scalar,
            maps: [.perfEventArray], .isForGPLOnly),
        entry("perf_event_read", [.map, .anything], .scalar, maps: [.perfEventArray], .isForGPLOnly),
        entry(
            "perf_event_read_value", [.map, .anything, .memoryOut, .size], .scalar,
            maps: [.perfEventArray], .isForGPLOnly),
        entry("perf_prog_read_value", [.context, .memoryOut, .size], .scalar, .isForGPLOnly),
        entry(
            "read_branch_records", [.context, .memoryOutOrNull, .sizeOrZero, .anything], .scalar,
            .isForGPLOnly),
        entry("get_branch_snapshot", [.memoryOut, .sizeOrZero, .anything], .scalar, .isForGPLOnly),
        entry(
            "seq_printf", [.object(["seq_file"]), .memory, .size, .memoryOrNull, .sizeOrZero], .scalar,
            .isForGPLOnly),
        entry("seq_write", [.object(["seq_file"]), .memory, .sizeOrZero], .scalar, .isForGPLOnly),
        entry(
            "seq_printf_btf", [.object(["seq_file"]), .memory, .sizeOrZero, .anything], .scalar, .isForGPLOnly
        ),
        entry("snprintf_btf", [.memoryOut, .size, .memory, .size, .anything]),
    ]

    private static let stacks: [HelperPrototype] = [
        entry("get_stackid", [.context, .map, .anything], .scalar, maps: [.stackTrace], .isForGPLOnly),
        entry("get_stack", [.context, .memoryOut, .sizeOrZero, .anything], .length, .isForGPLOnly),
        entry("get_task_stack", [.object(["task_struct"]), .memoryOut, .sizeOrZero, .anything], .length),
        entry("get_func_ip", [.context], .scalar, .isForGPLOnly), entry("get_attach_cookie", [.context]),
        entry("get_func_arg", [.context, .anything, .fixedOut(8)]),
        entry("get_func_ret", [.context, .fixedOut(8)]), entry("get_func_arg_cnt", [.context]),
        entry("override_return", [.context, .anything], .scalar, .isForGPLOnly),
    ]

    private static let reads: [HelperPrototype] = [
        entry("probe_read", [.memoryOut, .sizeOrZero, .anything], .scalar, .isForGPLOnly),
        entry("probe_read_kernel", [.memoryOut, .sizeOrZero, .anything], .scalar, .isForGPLOnly),
        entry("probe_read_user", [.memoryOut, .sizeOrZero, .anything], .scalar, .isForGPLOnly),
        entry("probe_read_str", [.memoryOut, .sizeOrZero, .anything], .length, .isForGPLOnly),
        entry("probe_read_kernel_str", [.memoryOut, .sizeOrZero, .anything], .length, .isForGPLOnly),
        entry("probe_read_user_str", [.memoryOut, .sizeOrZero, .anything], .length, .isForGPLOnly),
        entry("probe_write_user", [.anything, .memory, .size], .scalar, .isForGPLOnly),
        entry("copy_from_user", [.memoryOut, .sizeOrZero, .anything], .scalar, .mightSleep),
        entry(
            "copy_from_user_task", [.memoryOut, .sizeOrZero, .anything, .object(["task_struct"]), .anything],
            .scalar, [.mightSleep, .isForGPLOnly]),
        entry("kallsyms_lookup_name", [.memory, .sizeOrZero, .anything, .fixedOut(8)]),
        entry("btf_find_by_name_kind", [.memory, .size, .anything, .anything]),
        entry("sys_bpf", [.anything, .memory, .size], .scalar), entry("sys_close", [.anything], .scalar),
    ]

    private static let tasks: [HelperPrototype] = [
        entry("get_current_task_btf", [], .object("task_struct"), .isForGPLOnly),
        entry("task_pt_regs", [.object(["task_struct"])], .object("pt_regs"), .isForGPLOnly),
        entry("current_task_under_cgroup", [.map, .anything], maps: [.cgroupArray]),
        entry("get_current_ancestor_cgroup_id", [.anything]),
        entry("get_ns_current_pid_tgid", [.anything, .anything, .memoryOut, .size]),
        entry("send_signal", [.anything]), entry("send_signal_thread", [.anything]),
        entry(
            "find_vma", [.object(["task_struct"]), .anything, .callback, .callbackContext, .anything],
            .scalar),
        entry(
            "task_storage_get", [.map, .objectOrNull(["task_struct"]), .mapValueOrNull, .anything],
            .mapValueOrNull, maps: [.taskStorage]),
        entry(
            "task_storage_delete", [.map, .objectOrNull(["task_struct"])], .scalar, maps: [.taskStorage]),
        entry(
            "cgrp_storage_get", [.map, .objectOrNull(["cgroup"]), .mapValueOrNull, .anything],
            .mapValueOrNull, maps: [.cgrpStorage]),
        entry("cgrp_storage_delete", [.map, .objectOrNull(["cgroup"])], .scalar, maps: [.cgrpStorage]),
    ]

    private static let files: [HelperPrototype] = [
        entry(
            "inode_storage_get", [.map, .objectOrNull(["inode"]), .mapValueOrNull, .anything],
            .mapValueOrNull, maps: [.inodeStorage]),
        entry(
            "inode_storage_delete", [.map, .objectOrNull(["inode"])], .scalar, maps: [.inodeStorage]),
        entry("d_path", [.object(["path"]), .memoryOut, .sizeOrZero]),
        entry("sock_from_file", [.object(["file"])], .objectOrNull("socket")),
        entry("bprm_opts_set", [.object(["linux_binprm"]), .anything]),
        entry("ima_inode_hash", [.object(["inode"]), .memoryOut, .size], .scalar, .mightSleep),
        entry("ima_file_hash", [.object(["file"]), .memoryOut, .size], .scalar, .mightSleep),
    ]
}
