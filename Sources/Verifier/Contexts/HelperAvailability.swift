/// Which helpers a program of each type may call. Kernel counterpart: the `get_func_proto` of each `bpf_verifier_ops`.
///
/// Source: measured on Linux 6.18 for all types but `fentry`, `fexit`, `fmod_ret`, `lsm` and `lirc_mode2`, and for the
/// helpers that its configuration leaves out; those are as bpf-helpers(7) and docs.ebpf.io list them.
enum HelperAvailability {
    /// Helpers for `type`, by id.
    static func helpers(for type: ProgramType, _ attach: AttachType) -> Set<Int32> {
        base.union(extras(for: type, attach))
    }

    /// What any program type may call.
    static let everywhere: Set<Int32> = Set((1..<Int32(HelperNames.all.count)))

    private static func ids(_ names: String) -> Set<Int32> {
        Set(names.split(whereSeparator: \.isWhitespace).map { HelperPrototype.listedID(named: String($0)) })
    }

    private static func extras(for type: ProgramType, _ attach: AttachType) -> Set<Int32> {
        switch type {
        case .socketFilter: conversions.union(socketFilter)
        case .kprobe: attach == .kprobeSession ? probes : probes.union(kprobe)
        case .tracepoint, .rawTracepoint, .rawTracepointWritable: probes
        case .perfEvent: probes.union(perfEvent)
        case .schedCLS, .schedACT: conversions.union(traffic)
        case .xdp: conversions.union(xdp)
        case .cgroupSKB: conversions.union(cgroupSKB)
        case .cgroupSock: cgroupSock
        case .lwtIn: conversions.union(tunnel).union(encapsulation)
        case .lwtOut: conversions.union(tunnel)
        case .lwtXmit: conversions.union(tunnel).union(encapsulation).union(tunnelOut)
        case .lwtSeg6local: conversions.union(tunnel).union(segmentRouting)
        case .sockOps: conversions.union(sockOps)
        case .skSKB: conversions.union(skSKB)
        case .skMsg: conversions.union(skMsg)
        case .skReuseport: reuseport
        case .skLookup: conversions.union(skLookup)
        case .flowDissector: conversions.union(flowDissector)
        case .cgroupDevice: cgroup
        case .cgroupSockAddr: conversions.union(socketAddress(attach))
        case .cgroupSysctl: cgroup.union(sysctl)
        case .cgroupSockopt: attach == .setsockopt ? sockopt.union(options) : sockopt
        case .lircMode2: infrared
        case .tracing: traced.union(tracing(attach))
        case .lsm: traced.union(lsm).union(attach == .lsmCgroup ? lsmCgroup : [])
        case .syscall: traced.union(systemCall)
        case .netfilter, .ext, .structOps: []
        }
    }

    private static func socketAddress(_ attach: AttachType) -> Set<Int32> {
        switch attach {
        case .receive4, .receive6, .receiveUnix: address
        case .connect4, .connect6: address.union(results).union(bind)
        default: address.union(results)
        }
    }

    private static func tracing(_ attach: AttachType) -> Set<Int32> {
        switch attach {
        case .iterator: sequences
        case .fexit, .modifyReturn: cookie.union(arguments).union(result)
        case .fentry: cookie.union(arguments)
        default: cookie
        }
    }

    private static let base = ids(
        """
        map_lookup_elem map_update_elem map_delete_elem ktime_get_ns trace_printk get_prandom_u32
        get_smp_processor_id tail_call get_current_pid_tgid get_current_uid_gid get_current_comm
        get_cgroup_classid perf_event_read get_current_task current_task_under_cgroup get_numa_node_id
        perf_event_read_value get_current_cgroup_id map_push_elem map_pop_elem map_peek_elem spin_lock
        spin_unlock strtol strtoul send_signal probe_read_user probe_read_kernel probe_read_user_str
        probe_read_kernel_str send_signal_thread jiffies64 get_ns_current_pid_tgid
        get_current_ancestor_cgroup_id ktime_get_boot_ns ringbuf_output ringbuf_reserve ringbuf_submit
        ringbuf_discard ringbuf_query get_task_stack copy_from_user snprintf_btf per_cpu_ptr this_cpu_ptr
        task_storage_get task_storage_delete get_current_task_btf for_each_map_elem snprintf timer_init
        timer_set_callback timer_start timer_cancel task_pt_regs get_branch_snapshot trace_vprintk find_vma
        loop strncmp copy_from_user_task kptr_xchg map_lookup_percpu_elem dynptr_from_mem
        ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_read dynptr_write
        dynptr_data ktime_get_tai_ns user_ringbuf_drain cgrp_storage_get cgrp_storage_delete
        """)

    /// Of the networking types.
    private static let conversions = ids(
        """
        skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
        skc_to_unix_sock skc_to_mptcp_sock ktime_get_coarse_ns
        """)
    private static let socketFilter = ids(
        """
        perf_event_output skb_load_bytes skb_load_bytes_relative get_socket_cookie get_socket_uid
        get_netns_cookie
        """)
    private static let traffic = ids(
        """
        skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_vlan_push skb_vlan_pop
        skb_get_tunnel_key skb_set_tunnel_key redirect get_route_realm perf_event_output skb_load_bytes
        csum_diff skb_get_tunnel_opt skb_set_tunnel_opt skb_change_proto skb_change_type skb_under_cgroup
        get_hash_recalc skb_change_tail skb_pull_data csum_update set_hash_invalid skb_change_head
        get_socket_cookie get_socket_uid set_hash skb_adjust_room skb_get_xfrm_state skb_load_bytes_relative
        fib_lookup skb_cgroup_id skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp sk_release sk_fullsock
        tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp tcp_check_syncookie sk_storage_get
        sk_storage_delete tcp_gen_syncookie get_netns_cookie sk_assign csum_level skb_cgroup_classid
        redirect_neigh redirect_peer check_mtu skb_set_tstamp tcp_raw_gen_syncookie_ipv4
        tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6
        """)
    private static let xdp = ids(
        """
        redirect perf_event_output csum_diff xdp_adjust_head redirect_map xdp_adjust_meta xdp_adjust_tail
        fib_lookup sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp tcp_check_syncookie
        tcp_gen_syncookie check_mtu xdp_get_buff_len xdp_load_bytes xdp_store_bytes
        tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
        tcp_raw_check_syncookie_ipv6
        """)
    private static let cgroupSKB = ids(
        """
        perf_event_output skb_load_bytes get_socket_cookie get_socket_uid skb_load_bytes_relative
        skb_cgroup_id get_local_storage skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp sk_release
        sk_fullsock tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp sk_storage_get
        sk_storage_delete get_netns_cookie sk_cgroup_id sk_ancestor_cgroup_id
        """)
    private static let tunnel = ids(
        """
        get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup get_hash_recalc
        skb_pull_data
        """)
    private static let encapsulation = ids("lwt_push_encap")
    private static let tunnelOut = ids(
        """
        skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_get_tunnel_key skb_set_tunnel_key
        redirect skb_get_tunnel_opt skb_set_tunnel_opt skb_change_tail csum_update set_hash_invalid
        skb_change_head csum_level
        """)
    private static let segmentRouting = ids("lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action")
    private static let skSKB = ids(
        """
        skb_store_bytes perf_event_output skb_load_bytes skb_change_tail skb_pull_data skb_change_head
        get_socket_cookie get_socket_uid skb_adjust_room sk_redirect_map sk_redirect_hash sk_lookup_tcp
        sk_lookup_udp sk_release skc_lookup_tcp
        """)
    private static let flowDissector = ids("skb_load_bytes")
    private static let reuseport = ids(
        "skb_load_bytes get_socket_cookie skb_load_bytes_relative sk_select_reuseport ktime_get_coarse_ns")
    private static let skLookup = ids("perf_event_output sk_release sk_assign")

    /// Of the socket and cgroup types.
    private static let sockOps = ids(
        """
        perf_event_output get_socket_cookie setsockopt sock_map_update getsockopt sock_ops_cb_flags_set
        sock_hash_update get_local_storage tcp_sock sk_storage_get sk_storage_delete get_netns_cookie
        load_hdr_opt store_hdr_opt reserve_hdr_opt
        """)
    private static let skMsg = ids(
        """
        perf_event_output msg_redirect_map msg_apply_bytes msg_cork_bytes msg_pull_data msg_redirect_hash
        msg_push_data msg_pop_data sk_storage_get sk_storage_delete get_netns_cookie
        """)
    private static let results = ids("get_retval set_retval")
    private static let cgroup = ids("perf_event_output get_local_storage get_retval set_retval")
    private static let cgroupSock = ids(
        """
        perf_event_output get_socket_cookie get_local_storage sk_storage_get get_netns_cookie
        ktime_get_coarse_ns get_retval set_retval
        """)
    private static let address = ids(
        """
        perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp
        sk_lookup_udp sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie
        """)
    private static let bind = ids("bind")
    private static let sysctl = ids(
        """
        sysctl_get_name sysctl_get_current_value sysctl_get_new_value sysctl_set_new_value
        ktime_get_coarse_ns
        """)
    private static let sockopt = ids(
        """
        perf_event_output get_local_storage tcp_sock sk_storage_get sk_storage_delete get_netns_cookie
        get_retval set_retval
        """)
    private static let options = ids("setsockopt getsockopt")

    /// Of the tracing types.
    private static let probes = ids(
        """
        probe_read perf_event_output get_stackid probe_read_str get_stack get_func_ip get_attach_cookie
        probe_write_user
        """)
    private static let kprobe = ids("override_return")
    private static let perfEvent = ids("perf_prog_read_value read_branch_records")
    private static let traced = ids(
        """
        probe_read probe_write_user perf_event_output get_stackid probe_read_str get_socket_cookie get_stack
        sk_storage_get sk_storage_delete skb_output xdp_output d_path sock_from_file get_func_ip
        xdp_get_buff_len skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
        skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock
        """)
    private static let cookie = ids("get_attach_cookie")
    private static let arguments = ids("get_func_arg get_func_arg_cnt")
    private static let result = ids("get_func_ret")
    private static let sequences = ids("seq_printf seq_write seq_printf_btf")
    private static let lsm = ids(
        """
        inode_storage_get inode_storage_delete bprm_opts_set ima_inode_hash ima_file_hash get_attach_cookie
        """)
    private static let lsmCgroup = ids("get_retval set_retval setsockopt getsockopt get_netns_cookie")
    private static let systemCall = ids(
        "sys_bpf btf_find_by_name_kind sys_close kallsyms_lookup_name")
    private static let infrared = ids("rc_repeat rc_keydown rc_pointer_rel")
}
