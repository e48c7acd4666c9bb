/// What a pointer read from a field of an object is good for.
///
/// The kernel keeps lists of fields that are as good as the object they are in, or good as long as an RCU section lasts.
/// Everything else is an address that may be looked through but not passed on where a valid object is asked for.
///
/// Kernel counterpart: the end of `check_ptr_to_btf_access`; `BTF_TYPE_SAFE_TRUSTED`, `BTF_TYPE_SAFE_RCU` and their
/// `_OR_NULL` forms.
extension Explorer {
    func trust(inWalked field: PointerField, from pointer: Register) -> Register.Flags {
        if pointer.flags.contains(.untrusted) { return [.walked, .untrusted] }
        let isValid = !pointer.flags.isDisjoint(with: [.trusted, .rcu]) || pointer.reference != 0
        guard isValid else { return .walked }
        let place = field.structure + "." + field.name
        if FieldTrust.trusted.contains(place) { return [.walked, .trusted] }
        if FieldTrust.trustedOrNull.contains(place) { return [.walked, .trusted, .maybeNull] }
        guard isInRCUSection else { return [.walked, .untrusted] }
        if FieldTrust.rcu.contains(place) { return [.walked, .rcu] }
        if field.tag == .rcu || FieldTrust.rcuOrNull.contains(place) { return [.walked, .rcu, .maybeNull] }
        return field.tag == .percpu ? [.walked, .percpu] : .walked
    }

    /// Whether an object may be passed where the kernel asks for no more than a plausible pointer.
    ///
    /// The kernel lets walked pointers of running objects through, and catches faults. Here the callee would touch what
    /// is there, so only contexts of programs that are judged and not run allow it.
    func mayPass(_ object: Register) -> Bool {
        if object.flags.contains(.untrusted) { return false }
        return object.flags.contains(.trusted) && !object.flags.contains(.walked) || object.reference != 0
            || context.passesWalkedPointers
    }
}

/// Struct and field. Source: measured on Linux 6.18, and its documentation of kfunc arguments.
private enum FieldTrust {
    static let trusted: Set<String> = [
        "bpf_iter_meta.seq", "bpf_iter__task.meta", "bpf_iter__task.task", "linux_binprm.file",
        "file.f_inode",
    ]
    static let trustedOrNull: Set<String> = [
        "socket.sk", "vm_area_struct.vm_mm", "vm_area_struct.vm_file", "dentry.d_inode",
    ]
    static let rcu: Set<String> = [
        "task_struct.cpus_ptr", "task_struct.cgroups", "task_struct.real_parent", "task_struct.group_leader",
        "cgroup.kn", "css_set.dfl_cgrp", "cgroup_subsys_state.cgroup",
    ]
    static let rcuOrNull: Set<String> = ["mm_struct.exe_file", "sk_buff.sk", "request_sock.sk"]
}
