internal import KernelABI

/// What an ACK brought, in the bits that `cong_control` gets. Kernel: `FLAG_*` of tcp_input.c.
enum AckFlag {
    static let data: UInt32 = 0x01
    static let windowUpdate: UInt32 = 0x02
    static let dataAcked: UInt32 = 0x04
    static let retransmittedDataAcked: UInt32 = 0x08
    static let synAcked: UInt32 = 0x10
    static let dataSacked: UInt32 = 0x20
    static let ece: UInt32 = 0x40
    static let lostRetransmission: UInt32 = 0x80
    static let slowPath: UInt32 = 0x100
    static let originalAcked: UInt32 = 0x200
    static let unaAdvanced: UInt32 = 0x400
    static let dsacking: UInt32 = 0x800
    static let setTimer: UInt32 = 0x1000
    static let reneging: UInt32 = 0x2000
    static let maybeDelayed: UInt32 = 0x10000
    static let dsackTLP: UInt32 = 0x20000

    static let acked = dataAcked | synAcked
    static let notDuplicate = data | windowUpdate | acked
    static let alert = dataSacked | ece | dsacking
    static let forwardProgress = acked | dataSacked
}

/// What one ACK does on its way through the sender; lives on the stack.
struct AckPass {
    var ack: UInt32
    var flag: UInt32
    let priorUna: UInt32
    /// Start of the highest SACKed segment before this ACK. Kernel: `prior_fack`.
    let priorHighestSACK: UInt32
    let tsecr: UInt32
    /// Send times of the first and last newly SACKed segments that were never retransmitted, microseconds; 0: none.
    var firstSackSent: UInt64 = 0
    var lastSackSent: UInt64 = 0
    /// Lowest newly SACKed or filled sequence number; below the highest SACK before, it shows reordering.
    var reordered: UInt32
    var dsackSegments: UInt32 = 0
    var rexmit: Rexmit = .none

    enum Rexmit { case none, lost, new }
}
