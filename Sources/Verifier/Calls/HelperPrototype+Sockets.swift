import BPF

/// Helpers about sockets, messages between them, and what control groups decide.
/// Source: bpf-helpers(7), docs.ebpf.io.
extension HelperPrototype {
    static let sockets: [HelperPrototype] = lookups + casts + messages + groups

    private static let lookups: [HelperPrototype] = [
        entry(
            "sk_lookup_tcp", [.context, .memory, .size, .anything, .anything], .viewOrNull(.sock), .acquires),
        entry(
            "sk_lookup_udp", [.context, .memory, .size, .anything, .anything], .viewOrNull(.sock), .acquires),
        entry(
            "skc_lookup_tcp", [.context, .memory, .size, .anything, .anything], .viewOrNull(.sockCommon),
            .acquires),
        entry("sk_release", [.socketReleased]),
        entry("sk_assign", [.context, .socketOrNull, .anything]),
        entry("get_socket_cookie", [.contextOr(["sock_common", "sock"])]),
        entry("get_netns_cookie", [.contextOrNull]),
        entry("sk_cgroup_id", [.socket]), entry("sk_ancestor_cgroup_id", [.socket, .anything]),
        entry("bind", [.context, .memory, .size]),
        entry("setsockopt", [.contextOr(["sock_common", "sock"]), .anything, .anything, .memory, .size]),
        entry("getsockopt", [.contextOr(["sock_common", "sock"]), .anything, .anything, .memoryOut, .size]),
        entry("tcp_send_ack", [.object(["tcp_sock"]), .anything]),
        entry("tcp_check_syncookie", [.socket, .memory, .size, .memory, .size], .scalar, .isForGPLOnly),
        entry("tcp_gen_syncookie", [.socket, .memory, .size, .memory, .size], .scalar, .isForGPLOnly),
        entry(
            "sk_storage_get", [.map, .socket, .mapValueOrNull, .anything], .mapValueOrNull, maps: [.skStorage]
        ),
        entry("sk_storage_delete", [.map, .socket], .scalar, maps: [.skStorage]),
    ]

    /// The same socket as something else: the result lives as long as the argument.
    private static let casts: [HelperPrototype] = [
        entry("sk_fullsock", [.socket], .viewOrNull(.sock), .casts),
        entry("tcp_sock", [.socket], .viewOrNull(.tcpSock), .casts),
        entry("get_listener_sock", [.socket], .viewOrNull(.sock)),
        entry("skc_to_tcp_sock", [.socket], .objectOrNull("tcp_sock"), .casts),
        entry("skc_to_tcp6_sock", [.socket], .objectOrNull("tcp6_sock"), .casts),
        entry("skc_to_tcp_timewait_sock", [.socket], .objectOrNull("tcp_timewait_sock"), .casts),
        entry("skc_to_tcp_request_sock", [.socket], .objectOrNull("tcp_request_sock"), .casts),
        entry("skc_to_udp6_sock", [.socket], .objectOrNull("udp6_sock"), .casts),
        entry("skc_to_unix_sock", [.socket], .objectOrNull("unix_sock")),
        entry("skc_to_mptcp_sock", [.socket], .objectOrNull("mptcp_sock"), .casts),
    ]

    private static let messages: [HelperPrototype] = [
        entry("sk_redirect_map", [.context, .map, .anything, .anything], maps: [.sockmap]),
        entry("sk_redirect_hash", [.context, .map, .mapKey, .anything], maps: [.sockhash]),
        entry("msg_redirect_map", [.context, .map, .anything, .anything], maps: [.sockmap]),
        entry("msg_redirect_hash", [.context, .map, .mapKey, .anything], maps: [.sockhash]),
        entry("sock_map_update", [.context, .map, .mapKey, .anything], .scalar, maps: [.sockmap]),
        entry("sock_hash_update", [.context, .map, .mapKey, .anything], .scalar, maps: [.sockhash]),
        entry(
            "sk_select_reuseport", [.context, .map, .mapKey, .anything], .scalar,
            maps: [.reuseportSockArray, .sockmap, .sockhash]),
        entry("msg_apply_bytes", [.context, .anything]), entry("msg_cork_bytes", [.context, .anything]),
        entry("msg_pull_data", [.context, .anything, .anything, .anything], .scalar, .changesPacket),
        entry("msg_push_data", [.context, .anything, .anything, .anything], .scalar, .changesPacket),
        entry("msg_pop_data", [.context, .anything, .anything, .anything], .scalar, .changesPacket),
        entry("sock_ops_cb_flags_set", [.context, .anything]),
        entry("load_hdr_opt", [.context, .memory, .size, .anything]),
        entry("store_hdr_opt", [.context, .memory, .size, .anything], .scalar, .changesPacket),
        entry("reserve_hdr_opt", [.context, .anything, .anything]),
    ]

    private static let groups: [HelperPrototype] = [
        entry(
            "get_local_storage", [.map, .anything], .mapValue,
            maps: [.cgroupStorage, .percpuCgroupStorage]),
        entry("get_retval", []), entry("set_retval", [.anything]),
        entry("sysctl_get_name", [.context, .memoryOut, .size, .anything]),
        entry("sysctl_get_current_value", [.context, .memoryOut, .size]),
        entry("sysctl_get_new_value", [.context, .memoryOut, .size]),
        entry("sysctl_set_new_value", [.context, .memory, .size]),
        entry("rc_repeat", [.context], .scalar, .isForGPLOnly),
        entry("rc_keydown", [.context, .anything, .anything, .anything], .scalar, .isForGPLOnly),
        entry("rc_pointer_rel", [.context, .anything, .anything], .scalar, .isForGPLOnly),
    ]
}
