/// Sockets, packets, connection tracking. Source: docs.ebpf.io, "KFuncs".
extension KfuncRule {
    static let network: [KfuncRule] = [
        KfuncRule("bpf_skb_ct_alloc", [.acquire, .retNull]),
        KfuncRule("bpf_xdp_ct_alloc", [.acquire, .retNull]),
        KfuncRule("bpf_skb_ct_lookup", [.acquire, .retNull]),
        KfuncRule("bpf_xdp_ct_lookup", [.acquire, .retNull]),
        KfuncRule("bpf_ct_insert_entry", [.acquire, .retNull, .release]),
        KfuncRule("bpf_ct_release", .release),
        KfuncRule("bpf_ct_set_timeout", .trustedArgs),
        KfuncRule("bpf_ct_change_timeout", .trustedArgs),
        KfuncRule("bpf_ct_set_status", .trustedArgs),
        KfuncRule("bpf_ct_change_status", .trustedArgs),
        KfuncRule("bpf_ct_set_nat_info", .trustedArgs),
        KfuncRule("bpf_xdp_get_xfrm_state", [.acquire, .retNull]),
        KfuncRule("bpf_xdp_xfrm_state_release", .release),
        KfuncRule("bpf_xdp_metadata_rx_hash", .trustedArgs),
        KfuncRule("bpf_xdp_metadata_rx_timestamp", .trustedArgs),
        KfuncRule("bpf_xdp_metadata_rx_vlan_tag", .trustedArgs),
        KfuncRule("bpf_xdp_pull_data", [], .changePacket),
        KfuncRule("bpf_sock_destroy", .trustedArgs),
        KfuncRule("bpf_sock_addr_set_sun_path"),
        KfuncRule("bpf_sock_ops_enable_tx_tstamp", .trustedArgs),
        KfuncRule("bpf_sk_assign_tcp_reqsk", .trustedArgs),
        KfuncRule("bpf_kfunc_call_test_release", .release),
        KfuncRule("bpf_kfunc_call_memb_release", .release),
    ]
}
