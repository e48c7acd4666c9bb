internal import KernelABI

// What must hold between events, whatever programs do. Checked by `assert`, so in debug builds only; watches, never steers.

extension Link {
    /// Every packet that arrived was dropped, or was delivered, or is still here; what is queued counts in bytes.
    var isConserving: Bool {
        let waiting = UInt64(packets.count + (models?.pointee.heldCount ?? 0))
        let all = statistics.dropped &+ statistics.lost &+ statistics.delivered &+ waiting
        return statistics.arrived == all && queueBytes <= max(bufferBytes, UInt64(UInt16.max))
    }
}

extension Flow {
    /// The queue of segments is `snd_una ..< snd_nxt` and agrees with the socket's counts, what the receiver has in order
    /// was sent, and its bytes add up.
    var isConsistent: Bool {
        guard pointee.phase == .established || pointee.phase == .finWait else { return true }
        let socket = tp.pointee
        guard Int(socket.packets_out) == pointee.segments.count, socket.sacked_out <= socket.packets_out,
            socket.lost_out <= socket.packets_out, socket.retrans_out <= socket.packets_out
        else { return false }
        if hasSegments {
            guard segment(endSegment &- 1).pointee.end == socket.snd_nxt,
                after(segment(headSegment).pointee.end, socket.snd_una)
            else { return false }
        }
        guard pointee.receiverState.phase == .established else { return true }
        let received = rp.pointee.rcv_nxt &- pointee.receiverState.synSeq &- 1
        return !after(rp.pointee.rcv_nxt, socket.snd_nxt)
            && UInt32(truncatingIfNeeded: rp.pointee.bytes_received) == received
            && rp.pointee.copied_seq == rp.pointee.rcv_nxt
    }
}
