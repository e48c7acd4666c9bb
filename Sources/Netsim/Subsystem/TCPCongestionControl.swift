internal import CShim
internal import KernelABI
package import OpsCore
internal import Synchronization

/// The subsystem `tcp_congestion_ops`: takes registrations by ops name and hands them to simulated worlds.
///
/// Kernel counterpart: net/ipv4/bpf_tcp_ca.c and tcp_cong.c; rules in reference/struct_ops.md, section 3.
package final class TCPCongestionControl: Subsystem {
    package static let typeName = "tcp_congestion_ops"

    /// Registrations by ops name. A registration holds no reference here: `unregister` comes before it goes.
    private let registrations = Mutex<[String: StructOpsMap]>([:])
    private let changes = Atomic<UInt64>(0)

    package init() {}

    // MARK: What it offers

    package var description: SubsystemDescription {
        // SAFETY: a constant array of the C target, never written.
        let btf = [UInt8](
            UnsafeBufferPointer(start: kernel_abi_btf_start(), count: kernel_abi_btf_size))
        return SubsystemDescription(
            name: "netsim", btf: btf, types: [Self.congestionOps], kfuncs: Kfuncs.all,
            helpers: SocketHelpers.all)
    }

    /// An object file that registers one `cubic`: Examples/cubic.bpf.c, compiled against the types that are offered here.
    package static var example: [UInt8] {
        // SAFETY: a constant array of the C target, never written.
        [UInt8](UnsafeBufferPointer(start: kernel_abi_example_start(), count: kernel_abi_example_size))
    }

    private static var congestionOps: StructOpsType {
        let ordinary = StructOpsType.Member()
        let release = StructOpsType.Member(refusedHelpers: [
            SocketHelpers.setsockopt: "the socket is going away: no option can be set in release",
            SocketHelpers.getsockopt: "the socket is going away: no option can be read in release",
        ])
        var members: [String: StructOpsType.Member] = ["release": release]
        for name in [
            "ssthresh", "cong_avoid", "set_state", "cwnd_event", "in_ack_event", "pkts_acked", "min_tso_segs",
            "cong_control", "undo_cwnd", "sndbuf_expand", "init",
        ] {
            members[name] = ordinary
        }
        return StructOpsType(
            name: typeName, members: members,
            fields: [
                "name": .name, "flags": .flags(mask: UInt64(TCP_CONG_NON_RESTRICTED | TCP_CONG_NEEDS_ECN)),
            ],
            required: [["ssthresh"], ["undo_cwnd"], ["cong_avoid", "cong_control"]],
            attachment: .name(member: "name"), helpers: SocketHelpers.ids, writable: writable,
            promotions: ["sock": "tcp_sock"], supportsUpdate: true)
    }

    /// Exactly what the kernel lets a congestion control write.
    private static let writable: [StructOpsType.WritableField] = [
        .init("sock", "sk_pacing_rate"), .init("sock", "sk_pacing_status"),
        .init("inet_connection_sock", "icsk_ca_priv", allowsInnerOffsets: true),
        .init("inet_connection_sock", "icsk_ack.pending"), .init("tcp_sock", "snd_cwnd"),
        .init("tcp_sock", "snd_cwnd_cnt"), .init("tcp_sock", "snd_cwnd_stamp"),
        .init("tcp_sock", "snd_ssthresh"),
        .init("tcp_sock", "ecn_flags"), .init("tcp_sock", "app_limited"),
    ]

    // MARK: Registrations

    package func register(_ map: StructOpsMap, link: StructOpsLink?) throws(OpsError) {
        let name = map.opsName ?? ""
        guard !Scenario.builtinControls.contains(name) else {
            throw taken(name, "a built-in congestion control has this name")
        }
        let isNew = registrations.withLock { table in
            guard table[name] == nil else { return false }
            table[name] = map
            return true
        }
        guard isNew else { throw taken(name, "unregister the other one first, or update it") }
        noteChange()
    }

    private func taken(_ name: String, _ reason: String) -> OpsError {
        // The kernel compares a hash of the name; here the name itself is the key.
        OpsError(
            "exists", errno: OpsError.eexist, "'\(name)' already registered or non-unique key", reason: reason
        )
    }

    package func unregister(_ map: StructOpsMap, link: StructOpsLink?) {
        registrations.withLock { table in
            if let name = map.opsName, table[name] === map { table[name] = nil }
        }
        noteChange()
    }

    package func update(
        from old: StructOpsMap, to new: StructOpsMap, link: StructOpsLink
    ) throws(OpsError) {
        let (oldName, newName) = (old.opsName ?? "", new.opsName ?? "")
        let current = registrations.withLock { $0[oldName] }
        guard let current, oldName == newName else {
            throw OpsError(
                "invalid", errno: OpsError.einval, "'\(newName)' not registered or non-unique key",
                reason: "an update keeps the name, which is '\(oldName)'")
        }
        guard current === old else {
            throw OpsError(
                "invalid", errno: OpsError.einval, "invalid old congestion control algorithm to replace")
        }
        registrations.withLock { $0[newName] = new }
        noteChange()
    }

    /// Grows with every change of what `get` finds, after it can be found: a live world that sees the same number as
    /// before a look-up need not repeat it.
    var generation: UInt64 { changes.load(ordering: .acquiring) }

    private func noteChange() { changes.add(1, ordering: .releasing) }

    /// The registration that flows of new worlds get for an ops name, with one reference taken for the caller.
    package func get(_ name: String) -> StructOpsMap? {
        registrations.withLock { table in table[name].flatMap { $0.get() ? $0 : nil } }
    }
}
