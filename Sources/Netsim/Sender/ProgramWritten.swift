internal import KernelABI

/// The one place where fields that programs write are read and written.
///
/// Each may hold any bit pattern at any time: users of these accessors compute with wrapping or saturating arithmetic of
/// the kernel's width, never with trapping operators, and treat 0 as legal.
extension TCPSock {
    @inline(__always) var cwnd: UInt32 {
        get { pointee.snd_cwnd }
        nonmutating set { pointee.snd_cwnd = newValue }
    }
    @inline(__always) var ssthresh: UInt32 {
        get { pointee.snd_ssthresh }
        nonmutating set { pointee.snd_ssthresh = newValue }
    }
    @inline(__always) var cwndCount: UInt32 {
        get { pointee.snd_cwnd_cnt }
        nonmutating set { pointee.snd_cwnd_cnt = newValue }
    }
    /// Jiffies.
    @inline(__always) var cwndStamp: UInt32 {
        get { pointee.snd_cwnd_stamp }
        nonmutating set { pointee.snd_cwnd_stamp = newValue }
    }
    @inline(__always) var ecnFlags: UInt8 {
        get { pointee.ecn_flags }
        nonmutating set { pointee.ecn_flags = newValue }
    }
    /// Value of `delivered` at which the application-limited phase ends; 0: none.
    @inline(__always) var appLimited: UInt32 {
        get { pointee.app_limited }
        nonmutating set { pointee.app_limited = newValue }
    }
    /// `ICSK_ACK_*`.
    @inline(__always) var ackPending: UInt8 {
        get { pointee.inet_conn.icsk_ack.pending }
        nonmutating set { pointee.inet_conn.icsk_ack.pending = newValue }
    }
    /// Bytes per second.
    @inline(__always) var pacingRate: UInt64 {
        get { UInt64(pointee.inet_conn.icsk_inet.sk.sk_pacing_rate) }
        nonmutating set { pointee.inet_conn.icsk_inet.sk.sk_pacing_rate = UInt(newValue) }
    }
    /// Kernel: `tcp_needs_internal_pacing`.
    @inline(__always) var needsPacing: Bool {
        pointee.inet_conn.icsk_inet.sk.sk_pacing_status == SK_PACING_NEEDED.rawValue
    }
    @inline(__always) var pacingStatus: UInt32 {
        get { pointee.inet_conn.icsk_inet.sk.sk_pacing_status }
        nonmutating set { pointee.inet_conn.icsk_inet.sk.sk_pacing_status = newValue }
    }
}

/// Fields that programs read only, under short names.
extension TCPSock {
    @inline(__always) var caState: UInt8 {
        get { pointee.inet_conn.icsk_ca_state }
        nonmutating set { pointee.inet_conn.icsk_ca_state = newValue }
    }
    /// Jiffies.
    @inline(__always) var rto: UInt32 {
        get { pointee.inet_conn.icsk_rto }
        nonmutating set { pointee.inet_conn.icsk_rto = newValue }
    }
    @inline(__always) var sndbuf: Int32 {
        get { pointee.inet_conn.icsk_inet.sk.sk_sndbuf }
        nonmutating set { pointee.inet_conn.icsk_inet.sk.sk_sndbuf = newValue }
    }
    /// Memory of what is unsent and unacknowledged, descriptors included.
    @inline(__always) var wmemQueued: Int32 {
        get { pointee.inet_conn.icsk_inet.sk.sk_wmem_queued }
        nonmutating set { pointee.inet_conn.icsk_inet.sk.sk_wmem_queued = newValue }
    }
    @inline(__always) var rcvbuf: Int32 {
        get { pointee.inet_conn.icsk_inet.sk.sk_rcvbuf }
        nonmutating set { pointee.inet_conn.icsk_inet.sk.sk_rcvbuf = newValue }
    }
    @inline(__always) var maxPacingRate: UInt64 {
        UInt64(pointee.inet_conn.icsk_inet.sk.sk_max_pacing_rate)
    }
    @inline(__always) var sock: UnsafeMutablePointer<sock> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: KernelABI.sock.self)
    }
    /// Kernel: `tcp_packets_in_flight`. May wrap when a count is briefly inconsistent, as in Linux.
    @inline(__always) var inFlight: UInt32 {
        pointee.packets_out &- (pointee.sacked_out &+ pointee.lost_out) &+ pointee.retrans_out
    }
    @inline(__always) var leftOut: UInt32 { pointee.sacked_out &+ pointee.lost_out }
    @inline(__always) var isInSlowStart: Bool { cwnd < ssthresh }
    @inline(__always) var isInCwndReduction: Bool {
        let state = caState
        return state == CAState.cwr || state == CAState.recovery
    }
    @inline(__always) var minRTT: UInt32 { pointee.rtt_min.s.0.v }
    @inline(__always) var windowEnd: UInt32 { pointee.snd_una &+ pointee.snd_wnd }
    /// Kernel: `tcp_current_ssthresh`.
    @inline(__always) var currentSsthresh: UInt32 {
        isInCwndReduction ? ssthresh : max(ssthresh, (cwnd >> 1) &+ (cwnd >> 2))
    }
    /// Kernel: `tcp_is_cwnd_limited`.
    @inline(__always) var isCwndLimited: Bool {
        if pointee.is_cwnd_limited != 0 { return true }
        return isInSlowStart && cwnd < 2 &* pointee.max_packets_out
    }
}

/// `enum tcp_ca_state` in the width of its bit field.
enum CAState {
    static let open: UInt8 = 0
    static let disorder: UInt8 = 1
    static let cwr: UInt8 = 2
    static let recovery: UInt8 = 3
    static let loss: UInt8 = 4
}

/// `icsk_pending`: what the retransmission timer is set for.
enum PendingTimer {
    static let none: UInt8 = 0
    static let retransmit: UInt8 = 1
    /// Nothing is in flight, and what is unsent may not leave: the receiver is asked for its window.
    static let windowProbe: UInt8 = 3
    static let lossProbe: UInt8 = 5
    static let reordering: UInt8 = 6
}
