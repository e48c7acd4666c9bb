internal import KernelABI

// What programs asked for, done after their op has returned; and TCP_CONGESTION, which they may ask for in `init`.

extension Flow {
    /// The outermost op has returned.
    func runEffects() {
        let count = engine.pointee.effects.ackCount
        for index in 0..<count {
            let ack = engine.pointee.effects.ack(index)
            // Only a receiving socket has something to acknowledge here.
            if ack.socket == UInt(bitPattern: rp), pointee.receiverState.phase == .established {
                sendProgramAck(ack)
            }
        }
        engine.pointee.effects.clear()
        engine.ejectExcesses()
    }

    /// setsockopt(TCP_CONGESTION). Kernel: `tcp_set_congestion_control`.
    /// At once, and once per op call, since the socket's next op must be the new one's.
    /// - Returns: 0 or a negative errno.
    func setCongestionControl(_ name: String, socket: TCPSock) -> Int64 {
        let side: Side = socket == tp ? .sender : .receiver
        guard name != "cdg" else { return -524 }
        guard socket.pointee.bpf_chg_cc_inprogress == 0, !engine.pointee.effects.hasSwitched else {
            return -16
        }
        guard let entry = engine.pointee.controls.find(name) else { return -2 }
        guard entry.attachment.ops != ops(side) else { return 0 }
        engine.pointee.effects.noteSwitch()
        socket.pointee.bpf_chg_cc_inprogress = 1
        defer { socket.pointee.bpf_chg_cc_inprogress = 0 }
        if socket.pointee.inet_conn.icsk_ca_initialized != 0 { callRelease(side) }
        engine.pointee.controls.put(side == .sender ? pointee.senderOps : pointee.receiverOps)
        engine.pointee.controls.get(entry.attachment)
        if side == .sender {
            pointee.senderOps = entry.attachment
        } else {
            pointee.receiverOps = entry.attachment
        }
        socket.pointee.inet_conn.icsk_ca_ops = entry.attachment.ops
        socket.pointee.inet_conn.icsk_ca_priv = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        let state = socket.pointee.inet_conn.icsk_inet.sk.__sk_common.skc_state
        if state != UInt8(TCP_CLOSE.rawValue) { callInit(side) }
        return 0
    }
}
