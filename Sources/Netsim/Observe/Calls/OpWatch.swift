internal import KernelABI

/// A call of a congestion control.
struct OpCall {
    /// As the member of `tcp_congestion_ops` is called.
    var op: StaticString
    var flow: Flow
    var side: Side
    /// What the engine passed beside the socket.
    var arguments: OpArguments

    var socket: TCPSock { side == .sender ? flow.tp : flow.rp }
}

/// Arguments of an op. The samples live until it returns.
enum OpArguments {
    case none
    case congAvoid(ack: UInt32, acked: UInt32)
    case state(UInt8)
    case event(tcp_ca_event)
    case flags(UInt32)
    case ackSample(UnsafePointer<ack_sample>)
    case congControl(ack: UInt32, flag: Int32, UnsafePointer<rate_sample>)
}

/// Somebody who watches the calls of congestion controls and changes nothing.
protocol OpObserver: AnyObject {
    /// The op is about to run: its clocks are set.
    func willCall(_ call: OpCall)
    /// It has returned; what it asked the world for is still to be done.
    /// - Parameter result: nil of ops that return nothing.
    func didCall(_ call: OpCall, result: UInt32?)
}

/// Stands between the engine and the congestion controls of a watched world: each has a copy of its C struct, with a
/// function of ours in every member that is set. So a world that nobody watches pays nothing.
final class OpWatch {
    /// A C struct that engine and programs take for the congestion control's own, with the one it stands for behind it.
    private struct Copy {
        var ops: tcp_congestion_ops
        let original: UnsafePointer<tcp_congestion_ops>
    }
    fileprivate let observers: [any OpObserver]
    private var copies: [UnsafeMutablePointer<Copy>] = []

    init(_ observers: [any OpObserver]) { self.observers = observers }

    deinit { for copy in copies { copy.deallocate() } }

    /// What the engine is to call in place of `ops`. Both live as long as the world.
    func stand(before ops: UnsafePointer<tcp_congestion_ops>) -> UnsafePointer<tcp_congestion_ops> {
        let copy = UnsafeMutablePointer<Copy>.allocate(capacity: 1)
        copy.initialize(to: Copy(ops: ops.pointee, original: ops))
        copies.append(copy)
        let members = UnsafeMutableRawPointer(copy).assumingMemoryBound(to: tcp_congestion_ops.self)
        OpWatch.replaceDeciding(members)
        OpWatch.replaceTold(members)
        return UnsafePointer(members)
    }

    /// The struct that a copy stands for.
    fileprivate static func original(
        of ops: UnsafePointer<tcp_congestion_ops>
    ) -> UnsafePointer<tcp_congestion_ops> {
        // SAFETY: every struct that a watched world calls is the first member of a `Copy`.
        UnsafeRawPointer(ops).assumingMemoryBound(to: Copy.self).pointee.original
    }

    private static func replaceDeciding(_ ops: UnsafeMutablePointer<tcp_congestion_ops>) {
        if ops.pointee.ssthresh != nil {
            ops.pointee.ssthresh = { sk in watched(sk, "ssthresh") { $0.pointee.ssthresh(sk) } }
        }
        if ops.pointee.undo_cwnd != nil {
            ops.pointee.undo_cwnd = { sk in watched(sk, "undo_cwnd") { $0.pointee.undo_cwnd(sk) } }
        }
        if ops.pointee.min_tso_segs != nil {
            ops.pointee.min_tso_segs = { sk in watched(sk, "min_tso_segs") { $0.pointee.min_tso_segs(sk) } }
        }
        if ops.pointee.sndbuf_expand != nil {
            ops.pointee.sndbuf_expand = { sk in watched(sk, "sndbuf_expand") { $0.pointee.sndbuf_expand(sk) }
            }
        }
    }

    private static func replaceTold(_ ops: UnsafeMutablePointer<tcp_congestion_ops>) {
        if ops.pointee.cong_avoid != nil {
            ops.pointee.cong_avoid = { sk, ack, acked in
                watched(sk, "cong_avoid", .congAvoid(ack: ack, acked: acked)) {
                    $0.pointee.cong_avoid(sk, ack, acked)
                }
            }
        }
        if ops.pointee.cong_control != nil {
            ops.pointee.cong_control = { sk, ack, flag, sample in
                guard let sample else { return }
                watched(sk, "cong_control", .congControl(ack: ack, flag: flag, sample)) {
                    $0.pointee.cong_control(sk, ack, flag, sample)
                }
            }
        }
        if ops.pointee.set_state != nil {
            ops.pointee.set_state = { sk, state in
                watched(sk, "set_state", .state(state)) { $0.pointee.set_state(sk, state) }
            }
        }
        if ops.pointee.cwnd_event != nil {
            ops.pointee.cwnd_event = { sk, event in
                watched(sk, "cwnd_event", .event(event)) { $0.pointee.cwnd_event(sk, event) }
            }
        }
        if ops.pointee.in_ack_event != nil {
            ops.pointee.in_ack_event = { sk, flags in
                watched(sk, "in_ack_event", .flags(flags)) { $0.pointee.in_ack_event(sk, flags) }
            }
        }
        if ops.pointee.pkts_acked != nil {
            ops.pointee.pkts_acked = { sk, sample in
                guard let sample else { return }
                watched(sk, "pkts_acked", .ackSample(sample)) { $0.pointee.pkts_acked(sk, sample) }
            }
        }
        if ops.pointee.`init` != nil {
            ops.pointee.`init` = { sk in watched(sk, "init") { $0.pointee.`init`(sk) } }
        }
        if ops.pointee.release != nil {
            ops.pointee.release = { sk in watched(sk, "release") { $0.pointee.release(sk) } }
        }
    }
}

/// Calls the op that a copy's member stands for, and says so before and after.
private func watched<Result>(
    _ sk: UnsafeMutablePointer<sock>?, _ op: StaticString, _ arguments: OpArguments = .none,
    _ body: (UnsafePointer<tcp_congestion_ops>) -> Result
) -> Result {
    guard let sk else { preconditionFailure("an op without a socket") }
    let socket = UnsafeMutableRawPointer(sk).assumingMemoryBound(to: tcp_sock.self)
    let flow = socket.flow
    guard let watch = flow.engine.pointee.opWatch?.takeUnretainedValue(),
        let ops = socket.pointee.inet_conn.icsk_ca_ops
    else { preconditionFailure("a watched op in a world that nobody watches") }
    // What the op sets by TCP_CONGESTION is another struct: the one that runs is read before.
    let original = OpWatch.original(of: ops)
    let call = OpCall(op: op, flow: flow, side: socket == flow.tp ? .sender : .receiver, arguments: arguments)
    for observer in watch.observers { observer.willCall(call) }
    let result = body(original)
    for observer in watch.observers { observer.didCall(call, result: result as? UInt32) }
    return result
}

extension World {
    /// Tells `observers` of every call of a congestion control. Once, before the first event.
    func observeOps(_ observers: [any OpObserver]) {
        let watch = OpWatch(observers)
        opWatch = watch
        engine.pointee.opWatch = Unmanaged.passUnretained(watch)
        controls.watch(watch)
        for index in 0..<flowCount {
            let flow = engine.pointee.flows + index
            flow.pointee.senderOps = controls.current(flow.pointee.senderControl)
            flow.pointee.receiverOps = controls.current(flow.pointee.receiverControl)
        }
    }
}
