internal import KernelABI

/// A member of `tcp_congestion_ops` that the engine calls, in the order of the struct.
enum Op: UInt8, CaseIterable {
    case ssthresh, congAvoid, setState, cwndEvent, inAckEvent, pktsAcked, minTSOSegments, congControl
    case undoCwnd, sndbufExpand, initialise, release

    /// Of the member.
    var name: String {
        switch self {
        case .ssthresh: "ssthresh"
        case .congAvoid: "cong_avoid"
        case .setState: "set_state"
        case .cwndEvent: "cwnd_event"
        case .inAckEvent: "in_ack_event"
        case .pktsAcked: "pkts_acked"
        case .minTSOSegments: "min_tso_segs"
        case .congControl: "cong_control"
        case .undoCwnd: "undo_cwnd"
        case .sndbufExpand: "sndbuf_expand"
        case .initialise: "init"
        case .release: "release"
        }
    }

    /// Of what the engine passes beside the socket; of samples, members.
    var argumentNames: [String] {
        switch self {
        case .congAvoid: ["ack", "acked"]
        case .setState: ["new_state"]
        case .cwndEvent: ["ev"]
        case .inAckEvent: ["flags"]
        case .pktsAcked: ["pkts_acked", "rtt_us", "in_flight"]
        case .congControl: ["ack", "flag", "delivered", "interval_us", "rtt_us", "losses"]
        default: []
        }
    }

    /// Arguments that have a sign.
    static let signedArguments: Set<String> = ["rtt_us", "flag", "delivered", "interval_us", "losses"]
}

/// The numbers that an op got, cut to 32 bits, in the order of `Op.argumentNames`.
struct CallWords {
    var values: [6 of UInt32] = .init(repeating: 0)

    @inline(__always) init() {}

    @inline(__always) init(_ first: UInt32, _ second: UInt32 = 0, _ third: UInt32 = 0) {
        values[0] = first
        values[1] = second
        values[2] = third
    }

    @inline(__always) init(ack: UInt32, flag: UInt32, _ sample: UnsafePointer<rate_sample>) {
        values[0] = ack
        values[1] = flag
        values[2] = UInt32(bitPattern: sample.pointee.delivered)
        values[3] = UInt32(truncatingIfNeeded: sample.pointee.interval_us)
        values[4] = UInt32(truncatingIfNeeded: sample.pointee.rtt_us)
        values[5] = UInt32(bitPattern: sample.pointee.losses)
    }
}

/// One call of a registration's op, as it is remembered for a record.
struct CallRecord {
    var time: Nanoseconds = 0
    var flow: UInt32 = 0
    var op = Op.ssthresh
    var side = Side.sender
    /// nil: the op returns nothing.
    var result: UInt32?
    var words = CallWords()

    var arguments: [(name: String, value: Int64)] {
        op.argumentNames.enumerated().map { index, name in
            let word = words.values[index]
            return (name, Op.signedArguments.contains(name) ? Int64(Int32(bitPattern: word)) : Int64(word))
        }
    }
}
