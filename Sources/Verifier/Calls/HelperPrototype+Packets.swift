import BPF

/// Helpers of programs that see packets. Source: bpf-helpers(7), docs.ebpf.io.
extension HelperPrototype {
    static let packets: [HelperPrototype] = [
        entry("skb_store_bytes", [.context, .anything, .memory, .size, .anything], .scalar, .changesPacket),
        entry("skb_load_bytes", [.context, .anything, .memoryOut, .size]),
        entry("skb_load_bytes_relative", [.context, .anything, .memoryOut, .size, .anything]),
        entry("skb_pull_data", [.context, .anything], .scalar, .changesPacket),
        entry("skb_change_tail", [.context, .anything, .anything], .scalar, .changesPacket),
        entry("skb_change_head", [.context, .anything, .anything], .scalar, .changesPacket),
        entry("skb_change_proto", [.context, .anything, .anything], .scalar, .changesPacket),
        entry("skb_change_type", [.context, .anything]),
        entry("skb_adjust_room", [.context, .anything, .anything, .anything], .scalar, .changesPacket),
        entry("skb_vlan_push", [.context, .anything, .anything], .scalar, .changesPacket),
        entry("skb_vlan_pop", [.context], .scalar, .changesPacket),
        entry("skb_set_tstamp", [.context, .anything, .anything]),
        entry("skb_ecn_set_ce", [.context]),
        entry("skb_get_xfrm_state", [.context, .anything, .memoryOut, .size, .anything]),
        entry("skb_get_tunnel_key", [.context, .memoryOut, .size, .anything]),
        entry("skb_set_tunnel_key", [.context, .memory, .size, .anything]),
        entry("skb_get_tunnel_opt", [.context, .memoryOut, .size]),
        entry("skb_set_tunnel_opt", [.context, .memory, .size]),
        entry("skb_under_cgroup", [.context, .map, .anything], maps: [.cgroupArray]),
        entry("skb_cgroup_id", [.context]), entry("skb_cgroup_classid", [.context]),
        entry("skb_ancestor_cgroup_id", [.context, .anything]),
        entry("get_cgroup_classid", [.context]), entry("get_route_realm", [.context]),
        entry("get_hash_recalc", [.context]), entry("set_hash_invalid", [.context]),
        entry("set_hash", [.context, .anything]), entry("get_socket_uid", [.context]),

        entry(
            "l3_csum_replace", [.context, .anything, .anything, .anything, .anything], .scalar, .changesPacket
        ),
        entry(
            "l4_csum_replace", [.context, .anything, .anything, .anything, .anything], .scalar, .changesPacket
        ),
        entry("csum_diff", [.memoryOrNull, .sizeOrZero, .memoryOrNull, .sizeOrZero, .anything]),
        entry("csum_update", [.context, .anything]), entry("csum_level", [.context, .anything]),

        entry("clone_redirect", [.context, .anything, .anything], .scalar, .changesPacket),
        entry("redirect", [.anything, .anything]), entry("redirect_peer", [.anything, .anything]),
        entry("redirect_neigh", [.anything, .memoryOrNull, .sizeOrZero, .anything]),
        entry(
            "redirect_map", [.map, .anything, .anything],
            maps: [.devmap, .devmapHash, .cpumap, .xskmap]),
        entry("fib_lookup", [.context, .memory, .size, .anything], .scalar, .isForGPLOnly),
        entry(
            "check_mtu", [.context, .anything, .fixedInOut(4), .anything, .anything], .scalar, .isForGPLOnly),

        entry("xdp_adjust_head", [.context, .anything], .scalar, .changesPacket),
        entry("xdp_adjust_tail", [.context, .anything], .scalar, .changesPacket),
        entry("xdp_adjust_meta", [.context, .anything], .scalar, .changesPacket),
        entry("xdp_get_buff_len", [.contextOr(["xdp_buff"])]),
        entry("xdp_load_bytes", [.context, .anything, .memoryOut, .size]),
        entry("xdp_store_bytes", [.context, .anything, .memory, .size]),

        entry("lwt_push_encap", [.context, .anything, .memory, .size], .scalar, .changesPacket),
        entry("lwt_seg6_store_bytes", [.context, .anything, .memory, .size], .scalar, .changesPacket),
        entry("lwt_seg6_adjust_srh", [.context, .anything, .anything], .scalar, .changesPacket),
        entry("lwt_seg6_action", [.context, .anything, .memory, .size], .scalar, .changesPacket),

        entry("tcp_raw_gen_syncookie_ipv4", [.fixed(20), .memory, .sizeOrZero], .scalar, .isForGPLOnly),
        entry("tcp_raw_gen_syncookie_ipv6", [.fixed(40), .memory, .sizeOrZero], .scalar, .isForGPLOnly),
        entry("tcp_raw_check_syncookie_ipv4", [.fixed(20), .fixed(20)], .scalar, .isForGPLOnly),
        entry("tcp_raw_check_syncookie_ipv6", [.fixed(40), .fixed(20)], .scalar, .isForGPLOnly),
    ]
}
