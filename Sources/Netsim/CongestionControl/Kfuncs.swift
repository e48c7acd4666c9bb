internal import BPF
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
        _ name: String, body: [Instruction] = [],
        _ function:
            @escaping @convention(c) (
                UInt64, UInt64, UInt64, UInt64, UInt64, UnsafeMutablePointer<ops_block>?
            ) -> UInt64
    ) -> Kfunc { Kfunc(name, body: body, function: function) }

    static let all: [Kfunc] = shared + cubic + bbr + dctcp

    private static let shared = [
        op("tcp_reno_ssthresh", body: KfuncBodies.renoSsthresh) { sk, _, _, _, _, _ in
            UInt64(socket(sk).renoSsthresh)
        },
        op("tcp_reno_cong_avoid") { sk, _, acked, _, _, _ in
            socket(sk).renoCongAvoid(acked: UInt32(truncatingIfNeeded: acked))
            return 0
        },
        op("tcp_reno_undo_cwnd", body: KfuncBodies.renoUndoCwnd) { sk, _, _, _, _, _ in
            UInt64(socket(sk).renoUndoCwnd)
        },
        op("tcp_slow_start", body: KfuncBodies.slowStart) { tp, acked, _, _, _, _ in
            UInt64(socket(tp).slowStart(acked: UInt32(truncatingIfNeeded: acked)))
        },
        op("tcp_cong_avoid_ai", body: KfuncBodies.congestionAvoidance) { tp, w, acked, _, _, _ in
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

    private static let bbr = [
        op("bbr_init") { sk, _, _, _, _, _ in
            BBR.start(socket(sk))
            return 0
        },
        op("bbr_main") { sk, _, _, sample, _, _ in
            guard let sample = UnsafePointer<rate_sample>(bitPattern: UInt(sample)) else { return 0 }
            BBR.control(socket(sk), sample)
            return 0
        },
        op("bbr_sndbuf_expand") { _, _, _, _, _, _ in UInt64(BBR.sendBufferFactor) },
        op("bbr_undo_cwnd") { sk, _, _, _, _, _ in UInt64(BBR.undoCwnd(socket(sk))) },
        op("bbr_cwnd_event") { sk, event, _, _, _, _ in
            BBR.cwndEvent(socket(sk), tcp_ca_event(rawValue: UInt32(truncatingIfNeeded: event)))
            return 0
        },
        op("bbr_ssthresh") { sk, _, _, _, _, _ in UInt64(BBR.ssthresh(socket(sk))) },
        op("bbr_min_tso_segs") { sk, _, _, _, _, _ in UInt64(BBR.minTSOSegments(socket(sk))) },
        op("bbr_set_state") { sk, state, _, _, _, _ in
            BBR.setState(socket(sk), UInt8(truncatingIfNeeded: state))
            return 0
        },
    ]

    private static let dctcp = [
        op("dctcp_init") { sk, _, _, _, _, _ in
            DCTCP.start(socket(sk))
            return 0
        },
        op("dctcp_update_alpha") { sk, _, _, _, _, _ in
            DCTCP.updateAlpha(socket(sk))
            return 0
        },
        op("dctcp_cwnd_event") { sk, event, _, _, _, _ in
            DCTCP.cwndEvent(socket(sk), tcp_ca_event(rawValue: UInt32(truncatingIfNeeded: event)))
            return 0
        },
        op("dctcp_ssthresh") { sk, _, _, _, _, _ in UInt64(DCTCP.ssthresh(socket(sk))) },
        op("dctcp_cwnd_undo") { sk, _, _, _, _, _ in UInt64(DCTCP.undoCwnd(socket(sk))) },
        op("dctcp_state") { sk, state, _, _, _, _ in
            DCTCP.setState(socket(sk), UInt8(truncatingIfNeeded: state))
            return 0
        },
    ]
}
