package import KernelABI

// Window arithmetic that all loss-based congestion controls share, and Reno. Also what the kfuncs of these names run.
// Everything here may be called by programs with any state and any argument: wrapping arithmetic of the kernel's width.

extension TCPSock {
    /// Kernel: `tcp_slow_start`. - Returns: ACKed segments that are left over for congestion avoidance.
    @inline(__always) func slowStart(acked: UInt32) -> UInt32 {
        let cwnd = min(self.cwnd &+ acked, ssthresh)
        let left = acked &- (cwnd &- self.cwnd)
        self.cwnd = min(cwnd, pointee.snd_cwnd_clamp)
        return left
    }

    /// One segment more for every `w` ACKed. Kernel: `tcp_cong_avoid_ai`.
    @inline(__always) func congestionAvoidance(w: UInt32, acked: UInt32) {
        if cwndCount >= w {
            cwndCount = 0
            cwnd = cwnd &+ 1
        }
        cwndCount = cwndCount &+ acked
        if cwndCount >= w {
            // Linux divides by whatever w is; 0 traps there as well, so it counts as 1.
            let divisor = max(w, 1)
            let delta = cwndCount / divisor
            cwndCount = cwndCount &- delta &* w
            cwnd = cwnd &+ delta
        }
        cwnd = min(cwnd, pointee.snd_cwnd_clamp)
    }

    /// Kernel: `tcp_reno_cong_avoid`.
    @inline(__always) func renoCongAvoid(acked: UInt32) {
        guard isCwndLimited else { return }
        var acked = acked
        if isInSlowStart {
            acked = slowStart(acked: acked)
            if acked == 0 { return }
        }
        congestionAvoidance(w: cwnd, acked: acked)
    }

    /// Kernel: `tcp_reno_ssthresh`.
    @inline(__always) var renoSsthresh: UInt32 { max(cwnd >> 1, 2) }
    /// Kernel: `tcp_reno_undo_cwnd`.
    @inline(__always) var renoUndoCwnd: UInt32 { max(cwnd, pointee.prior_cwnd) }

    /// The socket that an op was given.
    @inline(__always) static func of(_ sock: UnsafeMutablePointer<KernelABI.sock>?) -> TCPSock {
        // SAFETY: the engine passes its tcp_socks, and the verifier lets programs pass on nothing else.
        UnsafeMutableRawPointer(sock.unsafelyUnwrapped).assumingMemoryBound(to: tcp_sock.self)
    }
}

enum Reno {
    static func makeOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.setName("reno")
        ops.flags = UInt32(TCP_CONG_NON_RESTRICTED)
        ops.ssthresh = { TCPSock.of($0).renoSsthresh }
        ops.cong_avoid = { sock, _, acked in TCPSock.of(sock).renoCongAvoid(acked: acked) }
        ops.undo_cwnd = { TCPSock.of($0).renoUndoCwnd }
        return ops
    }
}

/// Built-in congestion controls for native code that builds on them, as BPF programs do through kfuncs.
package enum BuiltinControl {
    // A table of C functions: never written after this.
    package nonisolated(unsafe) static let reno = Reno.makeOps()
}

extension tcp_congestion_ops {
    /// - Parameter name: shorter than 16 bytes.
    mutating func setName(_ name: StaticString) {
        withUnsafeMutableBytes(of: &self.name) { bytes in
            name.withUTF8Buffer { source in
                for index in 0..<min(source.count, bytes.count - 1) { bytes[index] = source[index] }
            }
        }
    }
}
