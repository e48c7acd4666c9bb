internal import CShim
internal import KernelABI

/// Both ends of one connection, and the application that drives it; flat, so that thousands lie side by side.
///
/// State that programs may see is in the two `tcp_sock`s and nowhere else. A flow has at most one connection at a time;
/// `generation` tells its packets from those of an earlier one.
struct FlowState {
    let engine: Engine
    let index: UInt32
    var generation: UInt16 = 0
    var phase: FlowPhase = .idle

    // The sender.
    let sender: TCPSock
    /// Number of the flow's `cc`, and what it meant when the connection began, or what a program has set since.
    let senderControl: UInt32
    var senderOps: Attachment
    /// The retransmission queue, `snd_una ..< snd_nxt`.
    var segments: Ring<Segment>
    /// Before it no segment is listed that was sent once only.
    var firstListed: UInt32 = 0
    /// Retransmissions in order of time.
    var resent: Ring<Resent>
    /// Delivery states that segments refer to.
    var deliveries: Ring<DeliveryState>
    /// Number of the segment after the highest SACKed one; `none`: nothing SACKed.
    var highestSACK = FlowState.none
    /// Where looking for lost segments to retransmit goes on; `none`: at the head.
    var retransmitHint = FlowState.none
    /// Timers, in simulated time; `.never` when not set.
    var retransmitDeadline = Nanoseconds.never
    var pacingDeadline = Nanoseconds.never
    /// Kernel: `icsk_timeout`, in jiffies.
    var retransmitJiffies: UInt64 = 0
    /// Jiffy in which `retransmitDeadline` was computed.
    var retransmitSetAt: UInt64 = 0
    /// What was written and has not been sent, `snd_nxt ..< write_seq`, as the kernel's write queue cuts it.
    var chunks: Ring<WriteChunk>
    /// What the write() that goes on has not handed over yet.
    var writeLeft: UInt32 = 0
    /// The application waits for room in the send buffer (kernel: SOCK_NOSPACE).
    var waitsForSpace = false
    var finQueued = false
    var finSent = false
    /// What the receiver's clock said in the last timestamp option, for `tsecr`.
    var senderRecentTimestamp: UInt32 = 0

    // The receiver.
    let receiver: TCPSock
    let receiverControl: UInt32
    var receiverOps: Attachment
    var receiverState: ReceiverState
    var delackDeadline = Nanoseconds.never
    var compressedDeadline = Nanoseconds.never

    // The path.
    let path: UnsafePointer<UInt32>
    let hopCount: UInt8
    let delayLine: UInt32
    /// Links that ACKs cross behind the delay line.
    let returnPath: UnsafePointer<UInt32>
    let returnCount: UInt8
    let ecn: Bool

    var application: Application
    var statistics = FlowStatistics()

    /// Times of the earliest entries in the event queue.
    var slowArmed = Nanoseconds.never
    var fastArmed = Nanoseconds.never

    /// No segment, no block: a number that no ring element has while in use (rings hold far fewer).
    static let none: UInt32 = .max
}

enum FlowPhase: UInt8 {
    case idle, synSent, established, finWait, done
    /// Ended by an error: see `FlowStatistics.failure`.
    case failed
}

/// A flow in its engine's array: what most code of the simulator is written against.
typealias Flow = UnsafeMutablePointer<FlowState>
typealias TCPSock = UnsafeMutablePointer<tcp_sock>

/// The congestion control of one end, as the engine calls it: a C struct, built in or of an instance.
struct Attachment {
    /// Members may be NULL, which means "no op".
    var ops: UnsafePointer<tcp_congestion_ops>
    /// Of the programs behind it; nil for built-ins.
    var program: UnsafeMutablePointer<ProgramAccount>?
    /// Which entry of the world's `ControlTable` it is.
    var number: UInt32
}

extension Flow {
    @inline(__always) var tp: TCPSock { pointee.sender }
    @inline(__always) var rp: TCPSock { pointee.receiver }
    @inline(__always) var engine: Engine { pointee.engine }
}
