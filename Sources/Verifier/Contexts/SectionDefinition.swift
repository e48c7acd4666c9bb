/// What a section name says of the programs in it: their type, where they attach, whether they may sleep.
///
/// Kernel counterpart: libbpf's `struct bpf_sec_def`; the names are those that libbpf 1.5 documents
/// (docs.kernel.org/bpf/libbpf/program_types.html).
package struct SectionDefinition: Equatable, Sendable {
    package let type: ProgramType
    package let attach: AttachType
    package let isSleepable: Bool
    /// The entry of the table: `tp_btf`.
    package let definition: String
    /// What follows the first `/` where the table leaves it open: `sched_switch`.
    package let target: String?

    /// nil: no loader knows such a section.
    ///
    /// - Parameter section: name of the ELF section, with or without a leading `?`.
    package init?(section: String) {
        let name = section.hasPrefix("?") ? String(section.dropFirst()) : section
        if let entry = SectionDefinition.exact[name] {
            self.init(entry, name, target: nil)
            return
        }
        let kind = String(name.prefix { $0 != "/" })
        guard let entry = SectionDefinition.open[kind] else { return nil }
        let rest = name.dropFirst(kind.count + 1)
        self.init(entry, kind, target: rest.isEmpty ? nil : String(rest))
    }

    private init(_ entry: Entry, _ definition: String, target: String?) {
        type = entry.type
        attach = entry.attach
        self.definition = definition
        self.target = target
        let kind = definition.prefix { $0 != "/" }
        isSleepable = kind.hasSuffix(".s") || entry.type == .syscall
    }

    /// Every name that is known, for messages; those that take more after a `/` end with it.
    package static var known: [String] {
        (exact.keys.map { $0 } + open.keys.map { $0 + "/" }).sorted()
    }

    private typealias Entry = (type: ProgramType, attach: AttachType)

    /// Names that stand for themselves.
    private static let exact: [String: Entry] = [
        "socket": (.socketFilter, .plain),
        "sk_reuseport": (.skReuseport, .plain), "sk_reuseport/migrate": (.skReuseport, .plain),
        "tc": (.schedCLS, .plain), "classifier": (.schedCLS, .plain), "action": (.schedACT, .plain),
        "tc/ingress": (.schedCLS, .plain), "tc/egress": (.schedCLS, .plain),
        "tcx/ingress": (.schedCLS, .plain), "tcx/egress": (.schedCLS, .plain),
        "netkit/primary": (.schedCLS, .plain), "netkit/peer": (.schedCLS, .plain),
        "xdp": (.xdp, .plain), "xdp.frags": (.xdp, .plain),
        "xdp/devmap": (.xdp, .xdpDevmap), "xdp.frags/devmap": (.xdp, .xdpDevmap),
        "xdp/cpumap": (.xdp, .xdpCpumap), "xdp.frags/cpumap": (.xdp, .xdpCpumap),
        "perf_event": (.perfEvent, .plain),
        "lwt_in": (.lwtIn, .plain), "lwt_out": (.lwtOut, .plain), "lwt_xmit": (.lwtXmit, .plain),
        "lwt_seg6local": (.lwtSeg6local, .plain),
        "sockops": (.sockOps, .plain),
        "sk_skb": (.skSKB, .plain), "sk_skb/stream_parser": (.skSKB, .plain),
        "sk_skb/stream_verdict": (.skSKB, .plain), "sk_skb/verdict": (.skSKB, .plain),
        "sk_msg": (.skMsg, .plain), "sk_lookup": (.skLookup, .plain),
        "lirc_mode2": (.lircMode2, .plain), "flow_dissector": (.flowDissector, .plain),
        "netfilter": (.netfilter, .plain), "syscall": (.syscall, .plain),
        "cgroup/skb": (.cgroupSKB, .plain), "cgroup_skb/ingress": (.cgroupSKB, .cgroupIngress),
        "cgroup_skb/egress": (.cgroupSKB, .cgroupEgress),
        "cgroup/sock": (.cgroupSock, .sockCreate), "cgroup/sock_create": (.cgroupSock, .sockCreate),
        "cgroup/sock_release": (.cgroupSock, .sockRelease),
        "cgroup/post_bind4": (.cgroupSock, .postBind4), "cgroup/post_bind6": (.cgroupSock, .postBind6),
        "cgroup/bind4": (.cgroupSockAddr, .bind4), "cgroup/bind6": (.cgroupSockAddr, .bind6),
        "cgroup/connect4": (.cgroupSockAddr, .connect4), "cgroup/connect6": (.cgroupSockAddr, .connect6),
        "cgroup/connect_unix": (.cgroupSockAddr, .connectUnix),
        "cgroup/sendmsg4": (.cgroupSockAddr, .sendmsg4), "cgroup/sendmsg6": (.cgroupSockAddr, .sendmsg6),
        "cgroup/sendmsg_unix": (.cgroupSockAddr, .sendmsgUnix),
        "cgroup/recvmsg4": (.cgroupSockAddr, .receive4), "cgroup/recvmsg6": (.cgroupSockAddr, .receive6),
        "cgroup/recvmsg_unix": (.cgroupSockAddr, .receiveUnix),
        "cgroup/getpeername4": (.cgroupSockAddr, .receive4),
        "cgroup/getpeername6": (.cgroupSockAddr, .receive6),
        "cgroup/getpeername_unix": (.cgroupSockAddr, .receiveUnix),
        "cgroup/getsockname4": (.cgroupSockAddr, .receive4),
        "cgroup/getsockname6": (.cgroupSockAddr, .receive6),
        "cgroup/getsockname_unix": (.cgroupSockAddr, .receiveUnix),
        "cgroup/sysctl": (.cgroupSysctl, .plain), "cgroup/dev": (.cgroupDevice, .plain),
        "cgroup/getsockopt": (.cgroupSockopt, .getsockopt),
        "cgroup/setsockopt": (.cgroupSockopt, .setsockopt),
    ]

    /// Names that may be followed by `/` and a target.
    private static let open: [String: Entry] = [
        "kprobe": (.kprobe, .plain), "kretprobe": (.kprobe, .plain), "uprobe": (.kprobe, .plain),
        "uretprobe": (.kprobe, .plain), "uprobe.s": (.kprobe, .plain), "uretprobe.s": (.kprobe, .plain),
        "kprobe.multi": (.kprobe, .plain), "kretprobe.multi": (.kprobe, .plain),
        "kprobe.session": (.kprobe, .kprobeSession), "uprobe.multi": (.kprobe, .plain),
        "uretprobe.multi": (.kprobe, .plain), "uprobe.session": (.kprobe, .kprobeSession),
        "uprobe.multi.s": (.kprobe, .plain), "uretprobe.multi.s": (.kprobe, .plain),
        "uprobe.session.s": (.kprobe, .kprobeSession), "ksyscall": (.kprobe, .plain),
        "kretsyscall": (.kprobe, .plain), "usdt": (.kprobe, .plain), "usdt.s": (.kprobe, .plain),
        "tracepoint": (.tracepoint, .plain), "tp": (.tracepoint, .plain),
        "raw_tracepoint": (.rawTracepoint, .plain), "raw_tp": (.rawTracepoint, .plain),
        "raw_tracepoint.w": (.rawTracepointWritable, .plain), "raw_tp.w": (.rawTracepointWritable, .plain),
        "tp_btf": (.tracing, .tpBTF), "fentry": (.tracing, .fentry), "fentry.s": (.tracing, .fentry),
        "fexit": (.tracing, .fexit), "fexit.s": (.tracing, .fexit),
        "fmod_ret": (.tracing, .modifyReturn), "fmod_ret.s": (.tracing, .modifyReturn),
        "iter": (.tracing, .iterator), "iter.s": (.tracing, .iterator),
        "lsm": (.lsm, .lsmMAC), "lsm.s": (.lsm, .lsmMAC), "lsm_cgroup": (.lsm, .lsmCgroup),
        "freplace": (.ext, .plain), "struct_ops": (.structOps, .plain), "struct_ops.s": (.structOps, .plain),
    ]
}
