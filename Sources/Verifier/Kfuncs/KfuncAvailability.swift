/// Which of the kernel's kfuncs a program of each type may not call. Kernel counterpart: `register_btf_kfunc_id_set` and
/// the filters of the sets.
///
/// Source: measured on Linux 6.18, a call of every kfunc from a program of every type; for `fentry`, `fexit`, `fmod_ret`
/// and `lsm`, which share their sets with the tracing programs measured, and for the sets that are theirs alone, as
/// docs.ebpf.io lists them. What is not named here may be called by all, as far as is known.
enum KfuncAvailability {
    static func refused(to type: ProgramType, _ attach: AttachType) -> Set<String> {
        var refused: Set<String> = []
        for set in sets where !set.allows(type, attach) { refused.formUnion(set.names) }
        return refused
    }

    private struct KfuncSet {
        var names: Set<String>
        var allows: @Sendable (ProgramType, AttachType) -> Bool

        init(_ names: [String], _ types: Set<ProgramType>) {
            self.names = Set(names)
            allows = { type, _ in types.contains(type) }
        }

        init(_ names: [String], where allows: @escaping @Sendable (ProgramType, AttachType) -> Bool) {
            self.names = Set(names)
            self.allows = allows
        }
    }

    private static let tracing: Set<ProgramType> = [.tracing, .lsm, .tracepoint, .perfEvent]
    private static let cgroup: Set<ProgramType> = [
        .cgroupSKB, .cgroupSock, .cgroupSockAddr, .cgroupSockopt, .cgroupSysctl, .cgroupDevice, .sockOps,
    ]
    private static let lightweightTunnels: Set<ProgramType> = [.lwtIn, .lwtOut, .lwtXmit, .lwtSeg6local]
    private static let generic = tracing.union(cgroup).union([.schedCLS, .xdp, .structOps, .syscall])

    private static let sets: [KfuncSet] = [
        KfuncSet(names(of: KfuncRule.objects + KfuncRule.graphs) + ["bpf_throw"], generic),
        KfuncSet(
            [
                "bpf_task_acquire", "bpf_task_release", "bpf_task_from_pid", "bpf_task_from_vpid",
                "bpf_task_under_cgroup", "bpf_task_get_cgroup1", "bpf_send_signal_task", "bpf_cgroup_acquire",
                "bpf_cgroup_release", "bpf_cgroup_ancestor", "bpf_cgroup_from_id", "bpf_key_put",
                "bpf_lookup_system_key", "bpf_lookup_user_key",
            ], generic),
        KfuncSet(names(of: KfuncRule.cpumasks), tracing.union([.structOps, .syscall])),
        KfuncSet(["css_rstat_flush", "css_rstat_updated"], tracing),
        KfuncSet(
            [
                "bpf_get_task_exe_file", "bpf_put_file", "bpf_path_d_path", "bpf_get_dentry_xattr",
                "bpf_get_file_xattr", "bpf_set_dentry_xattr", "bpf_remove_dentry_xattr",
            ], [.lsm]),
        KfuncSet(["bpf_sock_destroy"]) { type, attach in type == .tracing && attach == .iterator },
        KfuncSet(["bpf_session_cookie", "bpf_session_is_return"]) { _, attach in attach == .kprobeSession },

        KfuncSet(
            ["bpf_dynptr_from_skb"],
            tracing.union(cgroup).union(lightweightTunnels)
                .union([.socketFilter, .schedCLS, .schedACT, .skSKB, .netfilter])),
        KfuncSet(["bpf_dynptr_from_skb_meta"], [.schedCLS, .schedACT]),
        KfuncSet(["bpf_dynptr_from_xdp", "bpf_xdp_pull_data"], [.xdp]),
        KfuncSet(["bpf_xdp_get_xfrm_state", "bpf_xdp_xfrm_state_release"], [.xdp]),
        KfuncSet(
            [
                "bpf_skb_ct_alloc", "bpf_skb_ct_lookup", "bpf_xdp_ct_alloc", "bpf_xdp_ct_lookup",
                "bpf_ct_insert_entry", "bpf_ct_release", "bpf_ct_set_timeout", "bpf_ct_change_timeout",
                "bpf_ct_set_status", "bpf_ct_change_status", "bpf_ct_set_nat_info",
            ], [.schedCLS, .xdp]),
        KfuncSet(["bpf_sk_assign_tcp_reqsk"], [.schedCLS]),
        KfuncSet(["bpf_sock_addr_set_sun_path", "bpf_sock_ops_enable_tx_tstamp"], cgroup),
        KfuncSet(["bpf_crypto_encrypt", "bpf_crypto_decrypt"], [.schedCLS, .schedACT, .xdp]),
        KfuncSet(["bpf_crypto_ctx_create", "bpf_crypto_ctx_acquire", "bpf_crypto_ctx_release"], [.syscall]),
        KfuncSet(
            [
                "tcp_slow_start", "tcp_cong_avoid_ai", "tcp_reno_ssthresh", "tcp_reno_cong_avoid",
                "tcp_reno_undo_cwnd", "cubictcp_init", "cubictcp_recalc_ssthresh", "cubictcp_cong_avoid",
                "cubictcp_state", "cubictcp_cwnd_event", "cubictcp_acked", "dctcp_init", "dctcp_update_alpha",
                "dctcp_cwnd_event", "dctcp_ssthresh", "dctcp_cwnd_undo", "dctcp_state", "bbr_init",
                "bbr_main",
                "bbr_sndbuf_expand", "bbr_undo_cwnd", "bbr_cwnd_event", "bbr_ssthresh", "bbr_min_tso_segs",
                "bbr_set_state",
            ], [.structOps]),
    ]

    private static func names(of rules: [KfuncRule]) -> [String] { rules.map(\.name) }
}
