import KernelABI
import Netsim
import Synchronization

/// One call of a congestion control op, with what the reference's logs say about it.
package struct Callback: Equatable, Sendable {
    var name: String
    /// First argument or result, as in the reference; cong_avoid: ack.
    var a: Int64
    var acked: Int64
    var cwnd: UInt32
    /// -1: infinite.
    var ssthresh: Int64
    var time: Double
    var sndUna: UInt32
    var sndNxt: UInt32
    var packetsOut: UInt32
    var sackedOut: UInt32
    var lostOut: UInt32
    /// Microseconds.
    var srtt: UInt32
    var state: UInt8
    var delivered: UInt32

    /// What two logs are compared by.
    var key: String { "\(name) \(cwnd) \(ssthresh)" + (name == "cong_avoid" ? " \(acked)" : "") }

    package var line: String {
        "\(time) \(name) \(a) \(acked) cwnd \(cwnd)/\(ssthresh) una \(sndUna) nxt \(sndNxt) out \(packetsOut)"
            + " sacked \(sackedOut) lost \(lostOut) srtt \(srtt) state \(state)"
    }
}

/// A native congestion control that logs every call and does what the reference's BPF one did (Reno, or a fixed window).
final class CallbackLog {
    /// One world at a time: the ops are C functions, which find their log here.
    private static let lock = Mutex(())
    nonisolated(unsafe) private static var current: CallbackLog?  // Guarded by `lock`.
    private static var reno: tcp_congestion_ops { BuiltinControl.reno }
    private var calls: [Callback] = []
    private let world: World

    private init(_ world: World) { self.world = world }

    private static func note(
        _ name: String, _ sock: UnsafeMutablePointer<sock>?, a: Int64 = 0, acked: Int64 = 0
    ) {
        guard let log = current, let sock else { return }
        // SAFETY: every socket of the simulator is a tcp_sock, which begins with its sock.
        let tp = UnsafeMutableRawPointer(sock).assumingMemoryBound(to: tcp_sock.self).pointee
        let isn = tp.snd_una &- UInt32(truncatingIfNeeded: tp.bytes_acked)
        log.calls.append(
            Callback(
                name: name, a: a, acked: acked, cwnd: tp.snd_cwnd,
                ssthresh: tp.snd_ssthresh >= 0x7fff_ffff ? -1 : Int64(tp.snd_ssthresh),
                time: Double(log.world.now) / 1000, sndUna: tp.snd_una &- isn, sndNxt: tp.snd_nxt &- isn,
                packetsOut: tp.packets_out, sackedOut: tp.sacked_out, lostOut: tp.lost_out,
                srtt: tp.srtt_us >> 3, state: tp.inet_conn.icsk_ca_state,
                delivered: tp.delivered))
    }

    /// As the reference's `bpf_cclog`: Reno that logs.
    private static func renoOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.`init` = { CallbackLog.note("init", $0) }
        ops.release = { CallbackLog.note("release", $0) }
        ops.ssthresh = { sock in
            let value = CallbackLog.reno.ssthresh?(sock) ?? 0
            CallbackLog.note("ssthresh", sock, a: Int64(value))
            return value
        }
        ops.cong_avoid = { sock, ack, acked in
            CallbackLog.note("cong_avoid", sock, a: Int64(ack), acked: Int64(acked))
            CallbackLog.reno.cong_avoid?(sock, ack, acked)
        }
        ops.set_state = { CallbackLog.note("set_state", $0, a: Int64($1)) }
        ops.cwnd_event = { CallbackLog.note("cwnd_event", $0, a: Int64($1.rawValue)) }
        ops.in_ack_event = { CallbackLog.note("in_ack_event", $0, a: Int64($1)) }
        ops.pkts_acked = { sock, sample in
            CallbackLog.note(
                "pkts_acked", sock, a: Int64(sample?.pointee.pkts_acked ?? 0),
                acked: Int64(sample?.pointee.rtt_us ?? 0))
        }
        ops.undo_cwnd = { sock in
            let value = CallbackLog.reno.undo_cwnd?(sock) ?? 0
            CallbackLog.note("undo_cwnd", sock, a: Int64(value))
            return value
        }
        return ops
    }

    /// As `bpf_cclog_rs`: a window of 100 segments through cong_control.
    private static func fixedOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.`init` = { CallbackLog.note("init", $0) }
        ops.release = { CallbackLog.note("release", $0) }
        ops.set_state = { CallbackLog.note("set_state", $0, a: Int64($1)) }
        ops.cwnd_event = { CallbackLog.note("cwnd_event", $0, a: Int64($1.rawValue)) }
        ops.cong_control = { sock, _, _, rs in
            CallbackLog.note(
                "cong_control", sock, a: Int64(rs?.pointee.delivered ?? 0),
                acked: Int64(rs?.pointee.interval_us ?? 0))
            guard let sock else { return }
            // SAFETY: as in `note`.
            UnsafeMutableRawPointer(sock).assumingMemoryBound(to: tcp_sock.self).pointee.snd_cwnd = 100
        }
        ops.ssthresh = { sock in
            CallbackLog.note("ssthresh", sock)
            return 100
        }
        ops.undo_cwnd = { sock in
            CallbackLog.note("undo_cwnd", sock)
            return 100
        }
        return ops
    }

    /// Runs a scenario whose flows use `cc: bpf_cclog` or `bpf_cclog_rs`.
    static func run(_ text: String, name: String) throws -> [Callback] {
        try lock.withLock { _ in
            let scenario = try Scenario.parse(text, file: name)
            let ops = UnsafeMutablePointer<tcp_congestion_ops>.allocate(capacity: 2)
            defer { ops.deallocate() }
            ops.initialize(to: renoOps())
            (ops + 1).initialize(to: fixedOps())
            let world = try World(
                scenario,
                native: [("bpf_cclog", UnsafePointer(ops)), ("bpf_cclog_rs", UnsafePointer(ops + 1))])
            let log = CallbackLog(world)
            current = log
            defer { current = nil }
            world.run(until: scenario.duration)
            return log.calls
        }
    }

    /// Reads a log of the reference.
    static func read(_ csv: String) -> [Callback] {
        csv.split(separator: "\n").dropFirst().compactMap { line in
            let f = line.split(separator: ",", omittingEmptySubsequences: false)
            guard f.count >= 20, let time = Double(f[0]), let cwnd = UInt32(f[9]), let ssthresh = Int64(f[10])
            else { return nil }
            return Callback(
                name: String(f[1]), a: Int64(f[2]) ?? 0, acked: Int64(f[3]) ?? 0, cwnd: cwnd,
                ssthresh: ssthresh,
                time: time, sndUna: UInt32(f[15]) ?? 0, sndNxt: UInt32(f[16]) ?? 0,
                packetsOut: UInt32(f[11]) ?? 0, sackedOut: UInt32(f[12]) ?? 0, lostOut: UInt32(f[13]) ?? 0,
                srtt: UInt32(f[18]) ?? 0, state: UInt8(f[19]) ?? 0,
                delivered: UInt32(f[17]) ?? 0)
        }
    }

    /// Length of the longest common subsequence of the keys (Myers' greedy algorithm, which is fast for near equals).
    static func commonLength(_ a: [Callback], _ b: [Callback]) -> Int {
        var ids: [String: Int] = [:]
        func number(_ calls: [Callback]) -> [Int] {
            calls.map { call in
                let key = call.key
                if let id = ids[key] { return id }
                ids[key] = ids.count
                return ids.count - 1
            }
        }
        let (x, y) = (number(a), number(b))
        let (n, m) = (x.count, y.count)
        let most = n + m
        var furthest = [Int](repeating: 0, count: 2 * most + 2)
        for d in 0...most {
            for k in stride(from: -d, through: d, by: 2) {
                let index = k + most
                var i =
                    k == -d || (k != d && furthest[index - 1] < furthest[index + 1])
                    ? furthest[index + 1] : furthest[index - 1] + 1
                var j = i - k
                while i < n, j < m, x[i] == y[j] {
                    i += 1
                    j += 1
                }
                furthest[index] = i
                if i >= n, j >= m { return (n + m - d) / 2 }
            }
        }
        return 0
    }

    /// The first entry after a delivery that was surely over 1 ms late; nil if there is none.
    ///
    /// The log holds when an ACK was processed, not when it was due. While the link is busy, segments are `service`
    /// microseconds apart, so an ACK that came later than its distance to one of the next ACKs explains was late by the
    /// rest. An ACK that waited for a second segment looks late by one service time: that much is not counted.
    static func firstStall(_ calls: [Callback], service: Double) -> Int? {
        let acks = calls.indices.filter { calls[$0].name == "pkts_acked" || calls[$0].name == "cong_control" }
        let offsets = acks.map { calls[$0].time - service * Double(calls[$0].delivered) }
        for index in offsets.indices {
            let next = offsets[index..<min(index + 12, offsets.count)].min() ?? offsets[index]
            if offsets[index] - next > 1000 + service { return acks[index] }
        }
        return nil
    }
}
