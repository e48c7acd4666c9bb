import KernelABI
import OpsCore

@testable import Netsim

/// One call of a congestion control op, with what the reference's logs say about it.
struct Callback: Equatable {
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

    /// What two logs are compared by.
    var key: String { "\(name) \(cwnd) \(ssthresh)" + (name == "cong_avoid" ? " \(acked)" : "") }
}

/// A native congestion control that logs every call and does what the reference's BPF one did (Reno, or a fixed window).
///
/// Tests run one world at a time on it: see `CallbackLog.lock`.
final class CallbackLog {
    nonisolated(unsafe) static var current: CallbackLog?  // Guarded by the serialized suite that uses it.
    var calls: [Callback] = []

    static func note(_ name: String, _ sock: UnsafeMutablePointer<sock>?, a: Int64 = 0, acked: Int64 = 0) {
        let tp = TCPSock.of(sock)
        let flow = tp.flow
        guard let log = current, tp == flow.tp else { return }
        let isn = tp.pointee.snd_una &- UInt32(truncatingIfNeeded: tp.pointee.bytes_acked)
        let ssthresh = tp.ssthresh
        log.calls.append(
            Callback(
                name: name, a: a, acked: acked, cwnd: tp.cwnd,
                ssthresh: ssthresh >= 0x7fff_ffff ? -1 : Int64(ssthresh),
                time: Double(flow.engine.pointee.now) / 1000, sndUna: tp.pointee.snd_una &- isn,
                sndNxt: tp.pointee.snd_nxt &- isn, packetsOut: tp.pointee.packets_out,
                sackedOut: tp.pointee.sacked_out, lostOut: tp.pointee.lost_out))
    }

    /// As the reference's `bpf_cclog`: Reno that logs.
    static func renoOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.setName("bpf_cclog")
        ops.`init` = { CallbackLog.note("init", $0) }
        ops.release = { CallbackLog.note("release", $0) }
        ops.ssthresh = { sock in
            let value = TCPSock.of(sock).renoSsthresh
            CallbackLog.note("ssthresh", sock, a: Int64(value))
            return value
        }
        ops.cong_avoid = { sock, ack, acked in
            CallbackLog.note("cong_avoid", sock, a: Int64(ack), acked: Int64(acked))
            TCPSock.of(sock).renoCongAvoid(acked: acked)
        }
        ops.set_state = { CallbackLog.note("set_state", $0, a: Int64($1)) }
        ops.cwnd_event = { CallbackLog.note("cwnd_event", $0, a: Int64($1.rawValue)) }
        ops.in_ack_event = { CallbackLog.note("in_ack_event", $0, a: Int64($1)) }
        ops.pkts_acked = { sock, sample in
            CallbackLog.note("pkts_acked", sock, a: Int64(sample?.pointee.pkts_acked ?? 0))
        }
        ops.undo_cwnd = { sock in
            let value = TCPSock.of(sock).renoUndoCwnd
            CallbackLog.note("undo_cwnd", sock, a: Int64(value))
            return value
        }
        return ops
    }

    /// As `bpf_cclog_rs`: a window of 100 segments through cong_control.
    static func fixedOps() -> tcp_congestion_ops {
        var ops = tcp_congestion_ops()
        ops.setName("bpf_cclog_rs")
        ops.`init` = { CallbackLog.note("init", $0) }
        ops.release = { CallbackLog.note("release", $0) }
        ops.set_state = { CallbackLog.note("set_state", $0, a: Int64($1)) }
        ops.cwnd_event = { CallbackLog.note("cwnd_event", $0, a: Int64($1.rawValue)) }
        ops.cong_control = { sock, _, _, rs in
            CallbackLog.note("cong_control", sock, a: Int64(rs?.pointee.delivered ?? 0))
            TCPSock.of(sock).cwnd = 100
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
    static func run(_ text: String) throws -> [Callback] {
        let scenario = try Scenario.parse(text, file: "callbacks.yaml")
        let controls = ControlTable()
        let ops = UnsafeMutablePointer<tcp_congestion_ops>.allocate(capacity: 2)
        defer { ops.deallocate() }
        ops.initialize(to: renoOps())
        (ops + 1).initialize(to: fixedOps())
        controls.add(name: "bpf_cclog", ops: ops, block: nil, objectSHA256: nil, instance: nil)
        controls.add(name: "bpf_cclog_rs", ops: ops + 1, block: nil, objectSHA256: nil, instance: nil)
        let log = CallbackLog()
        current = log
        defer { current = nil }
        let world = try Run.world(scenario, controls: controls)
        Run.toEnd(world)
        return log.calls
    }

    /// Reads a log of the reference.
    static func read(_ csv: String) -> [Callback] {
        csv.split(separator: "\n").dropFirst().compactMap { line in
            let f = line.split(separator: ",", omittingEmptySubsequences: false)
            guard f.count >= 16, let time = Double(f[0]), let cwnd = UInt32(f[9]), let ssthresh = Int64(f[10])
            else { return nil }
            return Callback(
                name: String(f[1]), a: Int64(f[2]) ?? 0, acked: Int64(f[3]) ?? 0, cwnd: cwnd,
                ssthresh: ssthresh,
                time: time, sndUna: UInt32(f[15]) ?? 0, sndNxt: UInt32(f[16]) ?? 0,
                packetsOut: UInt32(f[11]) ?? 0, sackedOut: UInt32(f[12]) ?? 0, lostOut: UInt32(f[13]) ?? 0)
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
}
