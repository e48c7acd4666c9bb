internal import KernelABI

/// What programs of one world asked for while they ran. Nothing of it happens before the op has returned.
struct PendingEffects {
    /// An ACK to send: with the `rcv_nxt` the program named and the ECN state at the time of the call, since an ACK of
    /// DCTCP must still carry the old state.
    struct ACK {
        var socket: UInt
        var rcvNxt: UInt32
        var ecnFlags: UInt8
    }
    static let acksMax = 64

    private var storage: UnsafeMutablePointer<ACK> = .allocate(capacity: Self.acksMax)
    private(set) var ackCount = 0
    /// Ops of instances that are running, 0 outside: nested only by TCP_CONGESTION in `init`.
    var depth: Int32 = 0
    /// TCP_CONGESTION has been set by the op that is running: a second time is refused, which keeps the time of an op
    /// call bounded.
    private(set) var hasSwitched = false
    private(set) var isPending = false

    init() {}
    func free() { storage.deallocate() }

    /// - Returns: false when too many wait.
    mutating func append(_ ack: ACK) -> Bool {
        guard ackCount < Self.acksMax else { return false }
        storage[ackCount] = ack
        ackCount += 1
        isPending = true
        return true
    }

    mutating func noteSwitch() {
        hasSwitched = true
        isPending = true
    }

    /// What has run is over its budget: it goes when the outermost op has returned.
    mutating func noteExcess() { isPending = true }

    func ack(_ index: Int) -> ACK { storage[index] }

    mutating func clear() {
        ackCount = 0
        hasSwitched = false
        isPending = false
    }
}
