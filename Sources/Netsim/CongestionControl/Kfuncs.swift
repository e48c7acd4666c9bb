internal import CShim
internal import KernelABI
internal import OpsCore

/// Native code behind the kfuncs of kernel.btf: arguments as BPF passes them, then the calling instance's block.
enum Kfuncs {
    /// The `sock` or `tcp_sock` in a register.
    @inline(__always) static func socket(_ register: UInt64) -> TCPSock {
        // SAFETY: kfuncs take trusted arguments only: the verifier has proved this to be a live socket of the world.
        UnsafeMutablePointer(bitPattern: UInt(register)).unsafelyUnwrapped
    }

    private static func op(
        _ name: String,
        _ function:
            @escaping @convention(c) (
                UInt64, UInt64, UInt64, UInt64, UInt64, UnsafeMutablePointer<ops_block>?
            ) -> UInt64
    ) -> Kfunc { Kfunc(name, function: function) }

    static let all: [Kfunc] = shared + cubic + unbuilt

    private static let shared = [
        op("tcp_reno_ssthresh") { sk, _, _, _, _, _ in UInt64(socket(sk).renoSsthresh) },
        op("tcp_reno_cong_avoid") { sk, _, acked, _, _, _ in
            socket(sk).renoCongAvoid(acked: UInt32(truncatingIfNeeded: acked))
            return 0
        },
        op("tcp_reno_undo_cwnd") { sk, _, _, _, _, _ in UInt64(socket(sk).renoUndoCwnd) },
        op("tcp_slow_start") { tp, acked, _, _, _, _ in
            UInt64(socket(tp).slowStart(acked: UInt32(truncatingIfNeeded: acked)))
        },
        op("tcp_cong_avoid_ai") { tp, w, acked, _, _, _ in
            socket(tp).congestionAvoidance(
                w: UInt32(truncatingIfNeeded: w), acked: UInt32(truncatingIfNeeded: acked))
            return 0
        },
    ]

    private static let cubic = [
        op("cubictcp_init") { sk, _, _, _, _, _ in
            Cubic.start(socket(sk))
            return 0
        },
        op("cubictcp_recalc_ssthresh") { sk, _, _, _, _, _ in UInt64(Cubic.ssthresh(socket(sk))) },
        op("cubictcp_cong_avoid") { sk, _, acked, _, _, _ in
            Cubic.congAvoid(socket(sk), acked: UInt32(truncatingIfNeeded: acked))
            return 0
        },
        op("cubictcp_state") { sk, state, _, _, _, _ in
            Cubic.setState(socket(sk), UInt8(truncatingIfNeeded: state))
            return 0
        },
        op("cubictcp_cwnd_event") { sk, event, _, _, _, _ in
            Cubic.cwndEvent(socket(sk), tcp_ca_event(rawValue: UInt32(truncatingIfNeeded: event)))
            return 0
        },
        op("cubictcp_acked") { sk, sample, _, _, _, _ in
            guard let sample = UnsafePointer<ack_sample>(bitPattern: UInt(sample)) else { return 0 }
            Cubic.acked(socket(sk), sample.pointee.rtt_us)
            return 0
        },
    ]

    /// Their prototypes exist, so objects that use them load; a flow that reaches one ends with an error naming it.
    private static let unbuilt = [
        op("bbr_init") { sk, _, _, _, _, block in missing("bbr_init", sk) },
        op("bbr_main") { sk, _, _, _, _, block in missing("bbr_main", sk) },
        op("bbr_sndbuf_expand") { sk, _, _, _, _, block in missing("bbr_sndbuf_expand", sk) },
        op("bbr_undo_cwnd") { sk, _, _, _, _, block in missing("bbr_undo_cwnd", sk) },
        op("bbr_cwnd_event") { sk, _, _, _, _, block in missing("bbr_cwnd_event", sk) },
        op("bbr_ssthresh") { sk, _, _, _, _, block in missing("bbr_ssthresh", sk) },
        op("bbr_min_tso_segs") { sk, _, _, _, _, block in missing("bbr_min_tso_segs", sk) },
        op("bbr_set_state") { sk, _, _, _, _, block in missing("bbr_set_state", sk) },
        op("dctcp_init") { sk, _, _, _, _, block in missing("dctcp_init", sk) },
        op("dctcp_update_alpha") { sk, _, _, _, _, block in missing("dctcp_update_alpha", sk) },
        op("dctcp_cwnd_event") { sk, _, _, _, _, block in missing("dctcp_cwnd_event", sk) },
        op("dctcp_ssthresh") { sk, _, _, _, _, block in missing("dctcp_ssthresh", sk) },
        op("dctcp_cwnd_undo") { sk, _, _, _, _, block in missing("dctcp_cwnd_undo", sk) },
        op("dctcp_state") { sk, _, _, _, _, block in missing("dctcp_state", sk) },
    ]

    private static func missing(_ name: StaticString, _ sk: UInt64) -> UInt64 {
        let tp = socket(sk)
        tp.flow.engine.pointee.effects.fail(socket: UInt(bitPattern: tp), kfunc: name)
        return 0
    }
}
