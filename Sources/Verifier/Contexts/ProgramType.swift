/// Kind of a program. Kernel counterpart: `enum bpf_prog_type`, same raw values.
package enum ProgramType: UInt32, CaseIterable, Sendable {
    case socketFilter = 1
    case kprobe, schedCLS, schedACT, tracepoint, xdp, perfEvent, cgroupSKB, cgroupSock, lwtIn, lwtOut, lwtXmit
    case sockOps, skSKB, cgroupDevice, skMsg, rawTracepoint, cgroupSockAddr, lwtSeg6local, lircMode2
    case skReuseport, flowDissector, cgroupSysctl, rawTracepointWritable, cgroupSockopt, tracing, structOps
    case ext, lsm, skLookup, syscall, netfilter

    /// As bpftool prints it.
    package var name: String {
        switch self {
        case .socketFilter: "socket_filter"
        case .kprobe: "kprobe"
        case .schedCLS: "sched_cls"
        case .schedACT: "sched_act"
        case .tracepoint: "tracepoint"
        case .xdp: "xdp"
        case .perfEvent: "perf_event"
        case .cgroupSKB: "cgroup_skb"
        case .cgroupSock: "cgroup_sock"
        case .lwtIn: "lwt_in"
        case .lwtOut: "lwt_out"
        case .lwtXmit: "lwt_xmit"
        case .sockOps: "sock_ops"
        case .skSKB: "sk_skb"
        case .cgroupDevice: "cgroup_device"
        case .skMsg: "sk_msg"
        case .rawTracepoint: "raw_tracepoint"
        case .cgroupSockAddr: "cgroup_sock_addr"
        case .lwtSeg6local: "lwt_seg6local"
        case .lircMode2: "lirc_mode2"
        case .skReuseport: "sk_reuseport"
        case .flowDissector: "flow_dissector"
        case .cgroupSysctl: "cgroup_sysctl"
        case .rawTracepointWritable: "raw_tracepoint_writable"
        case .cgroupSockopt: "cgroup_sockopt"
        case .tracing: "tracing"
        case .structOps: "struct_ops"
        case .ext: "ext"
        case .lsm: "lsm"
        case .skLookup: "sk_lookup"
        case .syscall: "syscall"
        case .netfilter: "netfilter"
        }
    }
}

/// Where a program is meant to be attached, as far as it changes the rules. Kernel counterpart: `enum bpf_attach_type`.
package enum AttachType: Sendable {
    /// The type alone says everything.
    case plain
    case cgroupIngress, cgroupEgress
    case sockCreate, sockRelease, postBind4, postBind6
    case bind4, bind6, connect4, connect6, connectUnix, sendmsg4, sendmsg6, sendmsgUnix
    /// recvmsg, getpeername and getsockname have the same rules.
    case receive4, receive6, receiveUnix
    case getsockopt, setsockopt
    case xdpDevmap, xdpCpumap
    case kprobeSession
    case tpBTF, fentry, fexit, modifyReturn, iterator
    case lsmMAC, lsmCgroup
}
